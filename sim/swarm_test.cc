// Some seeds of the swarm (swarm.h), and for each kind of fault some with that kind alone, so that a failure names it.
#include "sim/swarm.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace tradewind::sim {
namespace {

// TRADEWIND_SEEDS says how many, TRADEWIND_SEED from which on; with one seed its story is told.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::stoull(text) : otherwise;
}

void Play(SwarmOptions options, uint64_t seeds) {
  const uint64_t first = FromEnvironment("TRADEWIND_SEED", 1);
  seeds = FromEnvironment("TRADEWIND_SEEDS", seeds);
  uint64_t acknowledged = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    options.seed = seed;
    Swarm swarm(options);
    swarm.Play();
    acknowledged += swarm.acknowledged();
    if (swarm.findings().empty() && !testing::Test::HasFailure()) continue;
    for (const std::string& line : swarm.story()) fmt::print("{}\n", line);
    for (const std::string& finding : swarm.findings()) ADD_FAILURE() << finding;
    fmt::print("again: TRADEWIND_SEED={} TRADEWIND_SEEDS=1 build/sim_swarm --gtest_filter={}.{}\n", seed,
               testing::UnitTest::GetInstance()->current_test_info()->test_suite_name(),
               testing::UnitTest::GetInstance()->current_test_info()->name());
    return;
  }
  EXPECT_GT(acknowledged, 10 * seeds) << "the clients hardly got anything done";
}

SwarmOptions Only(bool SwarmOptions::*fault) {
  SwarmOptions options;
  options.crashes = options.cuts = options.full_disks = options.flipped_bits = options.second_nodes = false;
  options.*fault = true;
  return options;
}

TEST(Swarm, HoldsWithoutFaults) {
  SwarmOptions options = Only(&SwarmOptions::crashes);
  options.crashes = false;
  Play(options, 4);
}

TEST(Swarm, HoldsOverCrashes) {
  Play(Only(&SwarmOptions::crashes), 6);
}

TEST(Swarm, HoldsWhileLinksAreCut) {
  Play(Only(&SwarmOptions::cuts), 6);
}

TEST(Swarm, HoldsWhileDisksFillAndEmpty) {
  Play(Only(&SwarmOptions::full_disks), 6);
}

TEST(Swarm, HoldsWhileBitsFlip) {
  Play(Only(&SwarmOptions::flipped_bits), 6);
}

TEST(Swarm, LetsNoSecondNodeOfANameIn) {
  Play(Only(&SwarmOptions::second_nodes), 3);
}

TEST(Swarm, HoldsWithEverythingAtOnce) {
  Play({}, 20);
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
