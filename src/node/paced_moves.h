// The moves that a node sends, from all of its cores, as the pacer sees them, which is core 0's. A move of another core
// is shown as it was when the pacer last looked; what the pacer finds is told to it at the next look.
//
// Core 0 only.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "node/core_parts.h"
#include "pace/pacer.h"

namespace tradewind::node {

class PacedMoves {
 public:
  PacedMoves();
  ~PacedMoves();
  // What the next core has, which outlives it; all of them before anything else is called.
  void Add(CoreParts& parts) { cores_.push_back({parts, {}}); }
  // Those that are sent now. In a node of several cores this suspends.
  pace::Pacer::Moves Now();

 private:
  class OfOtherCore;
  struct OfCore {
    CoreParts& parts;
    std::map<MoveId, std::shared_ptr<OfOtherCore>> moves;
  };
  static void Look(OfCore& core);

  std::vector<OfCore> cores_;  // By core.
};

}  // namespace tradewind::node
