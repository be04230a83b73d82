// Requests that arrive at a fixed rate whatever the server does, as those of many independent users do.
// Latency is to be counted from the moment at which a request was meant to be sent: a server that stalls for
// a second makes a second's worth of requests late, and all of them show it (a closed loop would show one a
// client).
//
// A fixed number of workers takes the arrivals in their order, so that connections are bounded; when all of
// them wait, the arrivals behind them are sent as soon as one is free, late. One core only.
#pragma once

#include <functional>

#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::load {

struct OpenLoopOptions {
  double per_second = 100;
  int workers = 32;
};

class OpenLoop {
 public:
  // One arrival; `arrival` counts from 0. May suspend.
  using Request = std::function<void(uint64_t arrival, runtime::TimePoint intended)>;

  // Requires: a rate above 0, and a worker.
  OpenLoop(runtime::Core& core, OpenLoopOptions options, Request request);
  ~OpenLoop();  // Requires: Stop() has returned, or Start() was never called.

  void Start();
  // Suspends until every arrival up to now has been sent and answered.
  void Stop();

 private:
  void Work();
  runtime::TimePoint TimeOf(uint64_t arrival) const;

  runtime::Core& core_;
  const OpenLoopOptions options_;
  const Request request_;
  runtime::TimePoint started_{};
  runtime::TimePoint end_ = runtime::TimePoint::max();
  uint64_t next_ = 0;
  runtime::Event stopping_;
  runtime::TaskGroup running_;
};

}  // namespace tradewind::load
