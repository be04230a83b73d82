// What the simulated servers of MariaDB of a world share: where they run, what of them and of their tools fails, and who
// checks what they do.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "sim/checkers/instance_checker.h"
#include "sim/random.h"

namespace tradewind::sim {

class SimServer;

struct SimServers {
  // About one of so many fails; 0: none. Drawn from the seed.
  uint64_t failing_backups = 0;
  uint64_t failing_preparations = 0;
  uint64_t failing_freezes = 0;
  uint64_t slow_transactions = 0;        // Of those that a replica applies: it takes tens of milliseconds.
  uint64_t snapshot_bytes = 300'000;     // Of each, beyond the transactions.
  uint64_t preparation_bytes = 200'000;  // That it reads and writes.

  InstanceChecker& checker;
  Random& random;
  std::map<std::pair<std::string, std::string>, SimServer*> running = {};  // By host and tenant.

  bool Fails(uint64_t one_in) { return one_in > 0 && random.OneIn(one_in); }
  // Null: none. Valid until its node ends it.
  SimServer* Find(const std::string& host, const std::string& tenant) const {
    const auto found = running.find({host, tenant});
    return found == running.end() ? nullptr : found->second;
  }
};

}  // namespace tradewind::sim
