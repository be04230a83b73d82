// A node goes down at each step of a move, by power loss or by a kill, and comes back after a while: the move
// ends, one node owns the tenant, no acknowledged transfer is lost, and the tenant can be moved again. The
// same for a move that was cancelled after the hand-over and is on its way back.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/bank.h"
#include "move/step.h"
#include "sim/cluster.h"
#include "sim/step_test_name.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

// Slow enough that a move of some 1.3 MB has a middle, and one that is to go back is still on its way.
constexpr uint64_t kRate = 2'000'000;
constexpr uint64_t kRateOfCancelled = 200'000;

struct Crash {
  std::string step;
  std::string at;            // The node that reaches the step.
  std::string victim;        // The one that goes down then.
  std::string catalog_host;  // "n1" is the source, "n2" the destination, "n3" neither.
  bool power_lost = false;
  bool going_back = false;
  uint64_t seed = 1;

  std::string ToString() const {
    return fmt::format("{} goes down ({}) when {} reaches {}{}, catalog on {}, seed {}", victim,
                       power_lost ? "power" : "kill", at, step, going_back ? " on the way back" : "",
                       catalog_host, seed);
  }
};

class Run {
 public:
  explicit Run(const Crash& crash) : crash_(crash), cluster_(crash.seed, Hosts(crash.catalog_host)) {}

  void Play() {
    Open();
    cluster_.TakeDownAt(crash_.victim, crash_.at, crash_.step, 1, crash_.power_lost);
    const std::string id = Start();
    if (crash_.going_back) Cancel(id);
    ASSERT_TRUE(cluster_.world().RunUntil([&] { return cluster_.went_down(); }, 2min))
        << "the step is never reached";
    const auto pause = std::chrono::milliseconds(cluster_.world().random().Between(0, 3000));
    cluster_.world().RunUntil([] { return false; }, pause);
    cluster_.BringBack();
    cluster_.InClient([&] {
      const auto receipt = cluster_.AwaitMove(id);
      if (testing::Test::HasFailure()) return;
      const bool moved = receipt.at("phase").as_string() == "done";
      if (crash_.going_back) {
        EXPECT_FALSE(moved);
      }
      CheckOwner(moved);
      cluster_.AwaitUse(*bank_);
      const auto again = cluster_.AwaitMove(cluster_.StartMove("shop", moved ? "n1" : "n2"));
      EXPECT_EQ(again.at("phase").as_string(), "done") << boost::json::serialize(again);
      bank_->Stop();
      cluster_.ExpectNothingLost(*bank_, 6);
    });
  }

 private:
  static std::vector<std::string> Hosts(const std::string& catalog) {
    if (catalog == "n1") return {"n1", "n2"};
    if (catalog == "n2") return {"n2", "n1"};
    return {"n3", "n1", "n2"};
  }

  void Open() {
    cluster_.InClient([&] {
      load::BankOptions options;
      options.accounts = 40;
      options.entry_bytes = 1'300'000;
      options.seed = crash_.seed;
      options.pause = 5ms;
      bank_ = cluster_.OpenBank(options);
    });
  }

  std::string Start() {
    std::string id;
    cluster_.InNode("n1", [&](node::Node& node) {
      move::MoveOptions options;
      options.pace.rate_bytes_per_s = crash_.going_back ? kRateOfCancelled : kRate;
      const auto receipt = node.parts().moves().Start({"shop", "n2", options});
      ASSERT_TRUE(receipt) << Describe(receipt.error());
      id = receipt->id;
    });
    return id;
  }

  // After the hand-over, in its middle.
  void Cancel(const std::string& id) {
    cluster_.InClient([&] {
      const auto phase = [&] {
        const auto receipt = cluster_.Call(crash_.catalog_host, "GET", "/v1/moves/" + id);
        return std::string(receipt.at("phase").as_string());
      };
      while (phase() == "init") runtime::SleepFor(5ms);
      EXPECT_TRUE(
          bank_->AwaitTransfers(cluster_.world().random().Between(0, 10), cluster_.client().Now() + 1min));
      EXPECT_NE(phase(), "done") << "too late to cancel";
    });
    cluster_.InNode("n2", [&](node::Node& node) {
      const auto cancelled = node.parts().moves().Cancel(id);
      // When a node goes down in the middle of it the answer may be lost; the move then says what became of
      // it.
      if (!cancelled && !cluster_.went_down()) ADD_FAILURE() << Describe(cancelled.error());
    });
  }

  void CheckOwner(bool moved) {
    const std::string owner = moved ? "n2" : "n1";
    const std::string other = moved ? "n1" : "n2";
    for (const std::string& host : {owner, other}) {
      const auto tenant = cluster_.Call(host, "GET", "/v1/tenants/shop");
      EXPECT_EQ(tenant.at("owner").as_string(), owner) << "as " << host << " sees it";
    }
    const runtime::TimePoint patience = cluster_.client().Now() + 1min;
    while (cluster_.HasFile(other, "shop") && cluster_.client().Now() < patience) runtime::SleepFor(10ms);
    EXPECT_TRUE(cluster_.HasFile(owner, "shop"));
    EXPECT_FALSE(cluster_.HasFile(other, "shop")) << "the other copy goes in the end";
  }

  const Crash crash_;
  Cluster cluster_;
  std::unique_ptr<load::Bank> bank_;
};

bool IsOfSource(std::string_view step) {
  return step.starts_with("source-");
}

void PlayAll(std::string_view step, bool going_back) {
  const auto at = [&](bool source) { return source != going_back ? "n1" : "n2"; };
  uint64_t seed = 1;
  for (const char* catalog : {"n1", "n2", "n3"}) {
    for (const bool power_lost : {true, false}) {
      const std::string reaches = at(IsOfSource(step));
      std::vector<std::string> victims{"n1", "n2"};
      if (catalog == std::string("n3")) victims.emplace_back("n3");
      for (const std::string& victim : victims) {
        Crash crash{std::string(step), reaches, victim, catalog, power_lost, going_back, seed++};
        SCOPED_TRACE(crash.ToString());
        Run(crash).Play();
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

class AtEachStep : public testing::TestWithParam<std::string_view> {};

TEST_P(AtEachStep, ANodeThatGoesDownLosesNothing) {
  PlayAll(GetParam(), false);
}

// Going back nothing is prepared ahead, since no pages come before the list; and a small part of the tenant
// is all that travels.
bool IsOfTheWayBack(std::string_view step) {
  return step != "source-sent-init" && step != "destination-prepared" && step != "source-pushed-half" &&
         step != "destination-has-half";
}

TEST_P(AtEachStep, ANodeThatGoesDownOnTheWayBackLosesNothing) {
  if (IsOfTheWayBack(GetParam())) PlayAll(GetParam(), true);
}

INSTANTIATE_TEST_SUITE_P(Simulated, AtEachStep, testing::ValuesIn(move::kStepNames), StepTestName);

}  // namespace
}  // namespace tradewind::sim
