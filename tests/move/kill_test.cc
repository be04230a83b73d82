// SIGKILL at every named step of a move (move/step.h): the node kills itself there, and is started again with
// its data and its port. The move ends done or cancelled, there is one owner, and nothing that was
// acknowledged is lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "aftermath.h"
#include "move/step.h"
#include "stage.h"

namespace tradewind::tests {
namespace {

struct Kill {
  std::string step;
  std::string source;  // n1 hosts the catalog: it is away with its node.
  std::string destination;

  const std::string& victim() const { return step.starts_with("source") ? source : destination; }
};

std::string NameOf(const Kill& kill) {
  std::string name = kill.step + (kill.source == "n1" ? "-CatalogAtSource" : "-CatalogAtDestination");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

void PrintTo(const Kill& kill, std::ostream* out) {
  *out << NameOf(kill);
}

std::vector<Kill> EveryStep() {
  std::vector<Kill> kills;
  for (const std::string_view step : move::kStepNames) {
    kills.push_back({std::string(step), "n1", "n2"});
    kills.push_back({std::string(step), "n2", "n1"});
  }
  return kills;
}

class KilledAtAStep : public testing::TestWithParam<Kill> {};

TEST_P(KilledAtAStep, LosesNothing) {
  const Kill& kill = GetParam();
  Play([&](Stage& stage) {
    const auto started = stage.StartNodes(2);
    ASSERT_TRUE(started) << Describe(started.error());
    const auto armed = stage.Arm(kill.victim(), kill.step);
    ASSERT_TRUE(armed) << Describe(armed.error());
    const auto opened = stage.OpenBank(KillBank(), kill.source);
    ASSERT_TRUE(opened) << Describe(opened.error());
    ASSERT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline()));

    auto id = stage.StartMove(kill.destination, kKillRate);
    ASSERT_TRUE(stage.Eventually([&] { return stage.HasDied(kill.victim()); }))
        << "the step was never reached; the move: " << (id ? *id : Describe(id.error()));
    RestartKilled(stage, kill.victim());
    if (testing::Test::HasFatalFailure()) return;
    if (!id) id = stage.NewestMove();  // Its answer was lost with the node.
    ASSERT_TRUE(id) << Describe(id.error());
    ExpectARightEnd(stage, *id, kill.source, kill.destination);
  });
}

INSTANTIATE_TEST_SUITE_P(Steps, KilledAtAStep, testing::ValuesIn(EveryStep()),
                         [](const auto& kill) { return NameOf(kill.param); });

}  // namespace
}  // namespace tradewind::tests
