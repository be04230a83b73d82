// Tenants whose making fails or is broken off in its middle, on a disk that fails or whose node goes down.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr uint64_t kSeeds = 8;

class HalfMade {
 public:
  explicit HalfMade(uint64_t seed) : cluster_(seed, {"n1", "n2"}) {}

  // Asks for a tenant on n2; calls `then` as soon as its file is there, before a sync has covered that. What the client
  // was answered; 0 is none.
  int MakeAnd(const std::function<void()>& then) {
    int status = 0;
    cluster_.InClient([&] {
      runtime::TaskGroup fibers(cluster_.client());
      fibers.Spawn("create", [&] {
        net::HttpRequest request;
        request.method = "POST";
        request.headers.Set("content-type", "application/json");
        request.body = R"({"name":"shop","node":"n2"})";
        const auto answer =
            cluster_.http().Call("http://n2:8080/v1/tenants", request, cluster_.client().Now() + 30s);
        if (answer) status = answer->status;
      });
      while (!cluster_.HasFile("n2", "shop")) runtime::SleepFor(2us);
      then();
      fibers.Join();
    });
    return status;
  }

  bool Exists() {
    bool exists = false;
    cluster_.InClient([&] { exists = cluster_.TryCall("n1", "GET", "/v1/tenants/shop").has_value(); });
    return exists;
  }

  Cluster& cluster() { return cluster_; }

 private:
  Cluster cluster_;
};

TEST(AHalfMadeTenant, ThatWasRefusedIsNotMadeLater) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    HalfMade run(seed);
    EXPECT_EQ(run.MakeAnd([&] { run.cluster().world().FailSyncs("n2", 1); }), 500);
    run.cluster().InClient([] { runtime::SleepFor(5s); });
    EXPECT_FALSE(run.Exists()) << "the disk still fails";
    run.cluster().world().FailSyncs("n2", 0);
    EXPECT_TRUE(run.cluster().world().RunUntil([&] { return !run.cluster().HasFile("n2", "shop"); }, 1min));
    EXPECT_FALSE(run.Exists());
    run.cluster().InClient([&] {
      run.cluster().Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})");  // The name is free.
    });
  }
}

TEST(AHalfMadeTenant, ThatARestartFinishesOutlivesALossOfPower) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    HalfMade run(seed);
    EXPECT_EQ(run.MakeAnd([&] { run.cluster().TakeDown("n2", /*power_lost=*/false); }), 0);
    run.cluster().BringBack();
    const auto settled = [&] {
      const auto& entries = run.cluster().node("n2").journal().entries();
      const auto entry = entries.find("shop");
      return entry == entries.end() || entry->second.role == move::Role::kOwned;
    };
    ASSERT_TRUE(run.cluster().world().RunUntil(settled, 1min));
    if (!run.Exists()) continue;  // Nothing was in the file yet.
    run.cluster().TakeDown("n2", /*power_lost=*/true);
    run.cluster().BringBack();
    run.cluster().InClient([&] {
      const auto answer = run.cluster().Call(
          "n1", "POST", "/db/shop/v2/pipeline",
          R"json({"requests":[{"type":"execute","stmt":{"sql":"CREATE TABLE t(x)"}},{"type":"close"}]})json");
      EXPECT_EQ(answer.at("results").at(0).at("type").as_string(), "ok") << json::serialize(answer);
    });
  }
}

}  // namespace
}  // namespace tradewind::sim
