// Latencies, counted in buckets whose width grows with what they hold: at most 1/64 of the value, so that a
// quantile is within 1.6 percent whatever the range (a log-linear histogram, as HdrHistogram has it).
// Histograms of the same kind add up.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace tradewind::pace {

class LatencyHistogram {
 public:
  using Duration = std::chrono::nanoseconds;

  LatencyHistogram();

  // Below zero counts as zero, and more than an hour as an hour.
  void Record(Duration latency);
  void Merge(const LatencyHistogram& other);
  void Clear();

  uint64_t count() const { return count_; }
  // Zero when nothing was recorded. 0 < share <= 1.
  Duration Quantile(double share) const;
  Duration Mean() const;

 private:
  static constexpr uint32_t kSteps = 64;  // Buckets of each doubling.
  static size_t BucketOf(uint64_t microseconds);
  static uint64_t LowestOf(size_t bucket);

  std::vector<uint32_t> buckets_;
  uint64_t count_ = 0;
  double sum_us_ = 0;
};

}  // namespace tradewind::pace
