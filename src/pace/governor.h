// How fast a node's moves may send: as fast as they can while there is nobody to slow down, and what the
// RateController says while there is. docs/decisions/0005 says why each step is as it is.
//
//   free     no limit. Nobody is there: no request runs and few have run of late; or those few are within their
//            setpoint nevertheless. Left as soon as one is over it.
//   falling  somebody is: the rate is halved at each look that shows latency over the setpoint of requests that
//            have arrived since the last halving, until one does not. So it is down from any rate in less than
//            a second, and the requests of before do not make it fall on.
//   paced    the controller goes on from there, and knows where the rate was too high.
//
// Requests that come seldom must not each find full speed again. After a fall it is free again only when
// it has been quiet for several times as long as between the last requests.
//
// Time is the caller's, and does not go back.
#pragma once

#include <cstdint>

#include "pace/decaying_peak.h"
#include "pace/rate_controller.h"
#include "pace/sensor.h"
#include "runtime/core.h"

namespace tradewind::pace {

class Governor {
 public:
  // Between two looks.
  static constexpr std::chrono::milliseconds kPause{250};
  static constexpr std::chrono::milliseconds kShortPause{100};

  // What is seen at all ends of the moves together.
  struct Look {
    // An end did not say for a while how it stands there.
    bool unknown = false;
    Activity activity;
    // Latency by setpoint of what has arrived since since(), the worst there is; 0 without samples.
    double ratio = 0;
    double idle_ratio = 0;  // The same of what is usual; 0 when that is not known.
    uint64_t samples = 0;   // Of the ratio.
    // What the moves have sent since the last step.
    double used_bytes_per_s = 0;
  };

  explicit Governor(ControllerOptions options = {});

  // The rate from now on, in bytes a second; 0 is no limit.
  double Step(const Look& look, runtime::TimePoint now);
  // Requests that arrived before do not count; the epoch of time: all do that a window holds.
  runtime::TimePoint since() const { return since_; }
  // Counts the changes of since() after which an earlier reading is of no use.
  uint64_t era() const { return era_; }
  runtime::Duration pause() const { return state_ == State::kPaced ? kPause : kShortPause; }

  void NoteSetpointChange(double factor) { controller_.NoteSetpointChange(factor); }
  void SetFloor(double bytes_per_s);

  double rate() const { return state_ == State::kFree ? 0 : rate_; }
  bool free() const { return state_ == State::kFree; }
  bool paced() const { return state_ == State::kPaced; }
  bool at_floor() const { return !free() && rate_ <= options_.floor_bytes_per_s * 1.001; }

 private:
  enum class State { kFree, kFalling, kPaced };

  bool IsNobodyThere(const Look& look) const;
  void GoFree(runtime::TimePoint now);
  void Fall(const Look& look, runtime::TimePoint now);
  void GoPaced(double rate, double knee);
  void StepFree(const Look& look, runtime::TimePoint now);
  void StepFalling(const Look& look, runtime::TimePoint now);
  void StepPaced(const Look& look, runtime::TimePoint now);
  void CountFrom(runtime::TimePoint since);

  ControllerOptions options_;
  RateController controller_;
  State state_ = State::kPaced;
  double rate_;
  double too_fast_ = 0;  // The last rate that was, while it falls.
  bool wary_ = false;    // It has fallen, and has not been free since.
  bool stepped_ = false;
  runtime::TimePoint last_step_{};
  DecayingPeak used_;
  runtime::TimePoint since_{};
  uint64_t era_ = 0;
};

}  // namespace tradewind::pace
