#include "pace/progress.h"

#include <algorithm>
#include <vector>

namespace tradewind::pace {

double Progress::RateBetween(const Point& from, const Point& to) {
  const double seconds = std::chrono::duration<double>(to.at - from.at).count();
  return seconds <= 0 ? 0 : static_cast<double>(to.bytes - from.bytes) / seconds;
}

void Progress::Note(runtime::TimePoint now, uint64_t bytes) {
  newest_ = {now, bytes};
  if (!points_.empty() && now - points_.back().at < kStep) return;
  points_.push_back(newest_);
  if (points_.size() > kSteps) points_.pop_front();
}

std::optional<double> Progress::rate() const {
  if (points_.empty() || newest_.at - points_.front().at < kStep) return std::nullopt;
  return RateBetween(points_.front(), newest_);
}

std::optional<Eta> Progress::Estimate(uint64_t bytes_left) const {
  const std::optional<double> usual = rate();
  if (!usual || *usual <= 0) return std::nullopt;
  std::vector<double> rates;
  for (size_t at = 1; at < points_.size(); ++at) rates.push_back(RateBetween(points_[at - 1], points_[at]));
  std::sort(rates.begin(), rates.end());
  const size_t tail = rates.size() / 10;
  const double fast = rates.empty() ? *usual : std::max(*usual, rates[rates.size() - 1 - tail]);
  const double slow = rates.empty() ? *usual : std::min(*usual, rates[tail]);
  const auto left = static_cast<double>(bytes_left);
  // A step in which nothing moved says nothing about how long it can take.
  return Eta{left / *usual, left / fast, left / std::max(slow, *usual / 10)};
}

}  // namespace tradewind::pace
