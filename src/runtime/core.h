// A core: one thread, one event loop, and the fibers that run on it. It is also the one way to a clock, a
// timer, a socket, a disk, a thread and a random number (docs/architecture.md), so that a simulation can
// replace all of them.
//
// Threads: everything of a core is used on its own thread only, except Post(), which any thread may call. What
// belongs to a core says so at its public entries (AssertHere). The cores of a node share nothing but calls
// (call_on.h).
//
//   real_core.h     the operating system's clock, sockets, files and threads (Boost.Asio)
//   sim/            virtual time, an in-memory network and an in-memory disk; many cores in one thread from
//                   one seed
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"

namespace tradewind::runtime {

class CoreCall;
class Descriptors;
class Disk;
class Network;
class FiberScheduler;
class TurnWatch;

using Duration = std::chrono::nanoseconds;
// Monotonic time of a core. Under simulation it is virtual and starts at zero.
struct MonotonicClock {
  using rep = int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using TimePoint = MonotonicClock::time_point;

class Core {
 public:
  Core();
  virtual ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Starts a fiber; it runs for the first time at the next turn of the loop. The name is for logs. The body
  // must return by itself: a suspended fiber is never destroyed (it may hold SQLite's write lock).
  void Spawn(std::string name, std::function<void()> body);

  // Runs `task` on the core's thread, outside any fiber, at a later turn of the loop; tasks run in the order
  // of their posting. The task must not suspend. May be called from any thread.
  virtual void Post(std::function<void()> task) = 0;

  virtual TimePoint Now() const = 0;
  // The time by which turns are measured: where time is virtual, to look at it takes none.
  virtual TimePoint TurnTime() const { return Now(); }
  // What the core's thread has had of its processor.
  virtual Duration ProcessorTime() const { return TurnTime().time_since_epoch(); }
  // Milliseconds since 1970-01-01 UTC.
  virtual int64_t UnixMilliseconds() const = 0;

  // Calls `task` as Post() would, once `at` has passed. The id is never 0.
  using TimerId = uint64_t;
  virtual TimerId StartTimer(TimePoint at, std::function<void()> task) = 0;
  // After this the task does not run. An id that has fired already is fine.
  virtual void CancelTimer(TimerId id) = 0;

  // Runs `work` on a thread that may block, and suspends the calling fiber until it has returned. `work` must
  // not touch anything of the core. Outside a fiber it runs at once, on this thread.
  virtual void RunOffCore(std::function<void()> work) = 0;

  // Makes ready what waits for input that has come, if nobody has looked since limits::kPollInterval. Where time is
  // virtual there is nothing to look at. It is `now`.
  virtual void LookForInput(TimePoint /*now*/) {}

  virtual void FillRandom(MutableBytes bytes) = 0;

  virtual Network& network() = 0;
  virtual Disk& disk() = 0;
  // What they wait for when the process has no file descriptor left.
  Descriptors& descriptors() { return *descriptors_; }

  // Fibers that have started and not returned.
  size_t fiber_count() const;
  // Their names, for tests that find out who does not end.
  std::vector<std::string> fiber_names() const;
  // How long turns are.
  const TurnWatch& turn_watch() const;

  // The cores of its node, itself included, by number. A core that was made alone is number 0 of one.
  std::span<Core* const> siblings() const { return siblings_; }
  size_t number() const { return number_; }

  bool IsHere() const { return of_thread_ == this; }
  // Ends the process unless the caller runs on this core, or nobody does: before the core runs, and after. What belongs
  // to a core takes no lock, so somebody else's touch would damage it, now and then. Takes a nanosecond.
  void AssertHere() const {
    if (of_thread_ != this) [[unlikely]]
      CheckNobodyRuns();
  }

 protected:
  // While it lives the calling thread runs the core. Within another one of the same core it does nothing.
  class Running {
   public:
    explicit Running(Core& core);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Core& core_;
    const Core* const outer_;
  };

  // Makes this core one of several. `siblings` outlives it. Before it runs.
  void SetSiblings(std::span<Core* const> siblings, size_t number);
  // Brings a call to another core of the node, where Take() gets it: in order for each pair of cores. This one is for
  // cores of one thread.
  virtual void Send(Core& to, CoreCall& call) noexcept;
  // A call has come from another core, or comes back answered.
  void Take(CoreCall& call) noexcept;

  // For the loop of a core. Tasks, and fibers that run for no tenant, share one queue, first come first served.
  void Enqueue(std::function<void()> task);
  bool HasReady() const;
  // Runs what was ready in it at the call, and then some of what takes turns (fiber_scheduler.h); what becomes
  // ready meanwhile is for the next time.
  void RunTurn();
  // Something else has run, or the loop has slept: a turn ends here.
  void NoteRan(const char* label);

 private:
  friend class Fiber;
  friend class CoreCall;
  void CheckNobodyRuns() const;

  static constinit thread_local const Core* of_thread_;  // The core that the thread runs.
  std::atomic<bool> runs_ = false;                       // Some thread runs this core.
  Core* const self_ = this;
  std::span<Core* const> siblings_{&self_, 1};
  size_t number_ = 0;
  std::unique_ptr<FiberScheduler> fibers_;
  std::unique_ptr<Descriptors> descriptors_;
};

}  // namespace tradewind::runtime
