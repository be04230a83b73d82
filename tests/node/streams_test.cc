// Streams over two nodes: their numbers and batons, and calls that do not fit.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "gateway/stream_call.h"
#include "runtime/random_id.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

class Streams : public TwoNodes {
 protected:
  static json::array Sql(const std::vector<std::string>& statements) {
    json::array requests;
    for (const std::string& sql : statements)
      requests.push_back(json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}});
    return requests;
  }
  net::HttpResponse Post(Node& via, const TenantName& tenant, json::array requests,
                         const json::value& baton = nullptr) {
    const json::object body{{"baton", baton}, {"requests", std::move(requests)}};
    return Call(via, "POST", "/db/" + tenant + "/v3/pipeline", json::serialize(body));
  }
  // Runs the statements on a stream that is kept open; its next baton.
  json::value Run(Node& via, const TenantName& tenant, const std::vector<std::string>& statements,
                  const json::value& baton = nullptr) {
    const json::value answer = Json(200, Post(via, tenant, Sql(statements), baton));
    if (!answer.is_object()) return nullptr;
    for (const json::value& result : answer.at("results").as_array())
      EXPECT_EQ(result.at("type").as_string(), "ok") << json::serialize(result);
    return answer.at("baton");
  }
  int64_t Count(Node& via, const TenantName& tenant) {
    json::array requests = Sql({"SELECT count(*) FROM note"});
    requests.push_back(json::object{{"type", "close"}});
    const json::value answer = Json(200, Post(via, tenant, std::move(requests)));
    const auto& row = answer.at("results").at(0).at("response").at("result").at("rows").at(0).at(0);
    return std::stoll(std::string(row.at("value").as_string()));
  }
  void Make(Node& via, const TenantName& tenant, const NodeName& owner) {
    Json(201, Call(via, "POST", "/v1/tenants", fmt::format(R"({{"name":"{}","node":"{}"}})", tenant, owner)));
    Run(via, tenant, {"CREATE TABLE note(text)"});
  }
  void Restart(std::unique_ptr<Node>& node, const NodeName& name, const std::optional<std::string>& join) {
    Stop(node);
    node = Start(name, join);
    ASSERT_TRUE(node);
  }
  void ExpectExpired(const net::HttpResponse& answer, const std::string& why) {
    EXPECT_EQ(CodeOf(400, answer), "STREAM_EXPIRED");
    EXPECT_THAT(answer.body, HasSubstr(why));
  }
  void ExpectBadBaton(const net::HttpResponse& answer) {
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("baton"));
  }
  // As another node's gateway makes it.
  gateway::StreamAnswer CallStreams(Node& owner, const gateway::StreamCall& call) {
    net::HttpClient nodes(*core_, net::HttpClient::Peers::kNodes);
    net::HttpRequest request;
    request.method = "POST";
    request.body = Encode(call);
    const auto answer = nodes.Call(owner.url() + "/v1/internal/streams", std::move(request),
                                   core_->Now() + std::chrono::seconds(60));
    nodes.Close();
    EXPECT_TRUE(answer && answer->status == 200) << (answer ? answer->body : Describe(answer.error()));
    return answer ? gateway::DecodeStreamAnswer(answer->body).value_or(gateway::StreamAnswer())
                  : gateway::StreamAnswer();
  }
  gateway::StreamCall OpeningCall(const TenantName& tenant) {
    gateway::StreamCall call;
    call.tenant = tenant;
    call.gateway = "n9." + runtime::RandomId(*core_);
    call.stream = runtime::RandomId(*core_);
    call.opens = call.keep = true;
    call.requests = {Statement("BEGIN"), Statement("INSERT INTO note VALUES('mine')")};
    return call;
  }
  static hrana::StreamRequest Statement(std::string sql) {
    return hrana::Execute{{{.sql = std::move(sql)}, {}}};
  }
};

TEST_F(Streams, OfARestartedOwnerAreNeverTakenForOthers) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n2");
    Make(*n1_, "beta", "n2");
    const json::value a = Run(*n1_, "alpha", {"BEGIN", "SELECT * FROM note"});
    Restart(n2_, "n2", n1_->url());
    const json::value b = Run(*n1_, "beta", {"BEGIN", "INSERT INTO note VALUES('b')"});
    ExpectExpired(Post(*n1_, "alpha", Sql({"INSERT INTO note VALUES('a')", "COMMIT"}), a),
                  "n2, which has the tenant, has ended the stream or was restarted");
    ExpectExpired(Post(*n1_, "alpha", Sql({"SELECT 1"}), a), "ended with the request before, which failed");
    Run(*n1_, "beta", {"COMMIT"}, b);
    EXPECT_EQ(Count(*n1_, "beta"), 1);
    EXPECT_EQ(Count(*n1_, "alpha"), 0);
  });
}

TEST_F(Streams, OfARestartedGatewaySayWhatHappened) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n1");
    Make(*n1_, "beta", "n1");
    const json::value a = Run(*n2_, "alpha", {"BEGIN", "INSERT INTO note VALUES('a')"});
    Restart(n2_, "n2", n1_->url());
    // The stream that has the same number in the new process, with the same statements.
    const json::value b = Run(*n2_, "beta", {"BEGIN", "INSERT INTO note VALUES('b')"});
    ExpectExpired(Post(*n2_, "alpha", Sql({"COMMIT"}), a), "n2, which held the stream, has been restarted");
    ExpectExpired(Post(*n1_, "alpha", Sql({"COMMIT"}), a), "n2, which held the stream, has been restarted");
    ExpectExpired(Post(*n2_, "beta", Sql({"COMMIT"}), a), "n2, which held the stream, has been restarted");
    Run(*n1_, "beta", {"COMMIT"}, b);
    EXPECT_EQ(Count(*n1_, "beta"), 1);
  });
}

TEST_F(Streams, RefuseBatonsThatNobodyWasGiven) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n1");
    Make(*n1_, "beta", "n1");
    const json::value a = Run(*n1_, "alpha", {"BEGIN"});
    const std::string baton(a.as_string());
    const size_t random = baton.rfind('.') + 1;
    for (const std::string& forged :
         {std::string(""), std::string("n1.1.00"), std::string("..."), baton + "0", baton + ".1",
          baton.substr(0, random), baton.substr(0, random) + std::string(32, '0'), "n9" + baton.substr(2),
          baton.substr(0, 35) + ".999." + std::string(32, '0'),
          baton.substr(0, 35) + ".-1." + std::string(32, '0'), std::string(100'000, '.')})
      ExpectBadBaton(Post(*n1_, "alpha", Sql({"SELECT 1"}), forged.c_str()));
    ExpectBadBaton(Post(*n1_, "beta", Sql({"SELECT 1"}), a));
    const json::value next = Run(*n2_, "alpha", {"SELECT 1"}, a);  // Passed on to its gateway.
    ExpectBadBaton(Post(*n1_, "alpha", Sql({"SELECT 1"}), a));
    Run(*n1_, "alpha", {"COMMIT"}, next);
    json::array close = Sql({});
    close.push_back(json::object{{"type", "close"}});
    const json::value last = Run(*n1_, "alpha", {"SELECT 1"});
    Json(200, Post(*n1_, "alpha", close, last));
    ExpectExpired(Post(*n1_, "alpha", Sql({"SELECT 1"}), last), "the stream was closed");
  });
}

TEST_F(Streams, OfADeletedTenantDoNotReachItsSuccessor) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n2");
    const json::value a = Run(*n1_, "alpha", {"BEGIN", "SELECT * FROM note"});
    gateway::StreamCall old = OpeningCall("alpha");
    old.requests = {Statement("BEGIN"), Statement("SELECT 1")};
    const gateway::StreamAnswer opened = CallStreams(*n2_, old);
    EXPECT_TRUE(opened.open);
    // Ends the streams on it, as the end of a move does.
    EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/alpha").status, 204);
    Make(*n1_, "alpha", "n2");
    ExpectExpired(Post(*n1_, "alpha", Sql({"INSERT INTO note VALUES('a')"}), a), "rolled back");
    old.opens = false;
    old.epoch = opened.epoch;
    EXPECT_EQ(CallStreams(*n2_, old).status, gateway::StreamAnswer::Status::kLost);
    EXPECT_EQ(Count(*n1_, "alpha"), 0);
  });
}

TEST_F(Streams, AreLostToCallsThatDoNotFitThem) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n2");
    Make(*n1_, "beta", "n2");
    const gateway::StreamCall opening = OpeningCall("alpha");
    const gateway::StreamAnswer opened = CallStreams(*n2_, opening);
    ASSERT_EQ(opened.status, gateway::StreamAnswer::Status::kDone);
    EXPECT_TRUE(opened.open);
    EXPECT_EQ(opened.epoch, n2_->parts().tenants().EpochOf("alpha"));

    gateway::StreamCall right = opening;
    right.opens = false;
    right.epoch = opened.epoch;
    right.requests = {Statement("COMMIT")};
    std::vector<gateway::StreamCall> wrong(5, right);
    wrong[0].tenant = "beta";
    wrong[1].gateway = "n9." + runtime::RandomId(*core_);  // The same node, restarted.
    wrong[2].gateway = "n8" + right.gateway.substr(2);
    wrong[3].epoch = opened.epoch.Next();
    wrong[4].stream = runtime::RandomId(*core_);
    for (const gateway::StreamCall& call : wrong) {
      gateway::StreamCall close = call;
      close.requests.clear();
      CallStreams(*n2_, close);
      EXPECT_EQ(CallStreams(*n2_, call).status, gateway::StreamAnswer::Status::kLost);
    }
    gateway::StreamCall again = OpeningCall("beta");  // A number that is in use opens nothing.
    again.stream = opening.stream;
    EXPECT_EQ(CallStreams(*n2_, again).status, gateway::StreamAnswer::Status::kLost);
    EXPECT_EQ(CallStreams(*n2_, right).status, gateway::StreamAnswer::Status::kDone);
    EXPECT_EQ(Count(*n1_, "alpha"), 1);
    EXPECT_EQ(Count(*n1_, "beta"), 0);
  });
}

TEST_F(Streams, AreNotOpenedForACallerThatKnowsOfALaterOwner) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n2");
    gateway::StreamCall call = OpeningCall("alpha");
    call.epoch = n2_->parts().tenants().EpochOf("alpha").Next();
    EXPECT_EQ(CallStreams(*n2_, call).status, gateway::StreamAnswer::Status::kMoved);
    EXPECT_EQ(CallStreams(*n1_, call).status, gateway::StreamAnswer::Status::kMoved);
    call.epoch = n2_->parts().tenants().EpochOf("alpha");
    EXPECT_EQ(CallStreams(*n2_, call).status, gateway::StreamAnswer::Status::kDone);
  });
}

TEST_F(Streams, OfAMoveThereAndBackAreThoseOfTheirEpoch) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n2");
    gateway::StreamCall old = OpeningCall("alpha");
    old.requests = {Statement("SELECT 1")};
    const gateway::StreamAnswer opened = CallStreams(*n2_, old);
    const json::value kept = Run(*n1_, "alpha", {"SELECT 1"});
    for (const char* to : {"n1", "n2"}) {
      const json::value move =
          Json(202, Call(*n1_, "POST", "/v1/moves", fmt::format(R"({{"tenant":"alpha","to":"{}"}})", to)));
      const std::string id(move.at("id").as_string());
      Await(
          [&] { return Json(200, Call(*n1_, "GET", "/v1/moves/" + id)).at("phase").as_string() == "done"; });
    }
    old.opens = false;
    old.epoch = opened.epoch;
    EXPECT_EQ(CallStreams(*n2_, old).status, gateway::StreamAnswer::Status::kLost);
    Run(*n1_, "alpha", {"INSERT INTO note VALUES('a')"}, kept);  // It had no transaction: nobody notices.
    EXPECT_EQ(Count(*n1_, "alpha"), 1);
  });
}

TEST_F(Streams, NeverGetANumberTwice) {
  WithNodes([&] {
    std::set<std::string> ids;
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(ids.insert(runtime::RandomId(*core_)).second);
    EXPECT_TRUE(runtime::IsRandomId(*ids.begin()));
    EXPECT_FALSE(runtime::IsRandomId(ids.begin()->substr(1)));
    EXPECT_FALSE(runtime::IsRandomId(ids.begin()->substr(1) + "G"));
  });
}

TEST_F(Streams, TakeNothingFromAnotherNodeThatIsNotSealed) {
  WithNodes([&] {
    for (const char* path : {"/v1/internal/streams", "/v1/internal/latency", "/v1/internal/catalog/nodes",
                             "/v1/internal/moves/link?id=0&lane=bulk", "/v1/internal/other", "/v1/internal/"})
      for (const char* method : {"GET", "POST"})
        for (Node* node : {n1_.get(), n2_.get()})
          EXPECT_EQ(CodeOf(400, Call(*node, method, path)), "CALL_UNSEALED") << path;
    const net::Headers forwarded{{"x-tradewind-forwarded", "1"}};
    for (const char* path : {"/v1/tenants", "/v1/moves", "/v1/nodes", "/health", "/db/alpha/v3/pipeline"})
      EXPECT_EQ(CodeOf(400, Call(*n1_, "GET", path, "", forwarded)), "CALL_UNSEALED") << path;
    const net::Headers wrong{{"x-tradewind-seal", "0123456789abcdef-0"}};
    EXPECT_EQ(CodeOf(400, Call(*n1_, "GET", "/v1/tenants", "", wrong)), "CALL_DAMAGED");
  });
}

TEST_F(Streams, HoldNoConnectionBetweenRequestsUnlessTheyHaveWhatItAloneHas) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n1");
    const auto open = [&] { return (*n1_->parts().tenants().Find("alpha"))->stream_count(); };
    json::value baton = Run(*n1_, "alpha", {"INSERT INTO note(rowid, text) VALUES(77, 'a')"});
    EXPECT_EQ(open(), 0u);
    const json::value counted =
        Json(200, Post(*n1_, "alpha", Sql({"SELECT last_insert_rowid() || ' ' || changes()"}), baton));
    baton = counted.at("baton");
    const auto& row = counted.at("results").at(0).at("response").at("result").at("rows").at(0).at(0);
    EXPECT_EQ(row.at("value").as_string(), "77 1");
    EXPECT_EQ(open(), 0u);
    baton = Run(*n1_, "alpha", {"BEGIN"}, baton);
    EXPECT_EQ(open(), 1u) << "a transaction";
    baton = Run(*n1_, "alpha", {"COMMIT"}, baton);
    EXPECT_EQ(open(), 0u);
    baton = Run(*n1_, "alpha", {"PRAGMA foreign_keys=OFF"}, baton);
    EXPECT_EQ(open(), 1u) << "a setting that is dear to restore";
    baton = Run(*n1_, "alpha", {"PRAGMA foreign_keys=ON"}, baton);
    EXPECT_EQ(open(), 0u);
    Run(*n1_, "alpha",
        {"INSERT INTO note WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) "
         "SELECT i FROM n"},
        baton);
    EXPECT_EQ(open(), 1u) << "more changes than are carried exactly";
  });
}

// A disk takes as long as many statements: who waits for it needs no connection, and a few do for any number of clients.
TEST_F(Streams, HoldNoConnectionWhileTheirCommitWaitsForTheDisk) {
  WithNodes([&] {
    Make(*n1_, "alpha", "n1");
    const auto use = n1_->parts().tenants().Find("alpha");
    ASSERT_TRUE(use);
    const auto waits = [&] {
      const sqlite::CommitLog& log = (*use)->store().log();
      return !log.is_settled() && !log.commit_in_flight();
    };
    const auto commit = [&](bool closes, bool transaction) {
      json::array requests = Sql({"INSERT INTO note VALUES('a')"});
      if (transaction) requests = Sql({"BEGIN", "INSERT INTO note VALUES('a')", "COMMIT"});
      if (closes) requests.push_back(json::object{{"type", "close"}});
      bool answered = false, was_free = false;
      runtime::TaskGroup client(*core_);
      client.Spawn("client", [&] {
        Json(200, Post(*n1_, "alpha", requests));
        answered = true;
      });
      while (!answered) {
        was_free = was_free || (waits() && (*use)->stream_count() == 0);
        runtime::Yield();
      }
      client.Join();
      return was_free;
    };
    for (const bool closes : {true, false})
      for (const bool transaction : {true, false})
        EXPECT_TRUE(commit(closes, transaction)) << closes << transaction;
  });
}

}  // namespace
}  // namespace tradewind::node
