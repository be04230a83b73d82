#include "pace/bottleneck.h"

#include <algorithm>
#include <cmath>

namespace tradewind::pace {

std::string_view Bottleneck::NameOf(Cause cause) {
  static constexpr std::array<std::string_view, 4> kNames = {"disk", "pace", "peer", "network"};
  return kNames[static_cast<size_t>(cause)];
}

void Bottleneck::Note(Cause cause, runtime::TimePoint now) {
  const double seconds = std::chrono::duration<double>(now - noted_).count();
  const double kept = std::exp(-seconds / std::chrono::duration<double>(kRemembered).count());
  for (double& sum : seconds_) sum *= kept;
  seconds_[static_cast<size_t>(cause)] += seconds;
  noted_ = now;
}

std::optional<Bottleneck::Cause> Bottleneck::Worst(runtime::TimePoint now, std::optional<Cause> but) const {
  std::array<double, 4> seconds = seconds_;
  if (but) seconds[static_cast<size_t>(*but)] = 0;
  const auto worst = std::max_element(seconds.begin(), seconds.end());
  if (*worst <= 0 || now - noted_ > 2 * kRemembered) return std::nullopt;
  return static_cast<Cause>(worst - seconds.begin());
}

}  // namespace tradewind::pace
