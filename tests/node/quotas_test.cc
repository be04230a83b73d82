// What a tenant may have of its node: said by an administrator, held where the tenant is, taken along by a move, and there
// again after a restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "runtime/fiber.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

class QuotasTest : public TwoNodes {
 protected:
  void MakeShop() {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})"));
    EXPECT_EQ(Run(*n1_, "CREATE TABLE t(x)"), "ok");
  }
  void Set(const std::string& quotas) {
    Json(200, Call(*n1_, "PATCH", "/v1/tenants/shop", R"({"quotas":)" + quotas + "}"));
  }
  net::HttpResponse Pipeline(Node& node, const std::string& sql) {
    const json::object body{
        {"requests", json::array{json::object{{"type", "execute"}, {"stmt", {{"sql", sql}}}},
                                 json::object{{"type", "close"}}}}};
    return Call(node, "POST", "/db/shop/v3/pipeline", json::serialize(body));
  }
  // "ok", the code of the statement's error, or that of the request's behind its status.
  std::string Run(Node& node, const std::string& sql) {
    const net::HttpResponse response = Pipeline(node, sql);
    const json::value answer = json::parse(response.body);
    if (response.status != 200)
      return std::to_string(response.status) + " " + json::value_to<std::string>(answer.at("code"));
    const json::value& result = answer.at("results").at(0);
    return result.at("type") == "ok" ? "ok" : json::value_to<std::string>(result.at("error").at("code"));
  }
  void MoveTo(const NodeName& to) {
    Json(202, Call(*n1_, "POST", "/v1/moves", R"({"tenant":"shop","to":")" + to + R"("})"));
    Await([&] {
      const json::value tenant = Json(200, Call(*n1_, "GET", "/v1/tenants/shop"));
      return (tenant.at("owner").as_string() == std::string_view(to) && tenant.at("state") == "serving") ||
             HasFailure();
    });
  }
  static constexpr const char* kFill = "INSERT INTO t VALUES(zeroblob(40000))";
  static constexpr const char* kEndless =
      "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c";
};

TEST_F(QuotasTest, ACommitThatWouldMakeATenantTooLargeIsRefusedAndOthersAreNot) {
  WithNodes([&] {
    MakeShop();
    Set(R"({"size_bytes":100000})");
    for (Node* const node : {n1_.get(), n2_.get()}) EXPECT_EQ(Run(*node, kFill), "ok");
    const net::HttpResponse full = Pipeline(*n2_, kFill);
    EXPECT_THAT(full.body, HasSubstr("SQLITE_FULL"));
    EXPECT_THAT(full.body, HasSubstr("--quota-size")) << "it says what to do";
    EXPECT_EQ(Run(*n1_, "SELECT count(*) FROM t"), "ok");
    EXPECT_EQ(Run(*n1_, "DELETE FROM t WHERE rowid = 1"), "ok");
    EXPECT_EQ(Run(*n1_, kFill), "ok") << "there is room again";
    EXPECT_EQ(Run(*n1_, kFill), "SQLITE_FULL");
    Set(R"({"size_bytes":70000})");
    EXPECT_EQ(Run(*n1_, "DELETE FROM t"), "ok") << "also where it is larger than it may be by now";
    Set(R"({"size_bytes":null})");
    for (int i = 0; i < 4; ++i) EXPECT_EQ(Run(*n1_, kFill), "ok");
  });
}

TEST_F(QuotasTest, AStatementThatRunsForTooLongOrTakesTooMuchMemoryIsEnded) {
  WithNodes([&] {
    MakeShop();
    Set(R"({"statement_ms":20,"memory_bytes":4194304})");
    EXPECT_EQ(Run(*n1_, kEndless), "STATEMENT_TIMEOUT");
    Set(R"({"statement_ms":null})");
    const net::HttpResponse large =
        Pipeline(*n2_,
                 "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1000) "
                 "SELECT length(group_concat(hex(zeroblob(10000)))) FROM c");
    EXPECT_THAT(large.body, HasSubstr("SQLITE_NOMEM"));
    EXPECT_THAT(large.body, HasSubstr("--quota-memory"));
    EXPECT_EQ(Run(*n1_, "SELECT 1"), "ok");
  });
}

TEST_F(QuotasTest, RequestsBeyondThoseOfASecondAreToldToComeAgain) {
  WithNodes([&] {
    MakeShop();
    Set(R"({"requests_per_s":2})");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(Run(*n1_, "SELECT 1"), "ok");
    net::HttpResponse refused;
    Await([&] { return (refused = Pipeline(*n2_, "SELECT 1")).status != 200; });
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.headers.Get("retry-after"), "1");
    EXPECT_THAT(refused.body, HasSubstr("TOO_MANY_REQUESTS"));
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"blog","node":"n1"})"));
    Await([&] { return Run(*n1_, "SELECT 1") == "ok"; });
  });
}

TEST_F(QuotasTest, ATenantThatWantsMoreThanItsPartOfTheCoreWaitsAndItsNeighbourDoesNot) {
  WithNodes([&] {
    MakeShop();
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"blog","node":"n1"})"));
    Set(R"({"cpu_percent":1})");
    // Some milliseconds of the core each, which take it a hundred times as long.
    const std::string counts =
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100000) SELECT max(n) FROM c";
    net::HttpResponse refused;
    size_t done = 0;
    runtime::TaskGroup clients(*core_);
    for (int i = 0; i < 100; ++i)
      clients.Spawn("client", [&, i] {
        net::HttpResponse answer = Pipeline(i % 2 == 0 ? *n1_ : *n2_, counts);
        if (answer.status == 429)
          refused = std::move(answer);
        else
          ++done;
      });
    Await([&] { return refused.status == 429; });
    EXPECT_EQ(refused.headers.Get("retry-after"), "1");
    EXPECT_THAT(refused.body, HasSubstr("TOO_MANY_REQUESTS"));
    EXPECT_THAT(refused.body, HasSubstr("--quota-cpu"));
    EXPECT_LT(done, 100u);
    const net::HttpResponse of_neighbour =
        Call(*n2_, "POST", "/db/blog/v3/pipeline",
             R"({"requests":[{"type":"execute","stmt":{"sql":"SELECT 'its turn'"}}]})");
    EXPECT_THAT(of_neighbour.body, HasSubstr("its turn"));
    Set(R"({"cpu_percent":null})");
    clients.Join();
    EXPECT_GT(done, 0u) << "those that waited go on";
  });
}

TEST_F(QuotasTest, TravelWithATenantAndAreThereAfterARestart) {
  WithNodes([&] {
    MakeShop();
    Set(R"({"statement_ms":20})");
    MoveTo("n2");
    Await([&] { return n2_->parts().tenants().QuotasOf("shop").statement_ms == 20u; });
    EXPECT_EQ(Run(*n1_, kEndless), "STATEMENT_TIMEOUT");
    Stop(n2_);
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    Await([&] { return n2_->parts().tenants().QuotasOf("shop").statement_ms == 20u; });
    EXPECT_EQ(Run(*n1_, kEndless), "STATEMENT_TIMEOUT");
    EXPECT_EQ(Json(200, Call(*n1_, "GET", "/v1/tenants/shop")).at("quotas"),
              json::value({{"statement_ms", 20}}));
  });
}

TEST_F(QuotasTest, OfTheNodeCountForTenantsThatHaveNoneOfTheirOwn) {
  quotas_.statement_ms =
      1'000;  // Enough for any other statement, though others have the processor meanwhile.
  WithNodes([&] {
    MakeShop();
    EXPECT_EQ(Run(*n2_, kEndless), "STATEMENT_TIMEOUT");
    Set(R"({"size_bytes":100000})");
    EXPECT_EQ(Run(*n2_, kEndless), "STATEMENT_TIMEOUT") << "it still has none of that kind";
    EXPECT_EQ(n1_->parts().tenants().QuotasOf("shop").size_bytes, 100'000u);
    EXPECT_EQ(n1_->parts().tenants().QuotasOf("other").size_bytes, 0u);
  });
}

TEST_F(QuotasTest, ThatAreNoneAreRefusedWithWhatToDo) {
  WithNodes([&] {
    MakeShop();
    const auto refusal = [&](const std::string& quotas) {
      return CodeOf(400, Call(*n2_, "PATCH", "/v1/tenants/shop", R"({"quotas":)" + quotas + "}"));
    };
    EXPECT_EQ(refusal(R"({"size":100000})"), "QUOTA_INVALID");
    EXPECT_EQ(refusal(R"({"size_bytes":100})"), "QUOTA_INVALID");
    EXPECT_EQ(refusal(R"({"cpu_percent":101})"), "QUOTA_INVALID");
    EXPECT_EQ(refusal(R"({"streams":-1})"), "FIELD_INVALID");
    EXPECT_EQ(refusal(R"("many")"), "FIELD_INVALID");
    EXPECT_EQ(Json(200, Call(*n1_, "GET", "/v1/tenants/shop")).at("quotas"), json::value(json::object()));
  });
}

}  // namespace
}  // namespace tradewind::node
