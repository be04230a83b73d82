// That what watches a simulated cluster catches a broken rule: each planted bug (base/planted_bug.h) is switched on, and
// seeds of the swarm are played until something finds it. Says after how many.
#include "base/planted_bug.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>

#include "sim/swarm_run.h"

namespace tradewind::sim {
namespace {

struct Planting {
  PlantedBug bug;
  std::string_view name;
  // What has to find it first; any check will do when it is empty.
  std::string_view checker;
  uint64_t most_seeds;
  SwarmOptions options;
};

// For the name of the test.
void PrintTo(const Planting& planting, std::ostream* to) {
  *to << planting.name;
}

// Moves are what the bugs are about: nothing else but what is named.
SwarmOptions Moves(std::initializer_list<bool SwarmOptions::*> faults) {
  SwarmOptions options;
  for (bool SwarmOptions::*fault : SwarmOptions::kFaults) options.*fault = false;
  for (bool SwarmOptions::*fault : faults) options.*fault = true;
  options.rounds = 3;
  options.mostly_moves = true;
  options.draws_shape = true;
  return options;
}

// Nodes go down and links break while a move is between ready and owner.
SwarmOptions AtTheSwap() {
  using enum move::Step;
  SwarmOptions options = Moves({&SwarmOptions::crashes, &SwarmOptions::cuts});
  options.rounds = 6;
  options.steps = {kDestinationNotedReady, kDestinationSentReady, kSourceHeardReady, kSourceNotedSwapping,
                   kSourceSwapped};
  return options;
}

// clang-format off
const Planting kPlantings[] = {
    {PlantedBug::kServesAfterSwap, "ServesAfterSwap", "OwnershipChecker", 20, Moves({})},
    {PlantedBug::kNoJournal, "NoJournal", "OwnershipChecker", 40, Moves({&SwarmOptions::crashes})},
    {PlantedBug::kServesFromReady, "ServesFromReady", "OwnershipChecker", 20, Moves({})},
    {PlantedBug::kCommitsHandedPages, "CommitsHandedPages", "PageChecker", 20, Moves({})},
    {PlantedBug::kReadsWithoutPull, "ReadsWithoutPull", "OrderChecker", 20, Moves({})},
    {PlantedBug::kAnswersBeforeSync, "AnswersBeforeSync", "DurabilityChecker", 5, Moves({})},
    {PlantedBug::kMapBeforeData, "MapBeforeData", "CopyChecker", 20, Moves({})},
    {PlantedBug::kDeletesBeforeDone, "DeletesBeforeDone", "CopyChecker", 20, Moves({})},
    {PlantedBug::kDoneFromMemory, "DoneFromMemory", "CopyChecker", 20, Moves({})},
    {PlantedBug::kDropsReadyCopy, "DropsReadyCopy", "", 100, AtTheSwap()},
};
// clang-format on

class ThePlantedBug : public testing::TestWithParam<Planting> {};

std::string_view FirstFinding(std::string_view output) {
  constexpr std::string_view kWrong = "WRONG: ";
  for (const std::string_view sign : {kWrong, std::string_view("check failed: ")})
    if (const size_t at = output.find(sign); at != std::string_view::npos) {
      output.remove_prefix(at + sign.size());
      return output.substr(0, output.find('\n'));
    }
  return output.substr(output.rfind('\n', output.size() - 2) + 1);
}

TEST_P(ThePlantedBug, IsFound) {
  const Planting& planting = GetParam();
  std::string others;
  for (uint64_t seed = 1; seed <= planting.most_seeds; ++seed) {
    const ChildOutcome outcome = RunInChild([&] {
      planted_bug = planting.bug;
      SwarmOptions options = planting.options;
      options.seed = seed;
      return PlayOptions(options, "");
    });
    if (outcome.succeeded) continue;
    const std::string_view finding = FirstFinding(outcome.output);
    if (finding.starts_with(planting.checker)) {
      fmt::print("{} found after {} seeds: {}\n", planting.name, seed, finding);
      return;
    }
    others += fmt::format("\nseed {}: {}", seed, finding);
  }
  FAIL() << planting.name << " is not found in " << planting.most_seeds << " seeds"
         << (planting.checker.empty() ? "" : " by the ") << planting.checker << others;
}

INSTANTIATE_TEST_SUITE_P(OfTheModel, ThePlantedBug, testing::ValuesIn(kPlantings),
                         [](const testing::TestParamInfo<Planting>& one) {
                           return std::string(one.param.name);
                         });

}  // namespace
}  // namespace tradewind::sim
