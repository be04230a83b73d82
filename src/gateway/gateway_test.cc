#include "gateway/gateway.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "base/limits.h"
#include "gateway/memory_cluster.h"
#include "net/seal.h"

namespace tradewind::gateway {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class GatewayTest : public MemoryClusterTest {
 protected:
  void WithShop(const NodeName& owner, const std::function<void()>& body) {
    Run([&] {
      MakeTenant("shop", owner);
      body();
    });
  }
  static json::array Execute(const std::vector<std::string>& sqls) {
    json::array requests;
    for (const std::string& sql : sqls)
      requests.push_back(json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}});
    return requests;
  }
  static net::HttpRequest Request(json::array requests, const json::value& baton = nullptr,
                                  const TenantName& tenant = "shop") {
    net::HttpRequest request;
    request.method = "POST";
    request.target = "/db/" + tenant + "/v3/pipeline";
    request.body = json::serialize(json::object{{"baton", baton}, {"requests", std::move(requests)}});
    return request;
  }
  net::HttpResponse Post(MemoryNode& via, const std::vector<std::string>& sqls,
                         const json::value& baton = nullptr, const TenantName& tenant = "shop") {
    return via.Handle(Request(Execute(sqls), baton, tenant));
  }
  // The next baton; all statements succeed.
  json::value Sql(MemoryNode& via, const std::vector<std::string>& sqls, const json::value& baton = nullptr) {
    const net::HttpResponse answer = Post(via, sqls, baton);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.body.find("\"error\""), std::string::npos) << answer.body;
    return answer.status == 200 ? json::parse(answer.body).at("baton") : nullptr;
  }
  // On a stream of its own.
  int64_t Count(MemoryNode& via) {
    json::array requests = Execute({"SELECT count(*) FROM note"});
    requests.push_back(json::object{{"type", "close"}});
    const net::HttpResponse answer = via.Handle(Request(std::move(requests)));
    EXPECT_EQ(answer.status, 200) << answer.body;
    const json::value body = json::parse(answer.body);
    EXPECT_TRUE(body.at("baton").is_null());
    const auto& row = body.at("results").at(0).at("response").at("result").at("rows").at(0);
    return std::stoll(std::string(row.at(0).at("value").as_string()));
  }
  double Held(MemoryNode& node) {
    for (const net::MetricSample& sample : node.gateway->Metrics())
      if (sample.name == "tradewind_client_streams") return sample.value;
    return -1;
  }
  static void ExpectBadBaton(const net::HttpResponse& answer) {
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("the baton is unknown or was used before"));
  }
  static void ExpectExpired(const net::HttpResponse& answer, const std::string& why) {
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("STREAM_EXPIRED"));
    EXPECT_THAT(answer.body, HasSubstr(why));
  }
};

TEST_F(GatewayTest, RunsAPipelineHereAndGivesABatonToGoOnWith) {
  WithShop("n1", [&] {
    json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    EXPECT_TRUE(ParseBaton(std::string(baton.as_string())));
    EXPECT_EQ(Count(n1()), 0);
    baton = Sql(n1(), {"INSERT INTO note VALUES('b')"}, baton);
    Sql(n1(), {"COMMIT"}, baton);
    EXPECT_EQ(Count(n1()), 2);
    EXPECT_THAT(peers_.asked, IsEmpty());
  });
}

TEST_F(GatewayTest, RunsAPipelineAtTheNodeThatHasTheTenant) {
  WithShop("n2", [&] {
    json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    Sql(n1(), {"COMMIT"}, baton);
    EXPECT_EQ(Count(n2()), 1);
    ASSERT_THAT(peers_.asked, SizeIs(2));
    EXPECT_EQ(peers_.asked[0].target, kStreamsPath);
    EXPECT_EQ(Held(n1()), 1);
    EXPECT_EQ(Held(n2()), 0) << "the client's stream is that of the gateway it came to";
    EXPECT_TRUE(DecodeStreamCall(peers_.asked[1].body)->keep);
    EXPECT_EQ(Count(n1()), 1);
    EXPECT_FALSE(DecodeStreamCall(peers_.asked[2].body)->keep) << "a pipeline that closes its stream";
  });
}

TEST_F(GatewayTest, ABatonIsUsedOnce) {
  WithShop("n1", [&] {
    const json::value first = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    const json::value second = Sql(n1(), {"SELECT 1"}, first);
    ExpectBadBaton(Post(n1(), {"ROLLBACK"}, first));
    ExpectBadBaton(Post(n1(), {"ROLLBACK"}, "what is this"));
    MakeTenant("other", "n1");
    ExpectBadBaton(Post(n1(), {"ROLLBACK"}, second, "other"));
    Sql(n1(), {"COMMIT"}, second);
    EXPECT_EQ(Count(n1()), 1) << "nobody else has touched the stream";
  });
}

TEST_F(GatewayTest, AStreamTakesOneRequestAtATime) {
  WithShop("n1", [&] {
    const json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    runtime::TaskGroup first(core_);
    json::value next;
    core_.syncs.held = true;
    first.Spawn("first", [&] { next = Sql(n1(), {"COMMIT", "BEGIN", "SELECT * FROM note"}, baton); });
    runtime::SleepFor(milliseconds(100));
    ExpectBadBaton(Post(n1(), {"ROLLBACK"}, baton));
    core_.syncs.Release();
    first.Join();
    EXPECT_EQ(Count(n1()), 1) << "the first has run as if nobody had come";
    Sql(n1(), {"SELECT 1"}, next);
  });
}

TEST_F(GatewayTest, AStreamThatIsIdleForTooLongEndsAtItsOwnerToo) {
  WithShop("n2", [&] {
    const json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    EXPECT_EQ(n2().streams.Metric().value, 1);
    // The owner's own clock would end it at about the same time.
    const auto closed = [&] { return peers_.asked.size() == 2 && peers_.asked[1].target == kStreamsPath; };
    runtime::SleepFor(limits::kStreamIdle - milliseconds(100));
    EXPECT_EQ(Held(n1()), 1);
    runtime::SleepFor(limits::kStreamSweep + milliseconds(200));
    EXPECT_EQ(Held(n1()), 0);
    EXPECT_TRUE(closed());
    EXPECT_EQ(n2().streams.Metric().value, 0);
    ExpectExpired(Post(n1(), {"COMMIT"}, baton), "the stream was idle for more than 10 s");
    EXPECT_EQ(Count(n1()), 0);
  });
}

TEST_F(GatewayTest, AStreamThatItsClientClosedIsOver) {
  WithShop("n1", [&] {
    const json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    json::array close;
    close.push_back(json::object{{"type", "close"}});
    const net::HttpResponse answer = n1().Handle(Request(close, baton));
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(json::parse(answer.body).at("baton").is_null());
    EXPECT_EQ(Held(n1()), 0);
    ExpectExpired(Post(n1(), {"COMMIT"}, baton), "the stream was closed;");
    EXPECT_EQ(Count(n1()), 0);
  });
}

TEST_F(GatewayTest, AStreamEndsWithARequestThatFailsAndSoDoesWhatItHadOpen) {
  WithShop("n2", [&] {
    const json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    bool loses = true;
    peers_.script = [&](const NodeName&, const net::HttpRequest&) -> std::optional<net::Answer> {
      if (!std::exchange(loses, false)) return std::nullopt;
      return Fail(ErrorKind::kTimeout, "ANSWER_LOST", "the connection broke");
    };
    const net::HttpResponse answer = Post(n1(), {"INSERT INTO note VALUES('b')"}, baton);
    EXPECT_THAT(answer.body, HasSubstr("whether it ran is not known"));
    runtime::SleepFor(milliseconds(10));
    EXPECT_EQ(n2().streams.Metric().value, 0) << "it was closed there at once";
    ExpectExpired(Post(n1(), {"COMMIT"}, baton), "ended with the request before, which failed");
    EXPECT_EQ(Count(n1()), 0);
  });
}

TEST_F(GatewayTest, ATransactionWhoseBatonDidNotReachItsClientIsRolledBack) {
  WithShop("n1", [&] {
    net::HttpResponse answer = Post(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    ASSERT_TRUE(answer.undelivered);
    answer.undelivered();
    runtime::SleepFor(milliseconds(10));
    EXPECT_EQ(Held(n1()), 0);
    EXPECT_EQ(n1().streams.Metric().value, 0);

    answer = Post(n1(), {"BEGIN", "INSERT INTO note VALUES('b')"});
    const json::value next = Sql(n1(), {"SELECT 1"}, json::parse(answer.body).at("baton"));
    answer.undelivered();
    runtime::SleepFor(milliseconds(10));
    Sql(n1(), {"COMMIT"}, next);
    EXPECT_EQ(Count(n1()), 1) << "its client had the baton after all";

    EXPECT_FALSE(Post(n1(), {"SELECT 1"}).undelivered) << "nothing of it is open";
  });
}

TEST_F(GatewayTest, WhatRunsForAClientThatGoesIsCancelledAndItsStreamEnds) {
  WithShop("n1", [&] {
    const json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    net::Caller caller;
    net::HttpRequest request = Request(Execute({EndlessSql(), "COMMIT"}), baton);
    request.caller = &caller;
    runtime::TaskGroup running(core_);
    running.Spawn("request", [&] { n1().Handle(request); });
    runtime::SleepFor(milliseconds(100));
    caller.NoteGone();
    running.Join();
    EXPECT_EQ(Held(n1()), 0);
    EXPECT_EQ(Count(n1()), 0);
  });
}

TEST_F(GatewayTest, AClientNoticesNothingOfAChangeOfOwnerBetweenItsRequests) {
  WithShop("n1", [&] {
    json::value baton = Sql(n1(), {"PRAGMA case_sensitive_like = 1", "INSERT INTO note VALUES('a')"});
    HandOver("shop", n1(), n2());
    const net::HttpResponse answer = Post(n1(), {"SELECT 'A' LIKE 'a'"}, baton);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("\"value\":\"0\"")) << "its session has gone along";
    EXPECT_THAT(peers_.asked, SizeIs(1));
    EXPECT_EQ(Count(n1()), 1);
  });
}

TEST_F(GatewayTest, ATransactionGoesOnAtTheFormerOwnerAndTheRestOfTheRequestAtTheNewOne) {
  WithShop("n1", [&] {
    const json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    SetMoved("shop", n1());
    runtime::TaskGroup move(core_);
    move.Spawn("hand-over", [&] {
      runtime::SleepFor(milliseconds(300));
      const Epoch epoch = Swap("shop", "n2");
      n1().streams.EndAllOf("shop");
      n1().tenants.CloseAndForget("shop", tenant::LocalTenants::Files::kStay);
      n2().tenants.AddOwned("shop", epoch);
    });
    // The COMMIT runs at n1, which serves nobody else any more; the rest waits for the new owner.
    Sql(n1(), {"INSERT INTO note VALUES('b')", "COMMIT", "INSERT INTO note VALUES('c')"}, baton);
    move.Join();
    EXPECT_EQ(Count(n2()), 3);
  });
}

TEST_F(GatewayTest, ATransactionThatItsOwnerHasEndedIsNotTakenForAnother) {
  WithShop("n1", [&] {
    const json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    HandOver("shop", n1(), n2());
    ExpectExpired(Post(n1(), {"INSERT INTO note VALUES('b')", "COMMIT"}, baton), "rolled back");
    EXPECT_EQ(Count(n1()), 0);
  });
}

TEST_F(GatewayTest, ABatonOfAnotherGatewayIsPassedOnWithNothingButWhatThatNeeds) {
  WithShop("n1", [&] {
    const json::value baton = Sql(n2(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    peers_.asked.clear();
    net::HttpRequest request = Request(Execute({"COMMIT"}), baton);
    request.headers.Set("cookie", std::string(60'000, 'x'));
    const net::HttpResponse answer = n1().Handle(request);
    EXPECT_EQ(answer.status, 200) << answer.body;
    ASSERT_THAT(peers_.asked, SizeIs(2)) << "to the gateway, and from there to the owner";
    const net::HttpRequest& passed = peers_.asked[0];
    EXPECT_EQ(passed.target, "/v3/pipeline");
    EXPECT_EQ(passed.headers.Get("x-namespace"), "shop");
    EXPECT_TRUE(passed.headers.Has(net::kForwardedField));
    EXPECT_FALSE(passed.headers.Has("cookie"));
    EXPECT_EQ(passed.body, request.body);
    EXPECT_EQ(Count(n1()), 1);
    EXPECT_EQ(Held(n1()), 0);
  });
}

TEST_F(GatewayTest, WhatWasPassedOnIsNotPassedOnAgain) {
  WithShop("n1", [&] {
    const json::value baton = Sql(n2(), {"BEGIN", "SELECT * FROM note"});
    peers_.asked.clear();
    net::HttpRequest request = Request(Execute({"COMMIT"}), baton);
    request.headers.Set(net::kForwardedField, "1");
    ExpectBadBaton(n1().Handle(request));
    EXPECT_THAT(peers_.asked, IsEmpty());
  });
}

TEST_F(GatewayTest, ABatonOfANodeThatIsNotThereIsNone) {
  WithShop("n1", [&] {
    const std::string random = runtime::RandomId(core_);
    ExpectBadBaton(Post(n1(), {"SELECT 1"}, json::string("n7." + random + ".1." + random)));
    ExpectExpired(Post(n1(), {"SELECT 1"}, json::string("n2." + random + ".1." + random)),
                  "node n2, which held the stream, has been restarted since");
  });
}

TEST_F(GatewayTest, StoredSqlStaysHereAndItsResultsStandInTheirPlaces) {
  WithShop("n2", [&] {
    json::array requests;
    requests.push_back(json::object{{"type", "store_sql"}, {"sql_id", 1}, {"sql", "SELECT 41 + 1"}});
    requests.push_back(json::object{{"type", "execute"}, {"stmt", {{"sql_id", 1}}}});
    requests.push_back(json::object{{"type", "execute"}, {"stmt", {{"sql_id", 2}}}});
    requests.push_back(json::object{{"type", "close_sql"}, {"sql_id", 1}});
    const net::HttpResponse answer = n1().Handle(Request(requests));
    ASSERT_EQ(answer.status, 200) << answer.body;
    const json::value body = json::parse(answer.body);
    const json::array& results = body.at("results").as_array();
    ASSERT_EQ(results.size(), 4u);
    EXPECT_EQ(results[0].at("response").at("type").as_string(), "store_sql");
    EXPECT_THAT(json::serialize(results[1]), HasSubstr("\"value\":\"42\""));
    EXPECT_EQ(results[2].at("error").at("code").as_string(), "SQL_INPUT_ERROR");
    EXPECT_EQ(results[3].at("response").at("type").as_string(), "close_sql");
    EXPECT_THAT(peers_.asked, SizeIs(1));
  });
}

TEST_F(GatewayTest, APipelineWithTooManyStatementsRunsNone) {
  WithShop("n1", [&] {
    json::array steps;
    for (size_t i = 0; i <= limits::kPipelineStatements; ++i)
      steps.push_back(json::object{{"stmt", {{"sql", "INSERT INTO note VALUES('a')"}}}});
    json::array requests;
    requests.push_back(json::object{{"type", "batch"}, {"batch", {{"steps", std::move(steps)}}}});
    EXPECT_THAT(n1().Handle(Request(std::move(requests))).body, HasSubstr("PIPELINE_TOO_LONG"));
    EXPECT_EQ(Held(n1()), 0);
    EXPECT_EQ(Count(n1()), 0);
  });
}

TEST_F(GatewayTest, TheTenantIsNamedByHeaderPathOrHost) {
  WithShop("n1", [&] {
    const auto code = [&](const std::string& target, const std::string& field, const std::string& value) {
      net::HttpRequest request = Request(Execute({"SELECT * FROM note"}));
      request.target = target;
      if (!field.empty()) request.headers.Set(field, value);
      const net::HttpResponse answer = n1().Handle(request);
      const size_t at = answer.body.find("'");
      return answer.status == 200 ? std::string("ok") : answer.body.substr(at == std::string::npos ? 0 : at);
    };
    EXPECT_EQ(code("/db/shop/v3/pipeline", "", ""), "ok");
    EXPECT_EQ(code("/dev/shop/v2/pipeline", "", ""), "ok");
    EXPECT_EQ(code("/v3/pipeline", "host", "shop.n9.example"), "ok");
    EXPECT_EQ(code("/db/none/v3/pipeline", "x-namespace", "shop"), "ok");
    EXPECT_THAT(code("/v3/pipeline", "", ""), HasSubstr("default"));
    EXPECT_THAT(code("/v3/pipeline", "host", "n1.example"), HasSubstr("default"));
    EXPECT_THAT(code("/v3/pipeline", "x-namespace", "no/name"), HasSubstr("is no tenant's name"));
  });
}

TEST_F(GatewayTest, StopEndsItsStreamsAndWaitsForNobody) {
  WithShop("n2", [&] {
    const json::value baton = Sql(n1(), {"BEGIN", "INSERT INTO note VALUES('a')"});
    peers_.script = [](const NodeName&, const net::HttpRequest&) -> std::optional<net::Answer> {
      return Fail(ErrorKind::kUnavailable, "NODE_UNREACHABLE", "it is down");
    };
    runtime::TaskGroup running(core_);
    running.Spawn("waits",
                  [&] { EXPECT_THAT(Post(n1(), {"SELECT 1"}).body, HasSubstr("NODE_UNREACHABLE")); });
    runtime::SleepFor(milliseconds(100));
    const runtime::TimePoint before = core_.Now();
    n1().gateway->Stop();
    running.Join();
    EXPECT_LT(core_.Now() - before, milliseconds(100));
    EXPECT_EQ(Held(n1()), 0);
    ExpectExpired(Post(n1(), {"COMMIT"}, baton), "");
    peers_.script = nullptr;
  });
}

TEST_F(GatewayTest, CountsWhatCameAndWhatItAskedOfOthers) {
  WithShop("n2", [&] {
    const json::value baton = Sql(n2(), {"BEGIN", "SELECT * FROM note"});
    Sql(n1(), {"SELECT 1"}, baton);
    Sql(n1(), {"SELECT 1"});
    const auto samples = n1().gateway->Metrics();
    ASSERT_GE(samples.size(), 2u);
    EXPECT_EQ(samples[0].name, "tradewind_requests_total");
    EXPECT_EQ(samples[0].value, 2);
    EXPECT_EQ(samples[1].name, "tradewind_forwarded_requests_total");
    EXPECT_EQ(samples[1].value, 2) << "one passed on, one run at the owner";
  });
}

}  // namespace
}  // namespace tradewind::gateway
