// A move as the pacer sees it, whatever it is that moves: what it may be told, and what it has to be asked.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "pace/objective.h"

namespace tradewind::pace {

// How a move stands to the latency around it.
struct PaceNote {
  std::optional<double> p95_ms;       // Of the worse end; none without samples.
  std::optional<Objective> setpoint;  // In force; none when the move does not follow latency.
  double rate_bytes_per_s = 0;        // Allowed to all that follow latency; 0: no limit.
  bool at_floor = false;
};

class PacedMove {
 public:
  virtual ~PacedMove() = default;
  virtual const MoveId& id() const = 0;
  virtual const TenantName& tenant() const = 0;
  // The node at the other end.
  virtual const NodeName& peer() const = 0;
  // Whether it draws on the token bucket shared by all latency-paced moves.
  virtual bool follows_latency() const = 0;
  // What its operator gave; none: what the pacer finds right.
  virtual std::optional<Objective> setpoint() const = 0;
  virtual int64_t finish_by_ms() const = 0;  // Unix milliseconds; 0: no deadline.
  virtual uint64_t bytes_left() const = 0;   // Roughly.
  // Of what requests at the other node waited for, since the last call.
  virtual uint64_t TakePulledBytes() = 0;
  // What the pacer has found: for the receipt.
  virtual void NotePace(const PaceNote& note) = 0;
};

using PacedMoveList = std::vector<std::shared_ptr<PacedMove>>;

}  // namespace tradewind::pace
