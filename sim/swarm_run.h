// Runs many seeds of a swarm, each in a process of its own, several at a time. So a seed that ends its process, or runs
// out of memory, is one that failed, and tells its story like any other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/swarm.h"

namespace tradewind::sim {

// How a run in a process of its own ended, and what it printed.
struct ChildOutcome {
  bool succeeded = false;  // `body` returned true.
  std::string output;
};
ChildOutcome RunInChild(const std::function<bool()>& body);

struct SeedFailure {
  uint64_t seed = 0;
  std::string output;  // Its story, and what was wrong.
};
struct SeedsOutcome {
  uint64_t played = 0;
  std::vector<SeedFailure> failures;  // By seed.
};
// Stops to begin new ones after so many failures.
SeedsOutcome RunSeeds(uint64_t first, uint64_t count, unsigned jobs, size_t most_failures = 1);

// What a seed plays: which kinds of faults, how many rounds, how large a cluster and how busy.
SwarmOptions OptionsOf(uint64_t seed);
// Plays one seed in this process, and prints its story if anything was wrong. False: something was.
bool PlaySeed(uint64_t seed, bool tells_always = false);
// The same of options that were not drawn; `again` is the command that plays them.
bool PlayOptions(const SwarmOptions& options, const std::string& again, bool tells_always = false);

// The program's own command line: --seeds N [--seed FIRST] [--jobs J], or --seed S [--story]. Its exit code.
int RunSeedsCommand(int count, char** arguments);

}  // namespace tradewind::sim
