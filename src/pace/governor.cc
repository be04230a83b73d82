#include "pace/governor.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tradewind::pace {

namespace {
constexpr double kUsedSeconds = 0.25;  // In which what was used is forgotten: moves pause now and then.
// Requests of late (Activity) that are a load, and not somebody who looks what is there.
constexpr uint64_t kLoad = 5;
// Without a fall before, a load that is within its setpoint at full speed is a matter of the controller when so many
// requests say so.
constexpr uint64_t kSure = 20;
// After a fall: quiet for so many times the longest gap between requests of late, within these.
constexpr double kQuietByGap = 3;
constexpr double kLeastQuietSeconds = 0.5;
constexpr double kMostQuietSeconds = 30;
// Enough to believe that a rate is low enough; with fewer requests they are waited for so long.
constexpr uint64_t kEnough = 10;
constexpr std::chrono::milliseconds kWaitForEnough{300};
// With fewer than that each is a look of its own, and the next may be long in coming: it falls by what is seen.
constexpr uint64_t kFew = 4;
constexpr double kFall = 0.5;
constexpr double kDeepestFall = 0.125;
}  // namespace

Governor::Governor(ControllerOptions options)
    : options_(options), controller_(options), rate_(controller_.rate()), used_(kUsedSeconds) {}

void Governor::SetFloor(double bytes_per_s) {
  options_.floor_bytes_per_s = bytes_per_s;
  controller_.SetFloor(bytes_per_s);
  rate_ = std::max(rate_, bytes_per_s);
}

void Governor::CountFrom(runtime::TimePoint since) {
  since_ = since;
  ++era_;
}

bool Governor::IsNobodyThere(const Look& look) const {
  if (look.unknown || look.activity.under_way > 0) return false;
  if (!wary_) return look.activity.lately < kLoad;
  return look.activity.quiet_s >=
         std::clamp(kQuietByGap * look.activity.gap_s, kLeastQuietSeconds, kMostQuietSeconds);
}

double Governor::Step(const Look& look, runtime::TimePoint now) {
  const double seconds = stepped_ ? std::chrono::duration<double>(now - last_step_).count() : 0;
  used_.Note(look.used_bytes_per_s, seconds);
  if (state_ != State::kFree && IsNobodyThere(look)) {
    GoFree(now);
  } else {
    switch (state_) {
      case State::kFree: StepFree(look, now); break;
      case State::kFalling: StepFalling(look, now); break;
      case State::kPaced: StepPaced(look, now); break;
    }
  }
  stepped_ = true;
  last_step_ = now;
  return rate();
}

void Governor::GoFree(runtime::TimePoint now) {
  state_ = State::kFree;
  wary_ = false;
  CountFrom(now);
}

void Governor::StepFree(const Look& look, runtime::TimePoint now) {
  const double used = used_.value();
  const double start = std::max(options_.start_bytes_per_s, options_.floor_bytes_per_s);
  if (look.ratio > 1) {
    wary_ = true;
    // What has sent next to nothing is not what makes them slow.
    if (used <= start) {
      CountFrom(now);
      return GoPaced(start, 0);
    }
    rate_ = used;
    return Fall(look, now);
  }
  if (look.unknown) {
    CountFrom(now);
    return GoPaced(start, 0);
  }
  if (look.activity.lately >= kLoad && look.samples >= kSure) return GoPaced(std::max(used, start), 0);
  // Only what is new can be of this moment's doing.
  since_ = std::max(since_, now - std::chrono::duration_cast<runtime::Duration>(LatencyWindow::kNewest));
}

void Governor::Fall(const Look& look, runtime::TimePoint now) {
  state_ = State::kFalling;
  too_fast_ = rate_;
  const double factor = look.samples < kFew ? std::clamp(1 / look.ratio, kDeepestFall, kFall) : kFall;
  rate_ = std::max(rate_ * factor, options_.floor_bytes_per_s);
  CountFrom(now);
  if (at_floor()) GoPaced(rate_, too_fast_);
}

void Governor::StepFalling(const Look& look, runtime::TimePoint now) {
  const bool waited = now - since_ >= kWaitForEnough;
  if (look.samples == 0 || (look.samples < kEnough && !waited && look.ratio <= 1)) return;
  if (look.ratio > 1) return Fall(look, now);
  GoPaced(rate_, std::sqrt(rate_ * too_fast_));
}

void Governor::GoPaced(double rate, double knee) {
  state_ = State::kPaced;
  controller_.StartAt(rate, knee);
  rate_ = controller_.rate();
}

void Governor::StepPaced(const Look& look, runtime::TimePoint now) {
  if (!std::exchange(stepped_, true)) {
    last_step_ = now - kPause;
    // What is over its setpoint before a move has sent anything is not of its doing, such as a bulk load.
    if (look.ratio > 1) return CountFrom(now);
  }
  // Nothing new is known, so nothing changes. Of requests that come seldom each would count many times, and to rise
  // without any is to find out at the cost of the next.
  const double pause = std::chrono::duration<double>(now - last_step_).count();
  if (look.samples == 0 || look.activity.quiet_s > pause) return;
  rate_ = controller_.Step(
      {.ratio = look.ratio, .idle_ratio = look.idle_ratio, .used_bytes_per_s = look.used_bytes_per_s},
      now - last_step_);
}

}  // namespace tradewind::pace
