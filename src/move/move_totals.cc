#include "move/move_totals.h"

namespace tradewind::move {

void MoveTotals::Record(const Receipt& last, const std::string& outcome, int64_t ended_at_ms) {
  const int64_t ended = last.ended_at.value_or(ended_at_ms);
  moves_[{last.method, outcome}].Record(static_cast<double>(ended - last.started_at) / 1e3);
  const auto phase = [&](const char* name, const std::optional<double>& milliseconds) {
    if (milliseconds) phases_[{last.method, name}].Record(*milliseconds / 1e3);
  };
  phase("init", last.init_ms);
  phase("handover", last.handover_ms);
  phase("dual", last.dual_ms);
  phase("finish", last.finish_ms);
}

}  // namespace tradewind::move
