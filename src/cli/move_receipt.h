// The receipt of a move, shown to a person.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>

#include "runtime/core.h"

namespace tradewind::cli {

// Whether the phase is one of the end states.
bool MoveHasEnded(const boost::json::value& receipt);
// Whether it goes on only when it is told to.
bool MoveHasStopped(const boost::json::value& receipt);
// Property lines; what does not apply yet is "-".
std::string ReceiptText(const boost::json::value& receipt);
// A number of milliseconds as a duration; "-" for null.
std::string MillisecondsText(const boost::json::value& milliseconds);

// One line for a move that runs, from one receipt after the other: phase, bar, share of the pages that are at
// the destination, bytes a second, pulls, p95, ETA, and what it waits for.
class MoveProgress {
 public:
  std::string Line(const boost::json::value& receipt, runtime::TimePoint now);

 private:
  bool started_ = false;
  runtime::TimePoint looked_;
  uint64_t bytes_ = 0;
  double bytes_per_s_ = 0;
};

}  // namespace tradewind::cli
