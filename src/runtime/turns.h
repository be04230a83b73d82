// How the fibers of a core share it. A fiber that is about to work for a tenant says so for as long as it does
// (Turns), and takes turns from then on with all others that do: by tenant, then within a tenant (turn_queue.h).
// What works for nobody in particular (input and output, moves, the admin API) does not wait for them.
//
// A turn ends where the fiber suspends. So whatever takes long calls YieldIfTurnIsOver() now and then: a turn is over
// after limits::kTimeSlice, and before it as soon as there is something that goes first: input, unless the fiber holds
// a lock and is short, and for a request that is long already, or what works for nobody, any that is short. How long
// turns are in truth, and what the long ones did, is measured (turn_watch.h).
#pragma once

#include <string_view>

#include "runtime/core.h"

namespace tradewind::runtime {

class Fiber;
class FiberScheduler;
struct MeteredShare;

// While it lives the calling fiber takes its turns as one of the tenant's; it may have to wait for the first one.
// Within another one, and outside fibers, it does nothing. The constructor suspends.
class Turns {
 public:
  explicit Turns(std::string_view tenant);
  ~Turns();
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

 private:
  Fiber* fiber_;
};

// What the turns of a tenant take of the core on which it is made, while it lives. Not outside fibers.
class RunTimeMeter {
 public:
  explicit RunTimeMeter(std::string_view tenant);
  ~RunTimeMeter();
  RunTimeMeter(const RunTimeMeter&) = delete;
  RunTimeMeter& operator=(const RunTimeMeter&) = delete;

  // By those that have ended since it was made.
  Duration used() const;

 private:
  FiberScheduler& scheduler_;
  MeteredShare& share_;
  const Duration before_;
};

// While it lives the calling fiber, which there must be, holds a lock that others may wait for.
class LockHeld {
 public:
  LockHeld();
  ~LockHeld();
  LockHeld(const LockHeld&) = delete;
  LockHeld& operator=(const LockHeld&) = delete;

 private:
  Fiber* fiber_;
};

// Whether the running turn is over; looks at the clock, and may look for input. Not outside fibers.
bool IsTurnOver();
// Lets others run if the running turn is over. Outside fibers it does nothing. Suspends.
void YieldIfTurnIsOver();

// Says what the calling fiber does while it lives, a literal, for the measurement of turns. Looks at the clock
// twice.
class Activity {
 public:
  explicit Activity(const char* label);
  ~Activity();
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

 private:
  Fiber* fiber_;
  const char* outer_ = nullptr;
};

}  // namespace tradewind::runtime
