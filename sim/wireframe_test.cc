// In which order the pages of a tenant with a large wireframe go to the other node.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "base/limits.h"
#include "load/hrana_client.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr uint32_t kPageBytes = 4096;

uint64_t PagesOf(const json::object& receipt, const char* kind) {
  return receipt.at("pages").at(kind).to_number<uint64_t>();
}

// Keys so wide that an inner page has a handful of children.
void Fill(Cluster& cluster) {
  cluster.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
  const auto client =
      load::HranaClient::Make(cluster.client(), cluster.http(), cluster.urls().front(), "shop").value();
  load::HranaStream stream(client);
  const auto made =
      stream.Execute({{"CREATE TABLE t(k TEXT PRIMARY KEY) WITHOUT ROWID", {}},
                      {"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<15000) "
                       "INSERT INTO t SELECT printf('%0900d', x) FROM c",
                       {}}},
                     /*then_close=*/true);
  ASSERT_TRUE(made) << Describe(made.error());
}

TEST(OrderOfPages, TheRestOfALargeWireframeFollowsTheHandOverAtOnceAndBeforeAllElse) {
  Cluster cluster(1, {"n1", "n2"});
  cluster.InClient([&] {
    Fill(cluster);
    const std::string id = cluster.StartMove("shop", "n2", 50'000);
    const auto top = limits::kWireframeTopBytes / kPageBytes;
    const auto show = [&] { return cluster.Call("n1", "GET", "/v1/moves/" + id).as_object(); };
    uint64_t before = 0;
    json::object receipt = show();
    for (; receipt.at("phase").as_string() == "init" || receipt.at("phase").as_string() == "handover";
         receipt = show())
      before = PagesOf(receipt, "wireframe");
    EXPECT_GT(before, 0u);
    EXPECT_LE(before, top);
    while (PagesOf(receipt, "pushed") == 0) {
      runtime::SleepFor(5ms);
      receipt = show();
    }
    EXPECT_EQ(receipt.at("phase").as_string(), "finish");
    EXPECT_GT(PagesOf(receipt, "wireframe"), 2 * top);
    EXPECT_LT(PagesOf(receipt, "wireframe"), PagesOf(receipt, "total") / 2);
    cluster.Call("n1", "PATCH", "/v1/moves/" + id, R"({"rate_bytes_per_s":0})");
    const auto end = cluster.AwaitMove(id);
    EXPECT_TRUE(end.at("verified").as_bool());
    EXPECT_EQ(PagesOf(end, "wireframe"), PagesOf(receipt, "wireframe")) << "none is left for later";
  });
}

TEST(OrderOfPages, WhatWasUsedLatelyGoesNextSoThatItIsNotPulled) {
  Cluster cluster(1, {"n1", "n2"});
  cluster.InClient([&] {
    cluster.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
    const auto run = [&](const std::string& sql) {
      const auto client =
          load::HranaClient::Make(cluster.client(), cluster.http(), cluster.urls().front(), "shop").value();
      load::HranaStream stream(client);
      const auto answer = stream.Execute({{sql, {}}}, /*then_close=*/true);
      ASSERT_TRUE(answer) << Describe(answer.error());
    };
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    for (int part = 0; part < 9; ++part)
      run(
          fmt::format("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<500) "
                      "INSERT INTO t SELECT x + {}, zeroblob(4000) FROM c",
                      part * 500));
    const std::string used = "SELECT count(v) FROM t WHERE id BETWEEN 100 AND 200";
    runtime::SleepFor(
        5s);  // Until a checkpoint has copied the WAL: only what is read from the file counts as used.
    run(used);
    const std::string id = cluster.StartMove("shop", "n2", 400'000);
    const auto show = [&] { return cluster.Call("n1", "GET", "/v1/moves/" + id).as_object(); };
    while (PagesOf(show(), "pushed") < 150) runtime::SleepFor(5ms);
    run(used);
    const auto receipt = show();
    EXPECT_EQ(receipt.at("phase").as_string(), "finish");
    EXPECT_EQ(PagesOf(receipt, "pulled"), 0u);
    run("SELECT count(v) FROM t WHERE id BETWEEN 2000 AND 2100");
    EXPECT_GT(PagesOf(show(), "pulled"), 0u) << "what was not used would be";
    cluster.Call("n1", "PATCH", "/v1/moves/" + id, R"({"rate_bytes_per_s":0})");
    EXPECT_TRUE(cluster.AwaitMove(id).at("verified").as_bool());
  });
}

}  // namespace
}  // namespace tradewind::sim
