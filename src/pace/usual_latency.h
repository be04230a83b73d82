// What latency usually is, beside a move: that which the default setpoint of a move is a multiple of.
//
// Before a move it is read from the windows of the last minutes. Neither a bulk load just before must make it
// high, nor a pause make it low: so it is the p95 of the lowest tenth of the windows, of those that have enough
// requests and in which no move was felt. One client that does nothing but send statements of 50 ms has not.
//
// During a move it is corrected, since the load may be another one by then. Latency beside a move is at least
// what it is without, so a lower p95 than the usual is a better guess of it. And where the move is as slow as it
// ever gets, and latency is still higher, it is not the move that makes it so. Without the first a load
// that has ended would leave a loose setpoint, without the second a node that is slow would never get rid of a
// tenant.
#pragma once

#include <cstdint>
#include <deque>

#include "pace/latency_histogram.h"
#include "runtime/core.h"

namespace tradewind::pace {

struct Reading;

class UsualLatency {
 public:
  static constexpr std::chrono::seconds kWindow{5};
  static constexpr std::chrono::minutes kKept{5};
  static constexpr uint64_t kEnoughSamples = 100;  // In a window.

  void Record(runtime::TimePoint now, runtime::Duration latency);
  // The window of now does not count.
  void NoteMove(runtime::TimePoint now);
  // What another one holds, of other requests by the same clock, is in this one too.
  void Add(const UsualLatency& other);
  // 0 when it is not known.
  double p95_ms(runtime::TimePoint now) const;

 private:
  struct Window {
    int64_t number;
    bool felt_move;
    LatencyHistogram latencies;
    double p95_ms;  // Of latencies.
    bool counts() const { return !felt_move && latencies.count() >= kEnoughSamples; }
  };
  static int64_t NumberOf(runtime::TimePoint now) { return now.time_since_epoch() / kWindow; }
  void Enter(int64_t number);
  Window Now() const;

  std::deque<Window> windows_;  // Those before that of now in which there was a request, the newest last.
  int64_t number_ = 0;
  bool felt_move_ = false;
  LatencyHistogram latencies_;  // Of the window `number_`.
};

class UsualDuringMove {
 public:
  static constexpr double kMostMs = 500;  // Beyond it nothing is usual.

  // From before the move; 0 when it is not known.
  explicit UsualDuringMove(double p95_ms = 0);
  // What requests of the last `seconds` took, all of them beside the move. `at_least`: the move was as slow as it
  // gets all the while.
  void Note(const Reading& reading, double seconds, bool at_least);
  double p95_ms() const { return p95_ms_; }

 private:
  double p95_ms_;
};

}  // namespace tradewind::pace
