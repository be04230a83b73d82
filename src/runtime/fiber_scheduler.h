// The fibers of one core and the queue of what is ready to run there. Private to runtime/: others use
// fiber.h.
//
// A switch is always between the loop and a fiber, never between two fibers: a fiber that suspends goes back
// to the loop, which takes the next entry of the queue. The queue holds fibers and tasks alike, so that both
// run in the order in which they became ready, and waking a fiber allocates nothing.
#pragma once

#include <array>
#include <boost/context/fiber.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core.h"
#include "runtime/fiber_stack.h"

namespace tradewind::runtime {

class Fiber {
 public:
  enum class State { kReady, kRunning, kSuspended, kReturned };

  Fiber(FiberScheduler& scheduler, std::string name, std::function<void()> body, FiberStack stack);

  // From the loop: runs the fiber until it suspends or returns.
  void Resume();
  // From the fiber: back to the loop, in `state`, until the next Resume().
  void SwitchToLoop(State state);

  FiberScheduler& scheduler;
  const std::string name;
  State state = State::kReady;
  size_t index = 0;  // In the scheduler's list of living fibers.
  FiberStack stack;
  void* local = nullptr;  // fiber_local.h

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
};

class FiberScheduler {
 public:
  explicit FiberScheduler(Core& core) : core_(core) {}
  ~FiberScheduler();  // Requires: no fiber lives.
  FiberScheduler(const FiberScheduler&) = delete;
  FiberScheduler& operator=(const FiberScheduler&) = delete;

  Core& core() { return core_; }
  void Spawn(std::string name, std::function<void()> body);
  void Enqueue(Fiber* fiber);
  void Enqueue(std::function<void()> task);
  bool HasReady() const { return !ready_.empty(); }
  void RunTurn();
  const std::vector<std::unique_ptr<Fiber>>& fibers() const { return fibers_; }

 private:
  struct Entry {
    Fiber* fiber;
    std::function<void()> task;  // When `fiber` is null.
  };
  void RunFiber(Fiber* fiber);

  Core& core_;
  FiberStackPool stacks_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Entry> ready_;
  std::vector<Entry> turn_;  // What RunTurn is at; the two vectors swap, so that they keep their memory.
  bool in_turn_ = false;
};

}  // namespace tradewind::runtime
