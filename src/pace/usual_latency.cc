#include "pace/usual_latency.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "pace/sensor.h"

namespace tradewind::pace {

namespace {
// As long as the window of a sensor, at the least.
constexpr double kWholeWindowSeconds = 3;
constexpr uint64_t kEnoughSamples = 20;
// With few requests it takes longer, and their p95 is the slowest of them: the mean says more.
constexpr double kFewSeconds = 5;
constexpr uint64_t kFewSamples = 3;

double Milliseconds(runtime::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}
}  // namespace

UsualLatency::Window UsualLatency::Now() const {
  return {number_, felt_move_, latencies_, Milliseconds(latencies_.Quantile(0.95))};
}

void UsualLatency::Enter(int64_t number) {
  if (number == number_) return;
  if (latencies_.count() > 0) windows_.push_back(Now());
  while (!windows_.empty() && windows_.front().number <= number - kKept / kWindow) windows_.pop_front();
  latencies_.Clear();
  felt_move_ = false;
  number_ = number;
}

void UsualLatency::Add(const UsualLatency& other) {
  std::map<int64_t, Window> both;
  for (const UsualLatency* const one : {static_cast<const UsualLatency*>(this), &other}) {
    std::deque<Window> windows = one->windows_;
    if (one->latencies_.count() > 0) windows.push_back(one->Now());
    for (Window& window : windows) {
      const auto [place, is_new] = both.try_emplace(window.number, window);
      if (is_new) continue;
      place->second.felt_move |= window.felt_move;
      place->second.latencies.Merge(window.latencies);
      place->second.p95_ms = Milliseconds(place->second.latencies.Quantile(0.95));
    }
  }
  Enter(0);
  windows_.clear();
  for (auto& [number, window] : both) windows_.push_back(std::move(window));
}

void UsualLatency::Record(runtime::TimePoint now, runtime::Duration latency) {
  Enter(NumberOf(now));
  latencies_.Record(latency);
}

void UsualLatency::NoteMove(runtime::TimePoint now) {
  Enter(NumberOf(now));
  felt_move_ = true;
}

double UsualLatency::p95_ms(runtime::TimePoint now) const {
  const int64_t oldest = NumberOf(now) - kKept / kWindow;
  std::vector<double> sorted;
  for (const Window& window : windows_)
    if (window.number > oldest && window.counts()) sorted.push_back(window.p95_ms);
  if (number_ > oldest && !felt_move_ && latencies_.count() >= kEnoughSamples)
    sorted.push_back(Milliseconds(latencies_.Quantile(0.95)));
  if (sorted.empty()) return 0;
  const auto tenth = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 10);
  std::nth_element(sorted.begin(), tenth, sorted.end());
  return *tenth;
}

UsualDuringMove::UsualDuringMove(double p95_ms) : p95_ms_(std::min(p95_ms, kMostMs)) {}

void UsualDuringMove::Note(const Reading& reading, double seconds, bool at_least) {
  const bool enough = reading.samples >= kEnoughSamples;
  if (enough && seconds >= kWholeWindowSeconds) {
    const bool better = reading.p95_ms < p95_ms_ || (at_least && reading.p95_ms > p95_ms_);
    if (better) p95_ms_ = std::min(reading.p95_ms, kMostMs);
  } else if (at_least && seconds >= kFewSeconds && reading.samples >= kFewSamples) {
    p95_ms_ = std::clamp(reading.mean_ms, p95_ms_, kMostMs);
  }
}

}  // namespace tradewind::pace
