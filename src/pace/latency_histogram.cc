#include "pace/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tradewind::pace {

namespace {
constexpr uint64_t kLargestUs = 3'600'000'000;
}

size_t LatencyHistogram::BucketOf(uint64_t microseconds) {
  if (microseconds < kSteps) return microseconds;
  const int shift = std::bit_width(microseconds) - std::bit_width(uint64_t{kSteps});
  return static_cast<size_t>(shift) * kSteps + (microseconds >> shift);
}

uint64_t LatencyHistogram::LowestOf(size_t bucket) {
  if (bucket < kSteps) return bucket;
  const uint64_t shift = bucket / kSteps - 1;
  return (bucket - shift * kSteps) << shift;
}

LatencyHistogram::LatencyHistogram() : buckets_(BucketOf(kLargestUs) + 2) {}

void LatencyHistogram::Record(Duration latency) {
  const double us = static_cast<double>(latency.count()) / 1e3;
  const uint64_t whole = us <= 0 ? 0 : std::min(kLargestUs, static_cast<uint64_t>(us));
  ++buckets_[BucketOf(whole)];
  ++count_;
  sum_us_ += std::clamp(us, 0.0, static_cast<double>(kLargestUs));
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.count_ == 0) return;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) buckets_[bucket] += other.buckets_[bucket];
  count_ += other.count_;
  sum_us_ += other.sum_us_;
}

void LatencyHistogram::Clear() {
  if (count_ > 0) std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = 0;
  sum_us_ = 0;
}

LatencyHistogram::Duration LatencyHistogram::Quantile(double share) const {
  if (count_ == 0) return {};
  const double wanted = std::max(1.0, share * static_cast<double>(count_));
  double seen = 0;
  for (size_t bucket = 0; bucket + 1 < buckets_.size(); ++bucket) {
    if (buckets_[bucket] == 0) continue;
    if (seen + buckets_[bucket] < wanted) {
      seen += buckets_[bucket];
      continue;
    }
    // Those of a bucket are taken to lie evenly in it.
    const double within = (wanted - seen) / buckets_[bucket];
    const auto low = static_cast<double>(LowestOf(bucket));
    const auto high = static_cast<double>(LowestOf(bucket + 1));
    return Duration(std::llround((low + within * (high - low)) * 1e3));
  }
  return Duration(static_cast<int64_t>(kLargestUs) * 1000);
}

LatencyHistogram::Duration LatencyHistogram::Mean() const {
  if (count_ == 0) return {};
  return Duration(std::llround(sum_us_ / static_cast<double>(count_) * 1e3));
}

}  // namespace tradewind::pace
