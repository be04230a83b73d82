#include "move/source_clock.h"

#include <chrono>

#include "base/check.h"

namespace tradewind::move {

double Milliseconds(runtime::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

void SourceClock::Enter(Receipt& receipt, Phase phase) {
  TW_CHECK(IsLegal(receipt.phase, phase), "an illegal step between the phases of a move");
  const double length = Milliseconds(since_phase());
  switch (receipt.phase) {
    case Phase::kInit: receipt.init_ms = length; break;
    case Phase::kDual: receipt.dual_ms = length; break;
    case Phase::kFinish: receipt.finish_ms = length; break;
    default: break;
  }
  receipt.phase = phase;
  phase_started_ = phase == Phase::kHandover && parked_at_ ? *parked_at_ : core_.Now();
  if (IsOver(phase)) receipt.ended_at = core_.UnixMilliseconds();
}

void SourceClock::NoteParked() {
  if (!parked_at_) parked_at_ = core_.Now();
}

}  // namespace tradewind::move
