// The phase of a move at its source, and how long each took: for its receipt.
#pragma once

#include <optional>

#include "move/phase.h"
#include "move/receipt.h"
#include "runtime/core.h"

namespace tradewind::move {

double Milliseconds(runtime::Duration duration);

class SourceClock {
 public:
  // The move begins.
  explicit SourceClock(runtime::Core& core) : core_(core), started_(core.Now()), phase_started_(started_) {}

  // The next phase of the receipt. Aborts on an illegal step.
  void Enter(Receipt& receipt, Phase phase);
  // The tenant's requests wait from now on, unless they do already; the phase of the hand-over counts from there.
  void NoteParked();
  // They do not: an attempt is over, or begins.
  void NoteUnparked() { parked_at_.reset(); }

  runtime::Duration since_start() const { return core_.Now() - started_; }
  runtime::Duration since_phase() const { return core_.Now() - phase_started_; }

 private:
  runtime::Core& core_;
  const runtime::TimePoint started_;
  runtime::TimePoint phase_started_;
  std::optional<runtime::TimePoint> parked_at_;
};

}  // namespace tradewind::move
