#include "pace/usual_latency.h"

#include <algorithm>
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

void UsualLatency::Enter(int64_t number) {
  if (number == number_) return;
  if (counts()) windows_.push_back({number_, Milliseconds(latencies_.Quantile(0.95))});
  while (!windows_.empty() && windows_.front().number <= number - kKept / kWindow) windows_.pop_front();
  latencies_.Clear();
  felt_move_ = false;
  number_ = number;
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
    if (window.number > oldest) sorted.push_back(window.p95_ms);
  if (counts() && number_ > oldest) sorted.push_back(Milliseconds(latencies_.Quantile(0.95)));
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
