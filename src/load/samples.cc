#include "load/samples.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/nearest_rank.h"

namespace tradewind::load {
namespace {

auto FirstAt(const std::vector<Sample>& samples, runtime::TimePoint at) {
  return std::lower_bound(
      samples.begin(), samples.end(), at,
      [](const Sample& sample, runtime::TimePoint time) { return sample.answered < time; });
}

LatencySummary SummaryOf(std::vector<runtime::Duration> latencies) {
  if (latencies.empty()) return {};
  std::sort(latencies.begin(), latencies.end());
  return {latencies.size(), NearestRank(latencies, 0.50), NearestRank(latencies, 0.95),
          NearestRank(latencies, 0.99), latencies.back()};
}

}  // namespace

void Samples::Record(runtime::TimePoint answered, runtime::Duration latency) {
  TW_CHECK(samples_.empty() || samples_.back().answered <= answered, "windows are found by binary search");
  samples_.push_back({answered, latency});
}

LatencySummary Samples::Summarize(const std::vector<Window>& windows) const {
  std::vector<runtime::Duration> latencies;
  for (const Window& window : windows) {
    const auto end = FirstAt(samples_, window.to);
    for (auto sample = FirstAt(samples_, window.from); sample < end; ++sample)
      latencies.push_back(sample->latency);
  }
  return SummaryOf(std::move(latencies));
}

LatencySummary Samples::SummarizeSentIn(const Window& window) const {
  std::vector<runtime::Duration> latencies;
  for (const Sample& sample : samples_) {
    const runtime::TimePoint sent = sample.answered - sample.latency;
    if (window.from <= sent && sent < window.to) latencies.push_back(sample.latency);
  }
  return SummaryOf(std::move(latencies));
}

runtime::Duration Samples::LongestGap(const Window& window) const {
  runtime::Duration longest{};
  runtime::TimePoint previous = window.from;
  const auto end = FirstAt(samples_, window.to);
  for (auto sample = FirstAt(samples_, window.from); sample < end; ++sample) {
    longest = std::max(longest, sample->answered - previous);
    previous = sample->answered;
  }
  return std::max(longest, window.to - previous);
}

}  // namespace tradewind::load
