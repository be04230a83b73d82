// How long something took, counted in buckets that are the same for whatever is counted, on every node and in every
// version: so what several cores and nodes have counted adds up bucket by bucket, as Prometheus adds histograms up.
// For a quantile of what one place has seen there is pace/latency_histogram.h, which is finer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tradewind {

class FixedHistogram {
 public:
  // Seconds. A bucket holds what is above the bound before and no more than its own; what is above the last one is in
  // none of them, and only in count().
  static constexpr std::array<double, 25> kBounds = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25, 0.5,  1,
      2.5,    5,       10,     25,    50,     100,   250,  500,   1000, 2500, 5000, 10000};

  // Less than zero, and what is no number, counts as zero.
  void Record(double seconds);
  void Add(const FixedHistogram& other);

  uint64_t count() const { return count_; }
  double sum_seconds() const { return sum_seconds_; }
  // How many took no longer than kBounds[bound].
  uint64_t CountUpTo(size_t bound) const;

 private:
  std::array<uint64_t, kBounds.size()> buckets_{};
  uint64_t count_ = 0;
  double sum_seconds_ = 0;
};

}  // namespace tradewind
