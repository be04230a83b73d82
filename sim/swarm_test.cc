// Two hundred seeds of the swarm (swarm.h), each of which draws what it plays; for each kind of fault some with that kind
// alone, so that a failure names it; and that a seed is a run. The program also plays as many seeds as it is asked for:
//
//   sim_swarm --seeds 5000 --jobs 2
//   sim_swarm --seed 17 --story
#include "sim/swarm.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "sim/swarm_run.h"

namespace tradewind::sim {
namespace {

constexpr uint64_t kSeedsInTests = 200;
constexpr uint64_t kSeedsOfATest = 25;

// TRADEWIND_SEEDS says how many, TRADEWIND_SEED from which on.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::stoull(text) : otherwise;
}

void Play(SwarmOptions options, uint64_t seeds) {
  const uint64_t first = FromEnvironment("TRADEWIND_SEED", 1);
  seeds = FromEnvironment("TRADEWIND_SEEDS", seeds);
  const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    options.seed = seed;
    const std::string again =
        fmt::format("TRADEWIND_SEED={} TRADEWIND_SEEDS=1 build/sim_swarm --gtest_filter={}.{}", seed,
                    test->test_suite_name(), test->name());
    ASSERT_TRUE(PlayOptions(options, again)) << "seed " << seed;
  }
}

SwarmOptions Only(bool SwarmOptions::*wanted) {
  SwarmOptions options;
  for (bool SwarmOptions::*fault : SwarmOptions::kFaults) options.*fault = fault == wanted;
  return options;
}

TEST(Swarm, HoldsWithoutFaults) {
  SwarmOptions options = Only(&SwarmOptions::crashes);
  options.crashes = false;
  Play(options, 2);
}

TEST(Swarm, HoldsOverCrashes) {
  Play(Only(&SwarmOptions::crashes), 5);
}

TEST(Swarm, HoldsWhileLinksAreCut) {
  Play(Only(&SwarmOptions::cuts), 3);
}

TEST(Swarm, HoldsWhileDisksFillAndEmpty) {
  Play(Only(&SwarmOptions::full_disks), 4);
}

TEST(Swarm, HoldsWhileDisksFailSyncs) {
  Play(Only(&SwarmOptions::failing_syncs), 3);
}

TEST(Swarm, HoldsWhileBitsFlip) {
  Play(Only(&SwarmOptions::flipped_bits), 4);
}

TEST(Swarm, HoldsWhileEverythingIsFarAway) {
  Play(Only(&SwarmOptions::slow_links), 2);
}

TEST(Swarm, HoldsWhileClocksJump) {
  Play(Only(&SwarmOptions::clock_jumps), 2);
}

TEST(Swarm, LetsNoSecondNodeOfANameIn) {
  Play(Only(&SwarmOptions::second_nodes), 2);
}

TEST(Swarm, HoldsWithEverythingAtOnce) {
  Play({}, 14);
}

// Byte for byte: every delivery, sync and timer at the same virtual time, and the same story.
TEST(Swarm, OfOneSeedIsOneRun) {
  for (const uint64_t seed : {7, 8}) {
    std::vector<std::string> traces[2], stories[2];
    for (int run = 0; run < 2; ++run) {
      SwarmOptions options = OptionsOf(seed);
      options.rounds = 8;
      Swarm swarm(options);
      swarm.KeepTrace();
      swarm.Play();
      traces[run] = swarm.trace();
      stories[run] = swarm.Story();
      EXPECT_GT(swarm.acknowledged(), 20u) << "the clients hardly got anything done";
      EXPECT_GT(swarm.checks(), 1'000u) << "the checkers hardly looked at anything";
    }
    ASSERT_EQ(traces[0].size(), traces[1].size());
    for (size_t line = 0; line < traces[0].size(); ++line) ASSERT_EQ(traces[0][line], traces[1][line]);
    EXPECT_EQ(stories[0], stories[1]);
  }
}

class Seeds : public testing::TestWithParam<uint64_t> {};

TEST_P(Seeds, HoldWhateverTheyDraw) {
  const SeedsOutcome outcome = RunSeeds(GetParam(), kSeedsOfATest, /*jobs=*/1);
  for (const SeedFailure& failure : outcome.failures)
    ADD_FAILURE() << "seed " << failure.seed << "\n" << failure.output;
}

INSTANTIATE_TEST_SUITE_P(Drawn, Seeds, testing::Range(uint64_t{1}, kSeedsInTests + 1, kSeedsOfATest),
                         [](const testing::TestParamInfo<uint64_t>& one) {
                           return fmt::format("From{}To{}", one.param, one.param + kSeedsOfATest - 1);
                         });

}  // namespace
}  // namespace tradewind::sim

int main(int count, char** arguments) {
  testing::InitGoogleTest(&count, arguments);  // Takes its own arguments away.
  if (count > 1) return tradewind::sim::RunSeedsCommand(count, arguments);
  return RUN_ALL_TESTS();
}
