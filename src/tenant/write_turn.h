// The right to write to a tenant: one holder at a time, first come first served. SQLite has a write lock of
// its own, which it gives to whoever asks at the right moment; the turn makes waiting fair and leaves
// SQLite's lock without contention.
//
// This core's fibers only.
#pragma once

#include <deque>

#include "runtime/fiber.h"

namespace tradewind::tenant {

class WriteTurn {
 public:
  explicit WriteTurn(runtime::Core& core) : core_(core) {}
  WriteTurn(const WriteTurn&) = delete;
  WriteTurn& operator=(const WriteTurn&) = delete;

  // Suspends until `holder` has the turn; true at once when it has it already. False when the deadline
  // passed, or somebody called GiveUp.
  bool Acquire(const void* holder, runtime::TimePoint deadline);
  // Gives the turn to the one that has waited longest. Does nothing when `holder` has not got it. Does not
  // suspend.
  void Release(const void* holder);

  // Ends the waiting of `holder`, or of all. Does not suspend.
  void GiveUp(const void* holder);
  void GiveUpAll();

  const void* holder() const { return holder_; }
  size_t waiting() const { return queue_.size(); }
  runtime::TimePoint held_since() const { return held_since_; }

 private:
  struct Waiter {
    const void* holder;
    bool given_up = false;
    runtime::Event decided = {};
  };
  void Grant(const void* holder);

  runtime::Core& core_;
  const void* holder_ = nullptr;
  runtime::TimePoint held_since_{};
  std::deque<Waiter*> queue_;
};

}  // namespace tradewind::tenant
