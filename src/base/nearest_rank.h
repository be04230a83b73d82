// Percentiles of what was kept one by one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace tradewind {

// The smallest value that at least `share` of all do not exceed (nearest rank). Requires: `sorted` is, and is not empty.
template <typename T>
T NearestRank(const std::vector<T>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace tradewind
