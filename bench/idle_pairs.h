// Pairs of measurements of what nobody uses: at the pace of latency, which is the default, and without a limit. The first
// must cost next to nothing.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

namespace tradewind::bench {

inline constexpr double kMostIdleRatio = 1.15;  // The aim for the median.

struct IdlePair {
  double paced_s = 0;
  double unlimited_s = 0;
  double ratio() const { return paced_s / unlimited_s; }
};

// One series of pairs, such as of a size.
struct IdlePairs {
  std::string what;
  std::vector<IdlePair> pairs;
  double median_ratio() const;
  bool ok() const { return !pairs.empty() && median_ratio() <= kMostIdleRatio; }
};

// A line for each pair, and the median.
std::string Text(const IdlePairs& series);
boost::json::value Json(const IdlePairs& series);

}  // namespace tradewind::bench
