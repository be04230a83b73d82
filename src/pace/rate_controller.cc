#include "pace/rate_controller.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tradewind::pace {

namespace {
// Of ln(latency / setpoint): beyond these more makes no difference.
constexpr double kMostSlack = -1.2;
constexpr double kMostExcess = 1.6;
constexpr double kLeastElasticity = 0.2;  // Below it noise would be taken for slack.
constexpr double kMostElasticity = 5;
constexpr double kMostUnused = 1.25;  // Rate by what is used of it.
constexpr double kMostRise = 1.9;     // New rate by what was used of the last.
constexpr double kUsedSeconds = 0.5;  // In which what was used is forgotten: moves pause now and then.
// Of the knee: what is near it, how fast (a second) the rate comes back to there, and how it goes on, after t
// seconds: kGoOn + kGoOnLater t^2, of ln(rate) a second.
constexpr double kNear = 0.1;
constexpr double kComeBack = 1.0;
constexpr double kGoOn = 0.02;
constexpr double kGoOnLater = 0.03;
constexpr double kSlack = -0.05;  // Of ln(latency / setpoint), below which there is some.

// Above the setpoint it is that of the setpoint: a fall must not get slower the more there is to fall.
double ElasticityAt(double ratio, double idle_ratio) {
  if (idle_ratio <= 0) return 1;
  return std::clamp(std::min(ratio, 1.0) / idle_ratio - 1, kLeastElasticity, kMostElasticity);
}
}  // namespace

void Knee::Note(double x, double u, double seconds) {
  seconds_ += seconds;
  if (x > 0 && std::exchange(was_below_, false)) {
    known_ = true;
    u_ = u;
    seconds_ = 0;
  }
  if (x < 0) was_below_ = true;
}

void Knee::Set(double u) {
  known_ = true;
  was_below_ = true;
  u_ = u;
  seconds_ = 0;
}

double Knee::Rise(double change, double u, double seconds) const {
  const double room = u_ - kNear - u;
  if (room > 0) return std::max(change, room * std::min(1.0, kComeBack * seconds));
  return std::min(change, (kGoOn + kGoOnLater * seconds_ * seconds_) * seconds);
}

RateController::RateController(ControllerOptions options)
    : options_(options),
      rate_(std::max(options.start_bytes_per_s, options.floor_bytes_per_s)),
      used_(kUsedSeconds) {}

double RateController::Step(const Input& input, runtime::Duration dt) {
  const double seconds = std::chrono::duration<double>(dt).count();
  if (seconds <= 0) return rate_;
  const double x = input.ratio <= 0 ? kMostSlack : std::clamp(std::log(input.ratio), kMostSlack, kMostExcess);
  if (!has_last_) last_ = last_but_one_ = x;
  has_last_ = true;
  // What compares samples takes the elasticity of the highest of them. That of the last would make much of the
  // way back from a spike, and of the bend at its end, which would be taken for a rise.
  const double highest = std::exp(std::max({x, last_, last_but_one_}));
  double change = -(options_.kp * (x - last_) + options_.kd_s * (x - 2 * last_ + last_but_one_) / seconds) /
                      ElasticityAt(highest, input.idle_ratio) -
                  options_.ki_per_s * x * seconds / ElasticityAt(input.ratio, input.idle_ratio);
  last_but_one_ = last_;
  last_ = x;
  used_.Note(input.used_bytes_per_s, seconds);
  const double used = used_.value();
  knee_.Note(x, std::log(std::clamp(used, options_.floor_bytes_per_s, rate_)), seconds);
  if (input.ratio <= 0) knee_.Forget();  // Nobody is there any more.
  if (x < kSlack && change >= 0 && knee_.known()) change = knee_.Rise(change, std::log(rate_), seconds);
  change = std::clamp(change, -options_.fall_per_s * seconds, options_.rise_per_s * seconds);
  if (used < rate_ / kMostUnused) {
    if (change > 0) change = 0;
    // To take away what is not used would change nothing, and so delay the fall. With slack there is none to delay:
    // a move that still prepares has sent nothing, and would begin at the floor.
    if (change < 0 && x > 0) rate_ = std::max(used * kMostUnused, options_.floor_bytes_per_s);
  }
  double next = rate_ * std::exp(change);
  if (change > 0) next = std::min(next, std::max(rate_, used * kMostRise));
  rate_ = std::clamp(next, options_.floor_bytes_per_s,
                     std::max(options_.floor_bytes_per_s, options_.ceiling_bytes_per_s));
  return rate_;
}

void RateController::StartAt(double bytes_per_s, double knee) {
  rate_ = std::clamp(bytes_per_s, options_.floor_bytes_per_s,
                     std::max(options_.floor_bytes_per_s, options_.ceiling_bytes_per_s));
  has_last_ = false;
  used_.Clear();
  used_.Note(rate_, 0);  // Or it would fall for want of use before anything is sent.
  knee_.Forget();
  if (knee > 0) knee_.Set(std::log(knee));
}

void RateController::NoteSetpointChange(double factor) {
  if (factor <= 0) return;
  last_ = std::clamp(last_ - std::log(factor), kMostSlack, kMostExcess);
  last_but_one_ = std::clamp(last_but_one_ - std::log(factor), kMostSlack, kMostExcess);
  if (factor != 1) knee_.Forget();
}

void RateController::SetFloor(double bytes_per_s) {
  options_.floor_bytes_per_s = bytes_per_s;
  rate_ = std::max(rate_, bytes_per_s);
}

}  // namespace tradewind::pace
