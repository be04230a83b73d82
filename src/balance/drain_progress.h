// How far a node's drain is, for operators.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace tradewind::balance {

struct DrainProgress {
  enum class State { kNone, kDraining, kDrained, kStopped };
  struct Failure {
    TenantName tenant;
    std::string reason;
  };

  NodeName node;
  State state = State::kNone;
  uint64_t total = 0;  // Moved, and still here.
  uint64_t moved = 0;
  uint64_t moving = 0;  // Those in a move that somebody else started included.
  uint64_t bytes_moved = 0;
  double tenants_per_s = 0;  // Over the last seconds; once drained, from the start to the end.
  int64_t started_at = 0;    // Unix milliseconds; 0 for a node that does not drain.
  std::optional<double> eta_s;
  std::string waiting_for;
  std::vector<Failure> failures;
};

// {node, state, total, moved, failed, moving, bytes_moved, tenants_per_s, started_at, eta_s, waiting_for,
// failures: [{tenant, reason}]}; null where something does not apply.
std::string ToJson(const DrainProgress& progress);

}  // namespace tradewind::balance
