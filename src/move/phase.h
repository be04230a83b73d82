// The phases of a move and the legal steps between them (Zephyr, section 3; docs/move.md): one pure
// function, asserted at each change.
//
//   init ◄─► handover ──► dual ──► finish ──► done
//     └──► cancelled                          └──► cancelled
//
// Before the swap is sent an attempt may be given up, and init begins anew or the move is cancelled
// (docs/move.md, steps 1 and 2). A move that was reversed goes through the same phases in the other
// direction, and ends as cancelled (step 10).
#pragma once

#include <string_view>

namespace tradewind::move {

enum class Phase {
  kInit,      // The source owns and sends the wireframe, and with a warm-up pages as well.
  kHandover,  // New transactions wait while ownership changes hands.
  kDual,      // The destination owns; transactions that were open at the source run to their end.
  kFinish,    // The source pushes the rest.
  kDone,
  kCancelled,
};

constexpr bool IsLegal(Phase from, Phase to) {
  switch (from) {
    case Phase::kInit: return to == Phase::kHandover || to == Phase::kCancelled;
    case Phase::kHandover: return to == Phase::kDual || to == Phase::kInit;
    case Phase::kDual: return to == Phase::kFinish;
    case Phase::kFinish: return to == Phase::kDone || to == Phase::kCancelled;
    case Phase::kDone:
    case Phase::kCancelled: return false;
  }
  return false;
}

constexpr bool IsOver(Phase phase) {
  return phase == Phase::kDone || phase == Phase::kCancelled;
}

// The name in receipts: the hand-over counts as init there, as in Zephyr's modes.
constexpr std::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kInit: return "init";
    case Phase::kHandover: return "init";
    case Phase::kDual: return "dual";
    case Phase::kFinish: return "finish";
    case Phase::kDone: return "done";
    case Phase::kCancelled: return "cancelled";
  }
  return "unknown";
}

}  // namespace tradewind::move
