// Measures a drain: what it has moved since it began, and how fast.
//
// Time is the caller's, and does not go back.
#pragma once

#include <cstdint>
#include <deque>

#include "runtime/core.h"

namespace tradewind::balance {

class DrainMeter {
 public:
  // A drain begins: everything counts from here.
  void Begin(runtime::TimePoint now, int64_t unix_ms);
  void NoteMoved(runtime::TimePoint now, uint64_t bytes);

  int64_t started_at() const { return started_at_; }  // Unix milliseconds; 0: none has begun.
  uint64_t moved() const { return moved_; }
  uint64_t bytes_moved() const { return bytes_moved_; }
  // Tenants a second: over the last ten seconds, or since it began if that is less;
  double RecentRate(runtime::TimePoint now) const;
  // and from its beginning to the last one that was moved. 0: none was.
  double OverallRate() const;

 private:
  int64_t started_at_ = 0;
  runtime::TimePoint started_;
  runtime::TimePoint last_moved_;
  uint64_t moved_ = 0;
  uint64_t bytes_moved_ = 0;
  std::deque<runtime::TimePoint> recent_;  // When tenants were moved, of the last seconds.
};

}  // namespace tradewind::balance
