// A lock for fibers: one holder at a time, first come first served.
//
// It is handed over where it is given back, and not when the next one wakes, so nobody slips in between. The holder is
// whatever the caller names it by. This core's fibers only.
#pragma once

#include <list>

#include "runtime/fiber.h"

namespace tradewind::runtime {

class FairLock {
 public:
  explicit FairLock(Core& core) : core_(core) {}
  FairLock(const FairLock&) = delete;
  FairLock& operator=(const FairLock&) = delete;

  // Suspends until `holder` has the lock; true at once when it has it already. False when the deadline
  // passed, or somebody called GiveUp.
  bool Acquire(const void* holder, TimePoint deadline = TimePoint::max());
  // Gives the lock to the one that has waited longest. Does nothing when `holder` has not got it. Does not
  // suspend.
  void Release(const void* holder);

  // Ends the waiting of `holder`, or of all. Does not suspend.
  void GiveUp(const void* holder);
  void GiveUpAll();

  const void* holder() const { return holder_; }
  size_t waiting() const { return queue_.size(); }
  TimePoint held_since() const { return held_since_; }

  // Holds the lock while it lives. The constructor suspends. Requires: nobody calls GiveUpAll() on this lock.
  class Hold {
   public:
    explicit Hold(FairLock& lock);
    ~Hold() { lock_.Release(this); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    FairLock& lock_;
  };

 private:
  struct Waiter {
    const void* holder;
    bool given_up = false;
    Event decided = {};
  };
  void Grant(const void* holder);

  Core& core_;
  const void* holder_ = nullptr;
  TimePoint held_since_{};
  std::list<Waiter*> queue_;
};

}  // namespace tradewind::runtime
