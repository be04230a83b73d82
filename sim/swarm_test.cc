// Some seeds of the swarm (swarm.h), and for each kind of fault some with that kind alone, so that a failure names it.
#include "sim/swarm.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace tradewind::sim {
namespace {

// TRADEWIND_SEEDS says how many, TRADEWIND_SEED from which on. A seed that fails tells its story.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::stoull(text) : otherwise;
}

const Swarm* playing = nullptr;

void TellStory() {
  for (const std::string& line : playing->story()) fmt::print("{}\n", line);
  fmt::print("again: TRADEWIND_SEED={} TRADEWIND_SEEDS=1 build/sim_swarm --gtest_filter={}.{}\n",
             playing->seed(), testing::UnitTest::GetInstance()->current_test_info()->test_suite_name(),
             testing::UnitTest::GetInstance()->current_test_info()->name());
  std::fflush(stdout);
}

// A check that failed ends the process: its story is told all the same.
void TellAtAbort(int signal) {
  std::signal(signal, SIG_DFL);
  TellStory();
}

void Play(SwarmOptions options, uint64_t seeds) {
  std::signal(SIGABRT, TellAtAbort);
  const uint64_t first = FromEnvironment("TRADEWIND_SEED", 1);
  seeds = FromEnvironment("TRADEWIND_SEEDS", seeds);
  uint64_t acknowledged = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    options.seed = seed;
    Swarm swarm(options);
    playing = &swarm;
    swarm.Play();
    acknowledged += swarm.acknowledged();
    if (swarm.findings().empty() && !testing::Test::HasFailure()) continue;
    TellStory();
    for (const std::string& finding : swarm.findings()) ADD_FAILURE() << finding;
    return;
  }
  EXPECT_GT(acknowledged, 10 * seeds) << "the clients hardly got anything done";
}

SwarmOptions Only(bool SwarmOptions::*fault) {
  SwarmOptions options;
  options.crashes = options.cuts = options.full_disks = false;
  options.flipped_bits = options.second_nodes = options.slow_links = false;
  options.*fault = true;
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

TEST(Swarm, HoldsWhileBitsFlip) {
  Play(Only(&SwarmOptions::flipped_bits), 4);
}

TEST(Swarm, HoldsWhileEverythingIsFarAway) {
  Play(Only(&SwarmOptions::slow_links), 2);
}

TEST(Swarm, LetsNoSecondNodeOfANameIn) {
  Play(Only(&SwarmOptions::second_nodes), 2);
}

TEST(Swarm, HoldsWithEverythingAtOnce) {
  Play({}, 14);
}

TEST(Swarm, OfOneSeedIsOneRun) {
  uint64_t hashes[2];
  for (uint64_t& hash : hashes) {
    Swarm swarm({.seed = 7, .rounds = 4});
    swarm.Play();
    hash = swarm.trace_hash();
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

}  // namespace
}  // namespace tradewind::sim
