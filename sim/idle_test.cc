// Many tenants on nodes that may have few of them open: they close and open again under requests, transactions
// over several requests, moves; and nodes are killed and lose power meanwhile. No
// request fails for it, and what was acknowledged is there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "load/hrana_client.h"
#include "runtime/fiber.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

constexpr int kTenants = 10;
constexpr int kClients = 6;

struct Story {
  uint64_t seed = 1;
  NodeBounds bounds;
  bool with_moves = false;
  bool with_crashes = false;
};

class Crowd {
 public:
  explicit Crowd(const Story& story)
      : story_(story), cluster_(story.seed, {"n1", "n2"}, story.bounds), clients_(cluster_.client()) {}

  void Play() {
    cluster_.InClient([&] { MakeTenants(); });
    if (testing::Test::HasFailure()) return;
    cluster_.InClient([&] {
      for (int client = 0; client < kClients; ++client)
        clients_.Spawn("client", [this, client] { RunClient(client); });
      if (story_.with_moves) clients_.Spawn("moves", [this] { MoveOn(); });
      if (!story_.with_crashes) clients_.Join();
    });
    for (int crash = 0; story_.with_crashes && crash < 4; ++crash) {
      Pass(Dice(20, 600));
      const std::string victim = Dice(0, 1) ? "n1" : "n2";
      cluster_.TakeDown(victim, Dice(0, 1));
      Pass(Dice(10, 1500));
      cluster_.BringBack();
    }
    cluster_.InClient([&] {
      stop_ = story_.with_crashes;
      clients_.Join();
      Check();
    });
    if (!story_.with_crashes) CheckCounters();
  }

 private:
  uint64_t Dice(uint64_t from, uint64_t to) { return cluster_.world().random().Between(from, to); }
  void Pass(uint64_t ms) {
    cluster_.world().RunUntil([] { return false; }, std::chrono::milliseconds(ms));
  }
  static std::string NameOf(uint64_t number) { return "t" + std::to_string(number); }
  std::string AnyUrl() { return Dice(0, 1) ? "http://n1:8080" : "http://n2:8080"; }

  load::HranaClient ClientOf(const std::string& tenant) {
    auto client = load::HranaClient::Make(cluster_.client(), cluster_.http(), AnyUrl(), tenant);
    EXPECT_TRUE(client);
    client->set_timeout(60s);
    return *client;
  }

  void MakeTenants() {
    for (int number = 0; number < kTenants; ++number) {
      cluster_.Call(number % 2 ? "n1" : "n2", "POST", "/v1/tenants", R"({"name":")" + NameOf(number) + "\"}");
      const auto client = ClientOf(NameOf(number));
      load::HranaStream stream(client);
      const auto made = stream.Execute({{.sql = "CREATE TABLE r (id TEXT PRIMARY KEY)"}}, true);
      EXPECT_TRUE(made) << Describe(made.error());
    }
  }

  void RunClient(int client) {
    for (int turn = 0; turn < 60 || (story_.with_crashes && !stop_); ++turn) {
      const std::string tenant = NameOf(Dice(0, kTenants - 1));
      const std::string id = fmt::format("{}-{}", client, turn);
      // A move may end a transaction that is kept open for long; here each request counts.
      const Result<void> done =
          Dice(0, 3) == 0 && !story_.with_moves ? InsertInThreeRequests(tenant, id) : Insert(tenant, id);
      if (done)
        acknowledged_[tenant].insert(id);
      else if (!story_.with_crashes)
        ADD_FAILURE() << tenant << ": " << Describe(done.error());
      runtime::SleepFor(std::chrono::milliseconds(Dice(0, 10)));
    }
  }

  Result<void> Insert(const std::string& tenant, const std::string& id) {
    const auto client = ClientOf(tenant);
    load::HranaStream stream(client);
    TW_TRY(stream.Execute({{.sql = "INSERT INTO r VALUES ('" + id + "')"}, {.sql = "SELECT count(*) FROM r"}},
                          true));
    return {};
  }

  Result<void> InsertInThreeRequests(const std::string& tenant, const std::string& id) {
    const auto client = ClientOf(tenant);
    load::HranaStream stream(client);
    TW_TRY(stream.Execute({{.sql = "BEGIN IMMEDIATE"}}));
    runtime::SleepFor(std::chrono::milliseconds(Dice(0, 30)));
    TW_TRY(stream.Execute({{.sql = "INSERT INTO r VALUES ('" + id + "')"}}));
    runtime::SleepFor(std::chrono::milliseconds(Dice(0, 30)));
    TW_TRY(stream.Execute({{.sql = "COMMIT"}}, true));
    return {};
  }

  void MoveOn() {
    for (int moves = 0; moves < 12 && !stop_; ++moves) {
      const std::string tenant = NameOf(Dice(0, kTenants - 1));
      const std::string to = Dice(0, 1) ? "n1" : "n2";
      cluster_.TryCall(to, "POST", "/v1/moves", R"({"tenant":")" + tenant + R"(","to":")" + to + "\"}");
      runtime::SleepFor(std::chrono::milliseconds(Dice(0, 100)));
    }
  }

  void Check() {
    for (int number = 0; number < kTenants; ++number) {
      const std::string tenant = NameOf(number);
      const auto client = ClientOf(tenant);
      Result<std::vector<load::StatementResult>> rows;
      for (int tries = 0; tries < 20; ++tries) {
        load::HranaStream stream(client);
        rows = stream.Execute({{.sql = "PRAGMA integrity_check"}, {.sql = "SELECT id FROM r"}}, true);
        if (rows) break;
        runtime::SleepFor(1s);
      }
      ASSERT_TRUE(rows) << tenant << ": " << Describe(rows.error());
      std::set<std::string> there;
      for (const auto& row : rows->at(1).rows) there.insert(std::get<std::string>(row.at(0)));
      for (const std::string& id : acknowledged_[tenant])
        EXPECT_TRUE(there.contains(id)) << tenant << " has lost " << id;
    }
  }

  void CheckCounters() {
    for (const char* host : {"n1", "n2"})
      cluster_.InNode(host, [&](node::Node& node) {
        EXPECT_GT(node.parts().tenants().counters().closings, 20u) << host;
        EXPECT_LE(node.parts().tenants().open_count(), node.parts().tenants().most_open() + 2) << host;
      });
  }

  const Story story_;
  Cluster cluster_;
  runtime::TaskGroup clients_;
  std::map<std::string, std::set<std::string>> acknowledged_;
  bool stop_ = false;
};

void PlaySeeds(Story story, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    story.seed = seed;
    Crowd(story).Play();
  }
}

TEST(IdleTenants, CloseAndOpenAgainWithoutAnyoneNoticing) {
  PlaySeeds({.bounds = {.open_tenants = 2}}, 5);
}

TEST(IdleTenants, CloseAndOpenAgainWhileTheyMove) {
  PlaySeeds({.bounds = {.open_tenants = 2}, .with_moves = true}, 5);
}

TEST(IdleTenants, LoseNothingWhenNodesAreKilledOrLosePower) {
  PlaySeeds({.bounds = {.open_tenants = 2}, .with_moves = true, .with_crashes = true}, 8);
}

TEST(IdleTenants, AreServedByNodesThatLackFileDescriptors) {
  PlaySeeds({.bounds = {.open_tenants = 100, .descriptors = 9}}, 5);
}

TEST(IdleTenants, MoveBetweenNodesThatLackFileDescriptors) {
  PlaySeeds({.bounds = {.open_tenants = 100, .descriptors = 12}, .with_moves = true, .with_crashes = true},
            5);
}

}  // namespace
}  // namespace tradewind::sim
