// The stacks of fibers: virtual memory, of which only the pages that were touched cost anything.
#pragma once

#include <cstddef>
#include <vector>

namespace tradewind::runtime {

// One stack with a guard at its low end: running out of it faults instead of writing over a neighbour.
class FiberStack {
 public:
  FiberStack();  // Ends the process when the system has no room for another mapping.
  ~FiberStack();
  FiberStack(FiberStack&& other) noexcept;
  FiberStack& operator=(FiberStack&& other) noexcept;

  std::byte* bottom() const;  // The lowest usable address.
  std::byte* top() const;
  size_t size() const;

  // Gives the memory of all but the last limits::kIdleStackBytes back to the system.
  void ReleaseDeepPart();
  // The same of all below the address, which lies in it.
  void ReleaseBelow(const void* address);

 private:
  std::byte* mapping_ = nullptr;
};

// Stacks in waiting; the one that came last is used next. Keeps up to limits::kIdleFiberStacks.
class FiberStackPool {
 public:
  FiberStack Take();
  void Return(FiberStack stack);

 private:
  struct Idle {
    FiberStack stack;
    bool whole;  // ReleaseDeepPart() was not called yet.
  };
  std::vector<Idle> idle_;
};

}  // namespace tradewind::runtime
