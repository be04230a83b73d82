// How long the moves took that this core has sent to their end since the node started. Those of several cores and nodes
// add up: a move is counted where it ended, by the node that sent the tenant on its last way.
//
// This core only.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "base/fixed_histogram.h"
#include "move/receipt.h"

namespace tradewind::move {

class MoveTotals {
 public:
  // `outcome`: done, sent_back or cancelled.
  void Record(const Receipt& last, const std::string& outcome, int64_t ended_at_ms);

  // By method and outcome: from the command to the end.
  const std::map<std::pair<std::string, std::string>, FixedHistogram>& moves() const { return moves_; }
  // By method and phase (init, handover, dual, finish), those that it had.
  const std::map<std::pair<std::string, std::string>, FixedHistogram>& phases() const { return phases_; }

 private:
  std::map<std::pair<std::string, std::string>, FixedHistogram> moves_;
  std::map<std::pair<std::string, std::string>, FixedHistogram> phases_;
};

}  // namespace tradewind::move
