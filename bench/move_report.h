// What `make bench-move` prints and writes.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "measured_move.h"

namespace tradewind::bench {

// Moves of an idle tenant beside the same bytes through a bare socket, in turns: in pairs, whose order
// alternates.
struct RawComparison {
  uint64_t size = 0;
  std::vector<double> raw_s;
  std::vector<double> move_s;
  double ratio() const;  // Of the sums, move to raw; 0 when a move of a pair is lacking.
};

struct MoveReport {
  double per_second = 0;  // Of the load.
  std::vector<MoveFigures> under_load;
  std::vector<MoveFigures> idle;
  std::vector<RawComparison> comparisons;
  std::string stop_error;  // A node did not end as it must when it was asked to.
  // Whether all that must hold held; figures that miss an aim are shown and do not count.
  bool ok() const;
};

std::string Text(const MoveReport& report);
boost::json::value Json(const MoveReport& report);

}  // namespace tradewind::bench
