// A statement that would run for a minute keeps no node waiting: neither a hand-over, nor DELETE, nor the end of
// a node.
#include <gtest/gtest.h>

#include "admin/tenant_maker.h"
#include "base/limits.h"
#include "net/url.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using namespace std::chrono_literals;

constexpr char kEndless[] =
    R"({"requests":[{"type":"execute","stmt":{"sql":"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"}}]})";
constexpr char kBegin[] =
    R"({"requests":[{"type":"execute","stmt":{"sql":"BEGIN IMMEDIATE"}},{"type":"execute","stmt":{"sql":"CREATE TABLE t AS SELECT 1 AS v"}}]})";
constexpr char kOne[] = R"({"requests":[{"type":"execute","stmt":{"sql":"SELECT 1"}},{"type":"close"}]})";
constexpr char kPipeline[] = "/db/shop/v2/pipeline";

class EndingTest : public TwoNodes {
 protected:
  // What would wait for a statement waits twice as long.
  static constexpr runtime::Duration kSoon = limits::kStatementTime / 2;

  // A request whose answer may also be a connection that is closed.
  void SendInBackground(runtime::TaskGroup& group, Node& node, std::string body) {
    const std::string url = node.url() + kPipeline;
    group.Spawn("client", [this, url, body = std::move(body)] {
      net::HttpRequest request;
      request.method = "POST";
      request.body = body;
      answers_.push_back(client_->Call(url, std::move(request), core_->Now() + 60s));
    });
  }
  static void AwaitStatement(Node& node) {
    Await([&] {
      const auto use = node.parts().tenants().Find("shop");
      return use && (*use)->open_transactions() > 0;
    });
  }
  static runtime::Address AddressOf(Node& node) { return catalog::Need(net::ParseUrl(node.url())).address; }
  runtime::Duration TimeOf(const std::function<void()>& what) {
    const runtime::TimePoint began = core_->Now();
    what();
    return core_->Now() - began;
  }
  std::vector<Result<net::HttpResponse>> answers_;
};

TEST_F(EndingTest, AStatementThatReadsNoTableKeepsNoHandOverWaiting) {
  WithNodes([&] {
    catalog::Need(n1_->maker().Create("shop", ""));
    runtime::TaskGroup group(*core_);
    SendInBackground(group, *n1_, kEndless);
    AwaitStatement(*n1_);
    Json(202, Call(*n1_, "POST", "/v1/moves", R"({"tenant":"shop","to":"n2"})"));
    EXPECT_LT(TimeOf([&] {
                Await([&] { return n2_->parts().tenants().Has("shop"); });
                const auto answer = Call(*n1_, "POST", kPipeline, kOne);
                EXPECT_EQ(answer.status, 200);
                EXPECT_NE(answer.body.find("\"value\":\"1\""), std::string::npos) << answer.body;
              }),
              kSoon);
    EXPECT_TRUE(answers_.empty());  // It goes on at the source.
    EXPECT_LT(TimeOf([&] { Stop(n1_); }), kSoon);
    group.Join();
  });
}

TEST_F(EndingTest, ATenantIsDeletedSoonWhateverIsOpenInIt) {
  WithNodes([&] {
    catalog::Need(n1_->maker().Create("shop", ""));
    runtime::TaskGroup group(*core_);
    Json(200, Call(*n1_, "POST", kPipeline, kBegin));  // Stays open.
    for (int client = 0; client < 3; ++client) SendInBackground(group, *n1_, kEndless);
    SendInBackground(group, *n2_, kEndless);
    SendInBackground(group, *n2_, kBegin);  // Waits for the turn.
    Await([&] { return n1_->parts().tenants().Find("shop").value()->stream_count() == 6; });
    EXPECT_LT(TimeOf([&] { EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/shop").status, 204); }), kSoon);
    group.Join();
    EXPECT_EQ(answers_.size(), 5u);
    for (const auto& answer : answers_) {
      ASSERT_TRUE(answer);
      EXPECT_TRUE(answer->body.find("error") != std::string::npos) << answer->body;
      // Nor has any bound of its own ended it: on the time of a statement, on the wait for the turn, on who has that.
      for (const char* code : {"STATEMENT_TIMEOUT", "SQLITE_BUSY"})
        EXPECT_EQ(answer->body.find(code), std::string::npos) << answer->body;
    }
    // The name is free again.
    EXPECT_TRUE(n1_->maker().Create("shop", ""));
  });
}

TEST_F(EndingTest, ANodeEndsSoonWhateverItsClientsAndItsCallsToOthersWaitFor) {
  WithNodes([&] {
    catalog::Need(n1_->maker().Create("shop", ""));
    runtime::TaskGroup group(*core_);
    SendInBackground(group, *n2_, kEndless);  // n2 waits for n1.
    AwaitStatement(*n1_);
    EXPECT_LT(TimeOf([&] { Stop(n2_); }), kSoon);
    SendInBackground(group, *n1_, kEndless);
    Json(200, Call(*n1_, "POST", kPipeline, kBegin));
    EXPECT_LT(TimeOf([&] { Stop(n1_); }), kSoon);
    group.Join();
    EXPECT_EQ(answers_.size(), 2u);
  });
}

std::string Execute(const std::string& sql) {
  return "{\"type\":\"execute\",\"stmt\":{\"sql\":\"" + sql + "\"}}";
}

std::string Pipeline(const std::string& requests) {
  return "{\"requests\":[" + requests + "]}";
}

TEST_F(EndingTest, AClientThatGoesTakesItsStatementItsTransactionAndTheWriteTurnWithIt) {
  WithNodes([&] {
    const std::string close = R"({"type":"close"})";
    catalog::Need(n1_->maker().Create("shop", ""));
    Json(200, Call(*n1_, "POST", kPipeline, Pipeline(Execute("CREATE TABLE t (v)") + "," + close)));
    const std::string endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) ";
    const std::string read = endless + "SELECT count(*) FROM n, t";
    const std::string write = "INSERT INTO t VALUES (7)";
    const std::string then_write = "," + Execute(write);
    const std::string pipelines[] = {
        Execute("BEGIN IMMEDIATE") + then_write + "," + Execute(read) + then_write,
        Execute("INSERT INTO t " + endless + "SELECT 1 FROM n WHERE i < 0") + then_write,
        R"({"type":"batch","batch":{"steps":[{"stmt":{"sql":"BEGIN IMMEDIATE"}},{"stmt":{"sql":")" + write +
            R"("}},{"stmt":{"sql":")" + read + R"("}},{"stmt":{"sql":"COMMIT"}}]}})" + then_write,
        R"({"type":"sequence","sql":"BEGIN IMMEDIATE; )" + write + ";" + read + ";" + write + ";COMMIT;" +
            write + "\"}" + then_write,
    };
    for (Node* gateway : {n1_.get(), n2_.get()})
      for (const std::string& pipeline : pipelines) {
        SCOPED_TRACE(gateway->parts().self() + " " + pipeline);
        auto client = catalog::Need(core_->network().Connect(AddressOf(*gateway), core_->Now() + 10s));
        const std::string body = Pipeline(pipeline);
        const std::string request =
            std::string("POST ") + kPipeline +
            " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        catalog::Need(client->Write(std::as_bytes(std::span(request))));
        AwaitStatement(*n1_);
        const auto tenant = n1_->parts().tenants().Find("shop");
        Await([&] { return (*tenant)->turn().holder() != nullptr; });
        client->Close();
        // While nobody else wants the turn only the time of its statement would end it.
        EXPECT_LT(TimeOf([&] { Await([&] { return (*tenant)->turn().holder() == nullptr; }); }), kSoon);
        Await([&] { return (*tenant)->stream_count() == 0; });
        EXPECT_EQ((*tenant)->open_transactions(), 0u);
        // Others get the turn, and find nothing of it.
        const auto answer = Call(*n2_, "POST", kPipeline,
                                 Pipeline(Execute("DELETE FROM t WHERE v = 1") + "," +
                                          Execute("SELECT count(*) FROM t") + "," + close));
        EXPECT_NE(answer.body.find("\"value\":\"0\""), std::string::npos) << answer.body;
      }
  });
}

TEST_F(EndingTest, AClientThatGoesBetweenItsRequestsMayComeBackWithItsBaton) {
  WithNodes([&] {
    catalog::Need(n1_->maker().Create("shop", ""));
    for (Node* gateway : {n1_.get(), n2_.get()}) {
      const auto begun = Json(200, Call(*gateway, "POST", kPipeline, kBegin));
      const std::string baton = boost::json::value_to<std::string>(begun.at("baton"));
      client_->Close();
      client_ = std::make_unique<net::HttpClient>(*core_);
      runtime::SleepFor(5 * limits::kCallerLook);
      const auto answer = Call(*gateway, "POST", kPipeline,
                               "{\"baton\":\"" + baton + "\",\"requests\":[" + Execute("ROLLBACK") + "]}");
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.body.find("error"), std::string::npos) << answer.body;
    }
  });
}

}  // namespace
}  // namespace tradewind::node
