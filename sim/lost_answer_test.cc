// Answers of the catalog that are lost: what was perhaps begun is finished or given up by itself, as soon as the
// catalog answers again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include "load/bank.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr uint64_t kSeeds = 24;

class LostAnswers {
 public:
  explicit LostAnswers(uint64_t seed) : cluster_(seed, {"n1", "n2", "n3"}) {}

  // n1 has the catalog, n2 the tenant, and hardly a call between them comes through.
  void StartMoveAmidDamage() {
    cluster_.InClient([&] {
      cluster_.Call("n2", "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})");
      cluster_.world().DamageLink("n1", "n2", 1'000);
      cluster_.TryCall("n2", "POST", "/v1/moves", R"({"tenant":"shop","to":"n3"})");
      cluster_.world().DamageLink("n1", "n2", 0);
    });
  }

  // The request, or its answer, is on the way when the link is cut; it may arrive when that is whole again.
  void StartMoveAndCut() {
    cluster_.InClient([&] {
      cluster_.Call("n2", "POST", "/v1/tenants", R"({"name":"shop","node":"n2"})");
      cluster_.client().Spawn(
          "start", [&] { cluster_.TryCall("n2", "POST", "/v1/moves", R"({"tenant":"shop","to":"n3"})"); });
      runtime::SleepFor(cluster_.world().random().Between(100us, 5ms));
      cluster_.world().CutLink("n1", "n2");
      runtime::SleepFor(25s);
      cluster_.world().HealLink("n1", "n2");
    });
  }

  void ExpectThatItCanBeMoved() {
    cluster_.InClient([&] {
      AwaitEnd();
      for (const char* to : {"n2", "n3", "n1"}) {
        const auto tenant = cluster_.Call("n1", "GET", "/v1/tenants/shop");
        if (tenant.at("owner").as_string() == to) continue;
        const auto receipt = cluster_.AwaitMove(cluster_.StartMove("shop", to));
        EXPECT_EQ(receipt.at("phase").as_string(), "done") << json::serialize(receipt);
      }
    });
  }

  // The catalog, on n1, has the move from n3 to n2 as done, but n2 hears of it late.
  void LoseTheAnswerThatItIsDone() {
    bool reached = false;
    cluster_.InClient([&] { cluster_.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n3"})"); });
    cluster_.node("n2").SetTrap({"destination-synced-all", 1, [&] {
                                   reached = true;
                                   cluster_.world().After(cluster_.world().random().Between(100us, 3ms),
                                                          [this] { cluster_.world().CutLink("n1", "n2"); });
                                 }});
    cluster_.InClient([&] { cluster_.StartMove("shop", "n2"); });
    ASSERT_TRUE(cluster_.world().RunUntil([&] { return reached; }, 1min));
    cluster_.world().RunUntil([] { return false; }, 15s + cluster_.world().random().Between(0ms, 500ms));
    cluster_.world().HealLink("n1", "n2");
  }

  // As soon as the catalog lets it.
  void MoveOnAtOnce() {
    cluster_.InClient([&] {
      const runtime::TimePoint patience = cluster_.client().Now() + 1min;
      std::optional<json::value> started;
      while (!started && cluster_.client().Now() < patience) {
        started = cluster_.TryCall("n2", "POST", "/v1/moves", R"({"tenant":"shop","to":"n3"})");
        if (!started) runtime::SleepFor(1ms);
      }
      ASSERT_TRUE(started);
      const auto receipt = cluster_.AwaitMove(std::string(started->at("id").as_string()));
      EXPECT_EQ(receipt.at("phase").as_string(), "done") << json::serialize(receipt);
    });
    const auto& entries = cluster_.node("n2").journal().entries();
    EXPECT_TRUE(
        cluster_.world().RunUntil([&] { return entries.empty() && !cluster_.HasFile("n2", "shop"); }, 1min))
        << "the node that handed it over still has it";
    cluster_.world().RunUntil([] { return false; }, 5s);
    EXPECT_TRUE(entries.empty()) << "the end of the move before was written over the end of the last";
  }

 private:
  void AwaitEnd() {
    const runtime::TimePoint patience = cluster_.client().Now() + 1min;
    json::value move = "";
    while (!move.is_null() && cluster_.client().Now() < patience) {
      runtime::SleepFor(20ms);
      move = cluster_.Call("n1", "GET", "/v1/tenants/shop").at("move");
    }
    EXPECT_TRUE(move.is_null()) << "a move that nobody carries out stands in the catalog: "
                                << json::serialize(move);
  }

  Cluster cluster_;
};

void WithEachSeed(const std::function<void(uint64_t seed)>& play) {
  for (uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    play(seed);
  }
}

TEST(AMoveThatPerhapsBegan, IsCarriedOutOrGivenUpAfterDamagedAnswers) {
  WithEachSeed([](uint64_t seed) {
    LostAnswers run(seed);
    run.StartMoveAmidDamage();
    run.ExpectThatItCanBeMoved();
  });
}

TEST(AMoveThatPerhapsBegan, IsCarriedOutOrGivenUpAfterACutLink) {
  WithEachSeed([](uint64_t seed) {
    LostAnswers run(seed);
    run.StartMoveAndCut();
    run.ExpectThatItCanBeMoved();
  });
}

TEST(AMoveThatPerhapsEnded, IsEndedBeforeTheNextOneBegins) {
  WithEachSeed([](uint64_t seed) {
    LostAnswers run(seed);
    run.LoseTheAnswerThatItIsDone();
    run.MoveOnAtOnce();
  });
}

// The catalog has the move as reversed, but n2, which is to send the tenant back, cannot ask it what was asked
// for.
TEST(AMoveThatIsCancelledAfterTheHandOver, GoesBackThoughTheCatalogIsAwayForAWhile) {
  WithEachSeed([](uint64_t seed) {
    Cluster cluster(seed, {"n3", "n1", "n2"});
    cluster.InClient([&] {
      load::BankOptions options;
      options.accounts = 200;
      options.entry_bytes = 1u << 20;
      const auto bank = cluster.OpenBank(options);
      bank->Stop();
      const std::string id = cluster.StartMove("shop", "n2", 200'000);
      while (cluster.Call("n3", "GET", "/v1/tenants/shop").at("owner").as_string() != "n2")
        runtime::SleepFor(5ms);
      cluster.client().Spawn(
          "cancel", [&cluster, id] { cluster.TryCall("n2", "POST", "/v1/moves/" + id + "/cancel"); });
      runtime::SleepFor(cluster.world().random().Between(200us, 8ms));
      cluster.world().CutLink("n2", "n3");
      runtime::SleepFor(20s);
      cluster.world().HealLink("n2", "n3");
      cluster.AwaitMove(id);
    });
  });
}

}  // namespace
}  // namespace tradewind::sim
