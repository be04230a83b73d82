// What a node has removed stays removed when it loses power: a file that came back, of which its journal knows
// nothing, would be in the way of the tenant's next move for good.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr uint64_t kSlow = 200'000;
constexpr uint64_t kSeeds = 12;  // A loss of power brings a name back in some.

class Leftovers {
 public:
  explicit Leftovers(uint64_t seed) : cluster_(seed, {"n1", "n2"}) {}

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
    run.cluster().InClient([&] {
      net::HttpRequest request;
      request.method = "DELETE";
      const auto answer = run.cluster().http().Call("http://n2:8080/v1/tenants/shop", request,
                                                    run.cluster().client().Now() + 30s);
      EXPECT_TRUE(answer && answer->status == 204);
    });
    run.LosePowerWhenForgotten("n1");
    run.cluster().InClient(
        [&] { run.cluster().Call("n2", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})"); });
  });
}

}  // namespace
}  // namespace tradewind::sim
