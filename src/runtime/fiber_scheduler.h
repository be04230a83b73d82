// The fibers of one core and the queues of what is ready to run there. Private to runtime/: others use
// fiber.h and turns.h.
//
// A switch is always between the loop and a fiber, never between two fibers: a fiber that suspends goes back
// to the loop, which takes the next entry of a queue. One queue holds tasks, and fibers that run for no tenant:
// input and output, moves, the admin API. They run in the order in which they became ready, and waking a fiber
// allocates nothing. Fibers that run for a tenant (turns.h) take turns (turn_queue.h): after all that was ready in
// the first queue some of them run, for as long as limits::kPollInterval and one more, and then the loop looks for
// input. What works for no tenant and has given its turn up waits in a third queue, until the tenants that want the
// core have had as much as a turn may last: so each of the two has its share where both want all.
#pragma once

#include <array>
#include <boost/context/fiber.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core.h"
#include "runtime/fiber_stack.h"
#include "runtime/turn_queue.h"
#include "runtime/turn_watch.h"

namespace tradewind::runtime {

class Fiber : public TurnTaker {
 public:
  enum class State { kReady, kRunning, kSuspended, kReturned };

  Fiber(FiberScheduler& scheduler, std::string name, std::function<void()> body, FiberStack stack);
  ~Fiber();

  // From the loop: runs the fiber until it suspends or returns.
  void Resume();
  // From the fiber: back to the loop, in `state`, until the next Resume().
  void SwitchToLoop(State state);

  FiberScheduler& scheduler;
  const std::string name;
  State state = State::kReady;
  size_t index = 0;  // In the scheduler's list of living fibers.
  FiberStack stack;
  std::array<void*, 2> locals{};       // fiber_local.h
  const char* activity = nullptr;      // turns.h
  int locks_held = 0;                  // LockHeld.
  bool computes = false;               // What it has run off the core is ComputeOffCore()'s.
  struct NamedShare* named = nullptr;  // Its share, with the name.
  TimePoint charged_from{};            // Its share is charged for this turn from then on.

 private:
  void RunBody();

  std::function<void()> body_;
  boost::context::fiber context_;  // Of the fiber, while the loop runs.
  boost::context::fiber loop_;     // Of the loop, while the fiber runs.
  // The C++ runtime counts caught and uncaught exceptions for each thread; this is the fiber's share, swapped
  // in while it runs (the struct __cxa_eh_globals of the C++ ABI: a pointer and a counter).
  std::array<void*, 2> exceptions_{};
  // AddressSanitizer's view of the two stacks.
  void* sanitizer_fiber_ = nullptr;
  const void* sanitizer_loop_bottom_ = nullptr;
  size_t sanitizer_loop_bytes_ = 0;
  // ThreadSanitizer's view of who runs.
  void* const watched_;
  void* watched_loop_ = nullptr;
};

// What somebody wants to know the run time of.
struct MeteredShare {
  std::string name;
  Duration used{};
  size_t meters = 0;
};

struct NamedShare {
  TurnShare share;
  size_t fibers = 0;
  std::string name;
  MeteredShare* metered = nullptr;  // If anybody does.
};

class FiberScheduler {
 public:
  explicit FiberScheduler(Core& core) : core_(core) {}
  ~FiberScheduler();  // Requires: no fiber lives.
  FiberScheduler(const FiberScheduler&) = delete;
  FiberScheduler& operator=(const FiberScheduler&) = delete;

  Core& core() { return core_; }
  void Spawn(std::string name, std::function<void()> body);
  // Makes it run at a later turn.
  void Enqueue(Fiber* fiber);
  // The same for one that has just run, for nobody, and goes on.
  void EnqueueAgain(Fiber* fiber) { again_.push_back(Entry{fiber, nullptr}); }
  void Enqueue(std::function<void()> task);
  bool HasReady() const { return !ready_.empty() || !again_.empty() || !turns_.empty(); }
  void RunTurn();
  const std::vector<std::unique_ptr<Fiber>>& fibers() const { return fibers_; }

  // From now on the running fiber runs for the tenant, and has had nothing yet. It may have to wait. Suspends.
  void Enter(Fiber* fiber, std::string_view share);
  void Leave(Fiber* fiber);
  // To be followed by EndMetering(). The reference holds until then.
  MeteredShare& BeginMetering(std::string_view share);
  void EndMetering(MeteredShare& metered);
  // Whether the running fiber should let others run.
  bool IsTurnOver(Fiber* fiber);
  void ChangeActivity(Fiber* fiber, const char* activity);
  const TurnWatch& watch() const { return watch_; }
  // For the loop: something else than fibers and tasks has run.
  void NoteRan(const char* label);

 private:
  struct Entry {
    Fiber* fiber;
    std::function<void()> task;  // When `fiber` is null.
  };
  void RunFirst(std::vector<Entry>& queue, size_t count);
  void RunFiber(Fiber* fiber);
  void RunTask(Entry& entry);
  // The fiber's turn is over, and took so long. Requires: it has a share.
  void EndTurn(Fiber* fiber, Duration took);

  Core& core_;
  FiberStackPool stacks_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Entry> ready_;
  std::vector<Entry> again_;  // What works for nobody, has had a turn, and goes on.
  Duration tenants_had_{};    // Since the last of those had one.
  std::vector<Entry> turn_;   // What RunFirst is at; the vectors swap, so that they keep their memory.
  bool in_turn_ = false;
  TurnQueue turns_;
  std::map<std::string, NamedShare, std::less<>> shares_;  // Of those for which a fiber runs or waits.
  std::map<std::string, MeteredShare, std::less<>> metered_;
  TurnWatch watch_;
};

}  // namespace tradewind::runtime
