// How fast a node's moves may send, so that a latency stays at its setpoint: Slacker's PID controller in
// velocity form (Barker et al., EDBT 2012, section 4.2), with two changes that docs/decisions/0003 argues:
//
//   - it works on logarithms, of the rate and of latency by setpoint. Slacker's gains are in MB/s per ms of
//     one machine; a rise of 10 percent means the same at 2 MB/s and at 200, so one set of gains does.
//   - the gains are divided by the elasticity E = d ln(latency) / d ln(rate), which grows a hundredfold on
//     the way to saturation. Where requests and moves queue for one server, latency is
//     idle / (1 - rate / most), so E = latency / idle - 1, and the idle latency is known: it is that of
//     before the move.
//
// Step k, with x = ln(latency / setpoint), bounded, and u = ln(rate):
//   du = -(Kp (x[k] - x[k-1]) + Kd (x[k] - 2 x[k-1] + x[k-2]) / dt) / E' - Ki x[k] dt / E
// with E at x[k], and E' at the highest of the three samples, so that a spike is left as it was entered.
// The proportional and derivative terms see the latency and not the error, so a change of setpoint gives no
// kick. The velocity form has no sum that could wind up; beyond that a rate that is not used up (another
// thing is the bottleneck) is not raised, and a fall begins at what is used; du is bounded by the slew
// limits.
//
// Where a link or a disk is full, latency rises tenfold within a few percent of rate, and no elasticity of
// before says so. So the rate at which latency last went over its setpoint, the knee, is remembered, as TCP
// CUBIC does with its window (Ha, Rhee and Xu, 2008): with slack the rate comes back to near the knee soon,
// goes on slowly there, and the faster the longer all is well. What was a disturbance of another's making costs
// little then, and what was the cliff is not fallen off again at once.
#pragma once

#include <cstdint>

#include "pace/decaying_peak.h"
#include "runtime/core.h"

namespace tradewind::pace {

struct ControllerOptions {
  double kp = 0.3;
  double ki_per_s = 0.3;
  double kd_s = 0.02;
  double rise_per_s = 2.5;  // Most change of ln(rate) upwards, and downwards.
  double fall_per_s = 6.0;
  double start_bytes_per_s = 8e6;
  double floor_bytes_per_s = 1e6;  // A move always ends.
  double ceiling_bytes_per_s = 8e9;
};

// The rate at which latency last went over its setpoint. Of logarithms: x of latency by setpoint, u of the rate.
class Knee {
 public:
  void Note(double x, double u, double seconds);
  // The change of u in the next `seconds`, when there is slack and the controller would rise by `change`.
  double Rise(double change, double u, double seconds) const;
  void Forget() { known_ = false; }
  // It is there, and latency is below its setpoint now.
  void Set(double u);
  bool known() const { return known_; }

 private:
  bool known_ = false;
  bool was_below_ = true;  // Latency, since the knee was noted.
  double u_ = 0;
  double seconds_ = 0;  // Since then.
};

class RateController {
 public:
  explicit RateController(ControllerOptions options = {});

  struct Input {
    // Latency by setpoint, the worst there is; 0 when there is no sample: nobody is there to be slowed down.
    double ratio = 0;
    // Latency before the move by setpoint; 0 when it is not known.
    double idle_ratio = 0;
    // What the moves have sent since the last step. Well below the rate something else is the bottleneck.
    double used_bytes_per_s = 0;
  };
  // The rate from now on, in bytes a second; dt is the time since the last step.
  double Step(const Input& input, runtime::Duration dt);

  // Goes on from this rate. At `knee` bytes a second latency was over its setpoint; 0 when that is not known.
  void StartAt(double bytes_per_s, double knee);
  // The setpoint is `factor` times what it was: the next step takes that for no change of latency.
  void NoteSetpointChange(double factor);
  void SetFloor(double bytes_per_s);

  double rate() const { return rate_; }
  bool at_floor() const { return rate_ <= options_.floor_bytes_per_s * 1.001; }

 private:
  ControllerOptions options_;
  double rate_;
  bool has_last_ = false;
  double last_ = 0;
  double last_but_one_ = 0;
  DecayingPeak used_;  // Bytes a second.
  Knee knee_;
};

}  // namespace tradewind::pace
