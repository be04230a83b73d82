// What code that runs in a fiber can do with itself, and the ways in which fibers wait for each other.
//
// A fiber is a stackful coroutine on a core (Boost.Context). It runs until it suspends; nothing else on its
// core runs meanwhile, so state of a core needs no lock, and code between two suspensions is atomic.
// Functions that may suspend say so. All of this is for one core: an object here is used by the fibers and
// tasks of one core only.
//
// Not allowed to suspend: a destructor or a catch block (exception state belongs to the thread), and SQLite's
// shared-memory and lock calls, its write of a commit's last frame, and what comes between that and the commit's end.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>

#include "runtime/core.h"

namespace tradewind::runtime {

class Fiber;

// The fiber that runs now; null outside fibers.
Fiber* CurrentFiber();
// The core that runs now. Requires a fiber.
Core& CurrentCore();

// Suspends the calling fiber until Wake() is called on it. Spurious returns do not happen.
void Suspend();
// Makes a suspended fiber run again at a later turn of its core's loop. Exactly one Wake for each Suspend; it
// may come only after the fiber has suspended (use WaitQueue unless you are implementing an I/O call). This
// core only.
void Wake(Fiber* fiber);

// Gives back to the system what the calling fiber's stack has had below the current frame: for one that is about to wait for
// long and will not be as deep again. Takes about as long as a system call.
void ReleaseUnusedStack();

// Lets everything that is ready run first; of what takes turns (turns.h), whose turn it is. Suspends.
void Yield();
// Suspends.
void SleepUntil(TimePoint at);
void SleepFor(Duration duration);

// Fibers waiting for something, first come first served.
class WaitQueue {
 public:
  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  ~WaitQueue();  // Requires: no one waits.

  // Suspends until notified.
  void Wait();
  // Suspends until notified (true) or until the deadline has passed (false).
  bool WaitUntil(TimePoint deadline);
  void NotifyOne();
  void NotifyAll();
  bool empty() const { return waiters_.empty(); }
  size_t size() const { return waiters_.size(); }

 private:
  struct Waiter;
  std::list<Waiter*> waiters_;  // Most queues are empty for nearly always: that costs nothing here.
};

// Suspends until `condition` holds; `queue` must be notified whenever it may have come true.
template <typename Condition>
void WaitFor(WaitQueue& queue, Condition condition) {
  while (!condition()) queue.Wait();
}
// The same with a deadline; false when it passed first.
template <typename Condition>
bool WaitForUntil(WaitQueue& queue, TimePoint deadline, Condition condition) {
  while (!condition())
    if (!queue.WaitUntil(deadline)) return condition();
  return true;
}

// A one-shot signal. Wait returns at once when it is set already.
class Event {
 public:
  void Set() {
    set_ = true;
    queue_.NotifyAll();
  }
  bool is_set() const { return set_; }
  void Wait() {
    WaitFor(queue_, [&] { return set_; });
  }
  bool WaitUntil(TimePoint deadline) {
    return WaitForUntil(queue_, deadline, [&] { return set_; });
  }

 private:
  bool set_ = false;
  WaitQueue queue_;
};

// Counts fibers or other work in progress, so that an owner can wait for all of it before it goes away.
class TaskGroup {
 public:
  explicit TaskGroup(Core& core) : core_(core) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();  // Requires: every fiber of the group has returned.
  // Starts a fiber that the group waits for.
  void Spawn(std::string name, std::function<void()> body);
  // Suspends until every fiber of the group has returned.
  void Join();
  size_t size() const { return running_; }

 private:
  Core& core_;
  size_t running_ = 0;
  WaitQueue idle_;
};

}  // namespace tradewind::runtime
