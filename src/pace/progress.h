// How long something will take, from how fast it went lately: with bounds, since a rate that follows latency
// goes up and down.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "runtime/core.h"

namespace tradewind::pace {

struct Eta {
  double seconds = 0;
  double low_s = 0;   // At the fastest of the last seconds' rates but for the upper tenth, and
  double high_s = 0;  // at the slowest but for the lower tenth.
};

class Progress {
 public:
  // So many bytes are done by now; never fewer than before.
  void Note(runtime::TimePoint now, uint64_t bytes);
  // Bytes a second over the last seconds; none before there is half a second to look at.
  std::optional<double> rate() const;
  std::optional<Eta> Estimate(uint64_t bytes_left) const;

 private:
  static constexpr std::chrono::milliseconds kStep{500};
  static constexpr size_t kSteps = 30;
  struct Point {
    runtime::TimePoint at;
    uint64_t bytes;
  };
  static double RateBetween(const Point& from, const Point& to);

  std::deque<Point> points_;  // kStep apart or more.
  Point newest_{};
};

}  // namespace tradewind::pace
