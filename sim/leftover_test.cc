// What a node has removed stays removed when it loses power: a file that came back, of which its journal knows
// nothing, would be in the way of the tenant's next move for good.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "load/hrana_client.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr uint64_t kSlow = 200'000;
constexpr uint64_t kSeeds = 12;  // A loss of power brings a name back in some.

class Leftovers {
 public:
  explicit Leftovers(uint64_t seed, std::vector<std::string> hosts = {"n1", "n2"})
      : cluster_(seed, std::move(hosts)) {}

  // The host loses power as soon as it has forgotten the tenant.
  void LosePowerWhenForgotten(const std::string& host) {
    ASSERT_TRUE(cluster_.world().RunUntil([&] { return !Knows(host); }, 1min)) << "its copy is not dropped";
    ASSERT_FALSE(cluster_.HasFile(host, "shop"));
    cluster_.TakeDown(host, /*power_lost=*/true);
    cluster_.world().HealLink("n1", "n2");
    cluster_.BringBack();
    EXPECT_FALSE(cluster_.HasFile(host, "shop")) << "its file is back, and belongs to nobody";
  }

  void ExpectThatItMoves(const std::string& to) {
    cluster_.InClient([&] {
      const auto receipt = cluster_.AwaitMove(cluster_.StartMove("shop", to));
      EXPECT_EQ(receipt.at("phase").as_string(), "done") << json::serialize(receipt);
    });
  }

  bool Knows(const std::string& host) { return cluster_.node(host).journal().entries().contains("shop"); }

  bool HasRole(const std::string& host, move::Role role) {
    const auto& entries = cluster_.node(host).journal().entries();
    const auto entry = entries.find("shop");
    return entry != entries.end() && entry->second.role == role;
  }

  int Delete(const std::string& host) {
    int status = 0;
    cluster_.InClient([&] {
      net::HttpRequest request;
      request.method = "DELETE";
      const auto answer = cluster_.http().Call("http://" + host + ":8080/v1/tenants/shop", request,
                                               cluster_.client().Now() + 30s);
      if (answer) status = answer->status;
    });
    return status;
  }

  void Write(const std::string& host, const std::string& sql) {
    const auto client =
        load::HranaClient::Make(cluster_.client(), cluster_.http(), "http://" + host + ":8080", "shop")
            .value();
    load::HranaStream stream(client);
    const auto answer = stream.Execute({{sql, {}}}, /*then_close=*/true);
    if (!answer) ADD_FAILURE() << sql << ": " << Describe(answer.error());
  }

  // A tenant on n1, of some 2 MB.
  void Make() {
    cluster_.InClient([&] {
      load::BankOptions options;
      options.accounts = 500;
      options.entry_bytes = 2u << 20;
      const auto bank = cluster_.OpenBank(options);
      bank->Stop();
    });
  }

  Cluster& cluster() { return cluster_; }

 private:
  Cluster cluster_;
};

template <typename Story>
void ForSeeds(Story story) {
  for (uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Leftovers run(seed);
    run.Make();
    story(run);
  }
}

TEST(ALossOfPower, BringsNoCopyOfACancelledMoveBack) {
  ForSeeds([](Leftovers& run) {
    run.cluster().InClient([&] {
      const std::string id = run.cluster().StartMove("shop", "n2", kSlow);
      while (!run.Knows("n2") || !run.cluster().HasFile("n2", "shop")) runtime::SleepFor(1ms);
      run.cluster().Call("n1", "POST", "/v1/moves/" + id + "/cancel");
    });
    run.LosePowerWhenForgotten("n2");
    run.ExpectThatItMoves("n2");
  });
}

// Its restart finds `receiving` in the journal, and drops it before the source begins anew.
TEST(ALossOfPower, BringsNoCopyBackThatWasDroppedAtARestart) {
  ForSeeds([](Leftovers& run) {
    run.cluster().InClient([&] {
      run.cluster().StartMove("shop", "n2", kSlow);
      while (!run.Knows("n2") || !run.cluster().HasFile("n2", "shop")) runtime::SleepFor(1ms);
    });
    run.cluster().world().CutLink("n1", "n2");
    run.cluster().TakeDown("n2", /*power_lost=*/false);
    run.cluster().BringBack();
    run.LosePowerWhenForgotten("n2");
  });
}

TEST(ALossOfPower, BringsNoCopyOfAMovedTenantBack) {
  ForSeeds([](Leftovers& run) {
    run.cluster().InClient([&] { run.cluster().StartMove("shop", "n2"); });
    run.LosePowerWhenForgotten("n1");
    run.ExpectThatItMoves("n1");
  });
}

TEST(ALossOfPower, BringsNoDeletedTenantBack) {
  ForSeeds([](Leftovers& run) {
    EXPECT_EQ(run.Delete("n2"), 204);
    run.LosePowerWhenForgotten("n1");
    run.cluster().InClient(
        [&] { run.cluster().Call("n2", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})"); });
  });
}

// The tenant is on its way back to n1, which serves it and lacks pages, when n2 cannot be reached and the tenant is
// deleted. The journal of n1 says that it owns the tenant, and cannot be told otherwise.
void DeleteOnItsWayBack(Leftovers& run) {
  Cluster& cluster = run.cluster();
  cluster.InClient([&] {
    const std::string id = cluster.StartMove("shop", "n2", kSlow);
    while (!run.HasRole("n2", move::Role::kOwner)) runtime::SleepFor(1ms);
    // n1 still has what n2 does not change: the way back is as long as what is written there.
    run.Write(
        "n2",
        "CREATE TABLE more AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 500) "
        "SELECT x, printf('%04000d', x) FROM c");
    cluster.Call("n3", "POST", "/v1/moves/" + id + "/cancel");
    while (!run.HasRole("n1", move::Role::kOwner)) runtime::SleepFor(1ms);
  });
  cluster.world().CutLink("n1", "n2");
  const auto is_cut_off = [&] { return cluster.node("n1").parts().moves().IsCutOff("shop"); };
  ASSERT_TRUE(cluster.world().RunUntil(is_cut_off, 1min));
  cluster.world().FailSyncs("n1", 1);
  EXPECT_EQ(run.Delete("n1"), 204);
  EXPECT_TRUE(run.HasRole("n1", move::Role::kOwner)) << "the journal was told";
}

void ExpectThatTheNameIsFree(Leftovers& run) {
  ASSERT_TRUE(run.cluster().world().RunUntil([&] { return !run.Knows("n1"); }, 1min)) << "its copy stays";
  EXPECT_FALSE(run.cluster().HasFile("n1", "shop"));
  run.cluster().world().HealLink("n1", "n2");
  run.cluster().InClient(
      [&] { run.cluster().Call("n2", "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})"); });
  run.ExpectThatItMoves("n1");
}

TEST(ADeletedTenantThatWasOnItsWayBack, GoesOnceTheJournalCanBeWritten) {
  for (uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Leftovers run(seed, {"n3", "n1", "n2"});
    run.Make();
    DeleteOnItsWayBack(run);
    run.cluster().InClient([] { runtime::SleepFor(5s); });
    run.cluster().world().FailSyncs("n1", 0);
    ExpectThatTheNameIsFree(run);
  }
}

TEST(ADeletedTenantThatWasOnItsWayBack, IsNotOwnedByANodeThatRestartsBeforeItsJournalCouldBeWritten) {
  for (uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Leftovers run(seed, {"n3", "n1", "n2"});
    run.Make();
    DeleteOnItsWayBack(run);
    run.cluster().TakeDown("n1", /*power_lost=*/true);
    run.cluster().world().FailSyncs("n1", 0);
    run.cluster().BringBack();
    ExpectThatTheNameIsFree(run);
  }
}

}  // namespace
}  // namespace tradewind::sim
