// A thousand deferred transactions that read and then write, while their tenant moves there and back a hundred
// times: not one is told that it has to be run again, but those that stay open longer than a hand-over waits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/limits.h"
#include "load/hrana_client.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

class Deferred : public testing::Test {
 protected:
  Deferred() : cluster_(5, {"n1", "n2"}) {}

  void Make(int rows, int bulk_rows) {
    cluster_.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
    Run("CREATE TABLE t(id INTEGER PRIMARY KEY, n)");
    Run(
        fmt::format("INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x+1 FROM c WHERE x<{}) "
                    "SELECT x, 0 FROM c",
                    rows - 1));
    Run("CREATE TABLE bulk(id INTEGER PRIMARY KEY, v)");
    Run(fmt::format(
        "INSERT INTO bulk WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<{}) "
        "SELECT x, zeroblob(3000) FROM c",
        bulk_rows));
  }
  load::HranaClient Client(size_t node) {
    return load::HranaClient::Make(cluster_.client(), cluster_.http(), cluster_.urls()[node % 2], "shop")
        .value();
  }
  void Run(const std::string& sql) {
    const auto client = Client(0);
    load::HranaStream stream(client);
    const auto answer = stream.Execute({{sql, {}}}, /*then_close=*/true);
    if (!answer) ADD_FAILURE() << sql << ": " << Describe(answer.error());
  }
  int64_t Number(const std::string& sql) {
    const auto client = Client(1);
    load::HranaStream stream(client);
    const auto answer = stream.Execute({{sql, {}}}, /*then_close=*/true);
    if (!answer || (*answer)[0].rows.empty()) return -1;
    const auto* number = std::get_if<int64_t>(&(*answer)[0].rows[0][0]);
    return number ? *number : -1;
  }

  // Runs one; its outcome is "" or the code of what failed.
  std::string Transact(load::HranaStream& stream, int row, runtime::Duration open) {
    const auto say = [&](const std::vector<sql::Statement>& statements) -> std::string {
      const auto answer = stream.Execute(statements);
      return answer ? "" : answer.error().code;
    };
    std::string failed = say({{"BEGIN", {}}, {fmt::format("SELECT n FROM t WHERE id = {}", row), {}}});
    runtime::SleepFor(open);
    if (failed.empty()) failed = say({{fmt::format("UPDATE t SET n = n + 1 WHERE id = {}", row), {}}});
    if (failed.empty()) failed = say({{"COMMIT", {}}});
    if (!failed.empty()) {
      EXPECT_EQ(say({{"ROLLBACK", {}}}), "") << "after " << failed;
    }
    ++outcomes_[failed];
    return failed;
  }
  // SQLite's own refusal of a reader that wants to write after somebody else has.
  int Conflicts() { return outcomes_["SQLITE_BUSY"]; }
  int All() {
    int all = 0;
    for (const auto& [code, count] : outcomes_) all += count;
    return all - Conflicts();
  }
  void ExpectAllCommitted() {
    for (const auto& [code, count] : outcomes_)
      if (!code.empty() && code != "SQLITE_BUSY") ADD_FAILURE() << count << " times " << code;
    EXPECT_EQ(Number("SELECT sum(n) FROM t"), outcomes_[""]);
  }

  Cluster cluster_;
  std::map<std::string, int> outcomes_;
};

struct Shape {
  const char* name;
  int bulk_rows;  // Small tenants go at once, others have a dual phase.
  const char* method;
  bool cancels;
};

class Transactions : public Deferred, public testing::WithParamInterface<Shape> {};

TEST_P(Transactions, DoNotFailInAHundredMoves) {
  const Shape& shape = GetParam();
  std::vector<double> quiet_ms;
  cluster_.InClient([&] {
    Make(5, shape.bulk_rows);
    bool stop = false;
    runtime::TaskGroup group(cluster_.client());
    for (int client = 0; client < 5; ++client)
      group.Spawn("client", [&, client] {
        const auto to = Client(static_cast<size_t>(client));
        load::HranaStream stream(to);
        for (int64_t turn = client; !stop; ++turn) {
          Transact(stream, client, 1ms * (turn * 37 % 200));
          runtime::SleepFor(1ms * (turn * 13 % 20));
        }
      });
    for (int move = 0; move < 100 && !HasFailure(); ++move) {
      const auto owner = cluster_.Call("n1", "GET", "/v1/tenants/shop").at("owner").as_string();
      const json::object request{{"tenant", "shop"},
                                 {"to", owner == "n1" ? "n2" : "n1"},
                                 {"method", shape.method},
                                 {"rate_bytes_per_s", shape.cancels ? 1'000'000 : 0}};
      const std::string id(
          cluster_.Call("n1", "POST", "/v1/moves", json::serialize(request)).at("id").as_string());
      if (shape.cancels) {
        while (cluster_.Call("n1", "GET", "/v1/moves/" + id).at("phase").as_string() == "init")
          runtime::SleepFor(5ms);
        cluster_.TryCall("n1", "POST", "/v1/moves/" + id + "/cancel");
      }
      const auto receipt = cluster_.AwaitMove(id);
      if (!receipt.at("quiet_ms").is_null()) quiet_ms.push_back(receipt.at("quiet_ms").to_number<double>());
      const int all = All();
      while (All() < std::max(all, 10 * (move + 1))) runtime::SleepFor(5ms);
    }
    stop = true;
    group.Join();
    EXPECT_GE(All(), 1000);
    ExpectAllCommitted();
  });
  std::sort(quiet_ms.begin(), quiet_ms.end());
  ASSERT_FALSE(quiet_ms.empty());
  EXPECT_LE(quiet_ms.back(), 600) << "the longest is open for 200 ms, and new ones wait after 250 ms";
}

INSTANTIATE_TEST_SUITE_P(Simulated, Transactions,
                         testing::Values(Shape{"Large", 1000, "zephyr", false},
                                         Shape{"Small", 10, "zephyr", false},
                                         Shape{"StopAndCopy", 300, "stop-and-copy", false},
                                         Shape{"ThereAndBackByACancel", 1000, "zephyr", true}),
                         [](const auto& shape) { return std::string(shape.param.name); });

TEST_F(Deferred, OneThatStaysOpenIsToldThatItIsOverAndTheMoveGoesOn) {
  cluster_.InClient([&] {
    Make(5, 1000);
    const auto client = Client(0);
    load::HranaStream stream(client);
    ASSERT_TRUE(stream.Execute({{"BEGIN", {}}, {"SELECT n FROM t WHERE id = 0", {}}}));
    const std::string id = cluster_.StartMove("shop", "n2");
    runtime::SleepFor(tenant::kQuietWait + limits::kOpenWriterGrace + 2s);
    EXPECT_EQ(cluster_.Call("n1", "GET", "/v1/tenants/shop").at("owner").as_string(), "n2");
    const auto updated = stream.Execute({{"UPDATE t SET n = n + 1 WHERE id = 0", {}}});
    const auto committed = updated ? stream.Execute({{"COMMIT", {}}}) : updated;
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, "SQLITE_BUSY_SNAPSHOT") << Describe(committed.error());
    const auto rolled_back = stream.Execute({{"ROLLBACK", {}}});
    EXPECT_TRUE(rolled_back) << Describe(rolled_back.error());
    EXPECT_EQ(Transact(stream, 0, 1ms), "") << "run again, at the new owner";
    const auto receipt = cluster_.AwaitMove(id);
    EXPECT_EQ(receipt.at("phase").as_string(), "done");
    EXPECT_EQ(receipt.at("aborted").to_number<int>(), 1);
    EXPECT_GE(receipt.at("quiet_ms").to_number<double>(), 2250);
    EXPECT_EQ(Number("SELECT sum(n) FROM t"), 1);
  });
}

TEST_F(Deferred, AMoveOfATenantThatNobodyWritesToDoesNotWait) {
  cluster_.InClient([&] {
    Make(5, 10);
    const auto client = Client(0);
    load::HranaStream reader(client);
    ASSERT_TRUE(reader.Execute({{"BEGIN TRANSACTION READONLY", {}}, {"SELECT n FROM t WHERE id = 0", {}}}));
    load::HranaStream begun(client);
    ASSERT_TRUE(begun.Execute({{"BEGIN", {}}}));
    const std::string id = cluster_.StartMove("shop", "n2");
    while (cluster_.Call("n1", "GET", "/v1/tenants/shop").at("owner").as_string() != "n2")
      runtime::SleepFor(1ms);
    EXPECT_TRUE(reader.Execute({{"SELECT n FROM t WHERE id = 1", {}}})) << "it reads on where it is";
    EXPECT_TRUE(begun.Execute({{"UPDATE t SET n = n + 1 WHERE id = 0", {}}, {"COMMIT", {}}}));
    EXPECT_TRUE(reader.Execute({{"COMMIT", {}}}, /*then_close=*/true));
    const auto receipt = cluster_.AwaitMove(id);
    EXPECT_LT(receipt.at("quiet_ms").to_number<double>(), 1);
  });
}

}  // namespace
}  // namespace tradewind::sim
