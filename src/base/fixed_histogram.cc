#include "base/fixed_histogram.h"

#include <algorithm>
#include <numeric>

namespace tradewind {

void FixedHistogram::Record(double seconds) {
  if (!(seconds > 0)) seconds = 0;
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  if (bound != kBounds.end()) ++buckets_[static_cast<size_t>(bound - kBounds.begin())];
  ++count_;
  sum_seconds_ += seconds;
}

void FixedHistogram::Add(const FixedHistogram& other) {
  for (size_t bound = 0; bound < buckets_.size(); ++bound) buckets_[bound] += other.buckets_[bound];
  count_ += other.count_;
  sum_seconds_ += other.sum_seconds_;
}

uint64_t FixedHistogram::CountUpTo(size_t bound) const {
  return std::accumulate(buckets_.begin(), buckets_.begin() + static_cast<ptrdiff_t>(bound) + 1, uint64_t{0});
}

}  // namespace tradewind
