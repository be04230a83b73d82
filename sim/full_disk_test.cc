// Disks that fill and empty at random moments while a tenant in use moves there and back and others are made
// and deleted. Nothing that was acknowledged is lost, and once there is room all goes on by itself: no node is
// restarted.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "load/bank.h"
#include "move/step.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kAmple = uint64_t{1} << 40;

class FullDisks {
 public:
  explicit FullDisks(uint64_t seed) : seed_(seed), cluster_(seed, {"n1", "n2"}) {}

  void Play() {
    cluster_.InClient([&] {
      load::BankOptions options;
      options.accounts = 40;
      options.entry_bytes = 600'000;
      options.seed = seed_;
      options.pause = 5ms;
      const auto bank = cluster_.OpenBank(options);
      runtime::TaskGroup fibers(cluster_.client());
      fibers.Spawn("disks", [&] { FillAndEmpty(); });
      fibers.Spawn("moves", [&] { MoveOn(); });
      fibers.Spawn("creates", [&] { CreateAndDelete(); });
      fibers.Join();
      EXPECT_GT(refused_, 0) << "the disks were never in the way";
      cluster_.AwaitUse(*bank);
      ExpectThatMovesEnd();
      cluster_.AwaitUse(*bank);
      bank->Stop();
      cluster_.ExpectNothingLost(*bank, 6);
      ExpectThatTenantsAreAsAcknowledged();
    });
    for (const auto& [name, exists] : acknowledged_)
      if (exists) ExpectServed(name);
  }

 private:
  Random& random() { return cluster_.world().random(); }

  bool Delete(const std::string& tenant) {
    net::HttpRequest request;
    request.method = "DELETE";
    const auto answer =
        cluster_.http().Call("http://n1:8080/v1/tenants/" + tenant, request, cluster_.client().Now() + 30s);
    return answer && answer->status < 300;
  }

  // With a few pages' worth of room, or none.
  void FillAndEmpty() {
    for (int round = 0; round < 15; ++round) {
      const std::string host = random().OneIn(2) ? "n1" : "n2";
      const uint64_t used = kAmple - cluster_.world().CoreOf(host).disk().FreeBytes("/data").value();
      cluster_.world().SetDiskCapacity(host, used + (random().OneIn(2) ? 0 : random().Between(0, 60'000)));
      runtime::SleepFor(std::chrono::milliseconds(random().Between(10, 1500)));
      cluster_.world().SetDiskCapacity(host, kAmple);
      runtime::SleepFor(std::chrono::milliseconds(random().Between(1, 400)));
    }
    over_ = true;
  }

  void MoveOn() {
    while (!over_) {
      const std::string to = random().OneIn(2) ? "n1" : "n2";
      const std::string request = fmt::format(R"({{"tenant":"shop","to":"{}"}})", to);
      const auto started = cluster_.TryCall("n1", "POST", "/v1/moves", request);
      runtime::SleepFor(std::chrono::milliseconds(random().Between(1, 300)));
      if (!started) ++refused_;
      if (started && random().OneIn(4))
        static_cast<void>(cluster_.TryCall(
            "n1", "POST", "/v1/moves/" + std::string(started->at("id").as_string()) + "/cancel"));
    }
  }

  void CreateAndDelete() {
    for (int i = 0; !over_; ++i) {
      const std::string name = fmt::format("t{}", random().Between(0, 5));
      if (random().OneIn(3)) {
        const bool deleted = Delete(name);
        if (deleted) acknowledged_[name] = false;
        if (!deleted) acknowledged_.erase(name);  // It may be gone or not.
      } else {
        const std::string request =
            fmt::format(R"({{"name":"{}","node":"{}"}})", name, random().OneIn(2) ? "n1" : "n2");
        if (cluster_.TryCall("n1", "POST", "/v1/tenants", request))
          acknowledged_[name] = true;
        else
          ++refused_;
      }
      runtime::SleepFor(std::chrono::milliseconds(random().Between(1, 100)));
    }
  }

  void ExpectThatMovesEnd() {
    const runtime::TimePoint patience = cluster_.client().Now() + 2min;
    const auto moving = [&] {
      const auto tenant = cluster_.Call("n1", "GET", "/v1/tenants/shop");
      return !tenant.at("move").is_null();
    };
    while (moving() && cluster_.client().Now() < patience) runtime::SleepFor(20ms);
    EXPECT_FALSE(moving()) << "a move does not end";
    const auto tenant = cluster_.Call("n1", "GET", "/v1/tenants/shop");
    const std::string to = tenant.at("owner").as_string() == "n1" ? "n2" : "n1";
    const auto receipt = cluster_.AwaitMove(cluster_.StartMove("shop", to));
    EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
  }

  void ExpectThatTenantsAreAsAcknowledged() {
    for (const auto& [name, exists] : acknowledged_)
      EXPECT_EQ(cluster_.TryCall("n1", "GET", "/v1/tenants/" + name).has_value(), exists) << name;
    // No name is left in an unfinished state.
    for (int i = 0; i <= 5; ++i) {
      const std::string name = fmt::format("t{}", i);
      if (acknowledged_.contains(name) && acknowledged_.at(name)) continue;
      const bool exists = cluster_.TryCall("n1", "GET", "/v1/tenants/" + name).has_value();
      EXPECT_TRUE(!exists || Delete(name)) << name;
      cluster_.Call("n1", "POST", "/v1/tenants", fmt::format(R"({{"name":"{}","node":"n2"}})", name));
      acknowledged_[name] = true;
    }
  }

  void ExpectServed(const std::string& name) {
    std::string owner;
    cluster_.InClient([&] {
      const auto tenant = cluster_.Call("n1", "GET", "/v1/tenants/" + name);
      owner = std::string(tenant.at("owner").as_string());
    });
    cluster_.InNode(owner, [&](node::Node& node) {
      const auto found = node.parts().tenants().Find(name);
      EXPECT_TRUE(found) << Describe(found.error());
    });
  }

  const uint64_t seed_;
  Cluster cluster_;
  bool over_ = false;
  int refused_ = 0;
  std::map<std::string, bool> acknowledged_;  // Whether it exists, of names of which that is known.
};

TEST(AFullDisk, LosesNothingAndAllGoesOnByItselfWhenThereIsRoom) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    FullDisks(seed).Play();
    if (testing::Test::HasFailure()) break;
  }
}

// Room for each part of what a create writes and not for the next, on the node that takes the tenant or on that of the
// catalog.
TEST(AFullDisk, InTheMiddleOfACreateLeavesNothingAndTheNameFree) {
  Cluster cluster(1, {"n1", "n2"});
  int made = 0, refused = 0;
  cluster.InClient([&] {
    const auto create = [&](const std::string& name) {
      return cluster.TryCall("n1", "POST", "/v1/tenants",
                             fmt::format(R"({{"name":"{}","node":"n2"}})", name));
    };
    for (const char* full : {"n2", "n1"}) {
      for (const uint64_t room :
           {0, 100, 300, 512, 1'000, 4'000, 4'095, 4'096, 4'400, 8'192, 20'000, 100'000}) {
        const std::string name = fmt::format("{}-{}", full, room);
        SCOPED_TRACE(name);
        const uint64_t used = kAmple - cluster.world().CoreOf(full).disk().FreeBytes("/data").value();
        cluster.world().SetDiskCapacity(full, used + room);
        const bool exists = create(name).has_value();
        ++(exists ? made : refused);
        cluster.world().SetDiskCapacity(full, kAmple);
        if (!exists) {
          EXPECT_FALSE(cluster.TryCall("n1", "GET", "/v1/tenants/" + name));
          runtime::SleepFor(1s);
          for (const char* host : {"n1", "n2"}) EXPECT_FALSE(cluster.HasFile(host, name)) << host;
          EXPECT_TRUE(create(name)) << "the name is free";
        }
        EXPECT_TRUE(cluster.HasFile("n2", name));
      }
    }
  });
  EXPECT_GT(made, 0);
  EXPECT_GT(refused, 2) << "the disks were never in the way";
}

// A node goes down in a move and comes back to a disk without room: it cannot open the tenant to go on with the move.
void RestartWithFullDisk(const std::string& victim, const std::string& step, uint64_t seed) {
  Cluster cluster(seed, {"n3", "n1", "n2"});
  std::unique_ptr<load::Bank> bank;
  std::string id;
  cluster.InClient([&] {
    load::BankOptions options;
    options.accounts = 40;
    options.entry_bytes = 400'000;
    options.seed = seed;
    options.pause = 5ms;
    bank = cluster.OpenBank(options);
  });
  cluster.TakeDownAt(victim, step.starts_with("source-") ? "n1" : "n2", step, 1, /*power_lost=*/true);
  cluster.InNode("n1", [&](node::Node& node) {
    move::MoveOptions options;
    options.pace.rate_bytes_per_s = 2'000'000;
    const auto receipt = node.parts().moves().Start({"shop", "n2", options});
    ASSERT_TRUE(receipt) << Describe(receipt.error());
    id = receipt->id;
  });
  ASSERT_TRUE(cluster.world().RunUntil([&] { return cluster.went_down(); }, 2min))
      << "the step is never reached";
  cluster.world().SetDiskCapacity(victim, 0);
  cluster.BringBack();
  cluster.world().RunUntil([] { return false; }, 3s);
  cluster.world().SetDiskCapacity(victim, kAmple);
  cluster.InClient([&] {
    const auto receipt = cluster.AwaitMove(id);
    if (testing::Test::HasFailure()) return;
    cluster.AwaitUse(*bank);
    const bool moved = receipt.at("phase").as_string() == "done";
    const auto again = cluster.AwaitMove(cluster.StartMove("shop", moved ? "n1" : "n2"));
    EXPECT_EQ(again.at("phase").as_string(), "done") << boost::json::serialize(again);
    bank->Stop();
    cluster.ExpectNothingLost(*bank, 6);
  });
}

TEST(AFullDisk, AtARestartOfANodeInAMoveIsWaitedFor) {
  uint64_t seed = 1;
  for (const std::string_view step : move::kStepNames)
    for (const char* victim : {"n1", "n2"}) {
      SCOPED_TRACE(fmt::format("{} goes down at {}", victim, step));
      RestartWithFullDisk(victim, std::string(step), seed++);
      if (testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace tradewind::sim
