// The greatest value of late: a lower one takes its place as it is forgotten.
#pragma once

#include <algorithm>
#include <cmath>

namespace tradewind::pace {

class DecayingPeak {
 public:
  // In `memory_s` seconds a peak falls to 1/e.
  explicit DecayingPeak(double memory_s) : memory_s_(memory_s) {}

  // The value of the last `seconds` seconds.
  void Note(double value, double seconds) {
    value_ = std::max(value, value_ * std::exp(-seconds / memory_s_));
  }
  void Clear() { value_ = 0; }
  double value() const { return value_; }

 private:
  double memory_s_;
  double value_ = 0;
};

}  // namespace tradewind::pace
