// Calls from one core of a node to another: what they share, beside a few counters of the process.
//
// A call suspends the calling fiber, so what it is made of lies on that fiber's stack: the work, its answer, and the
// link of the queue that it waits in. Nothing is allocated on the way, and sending cannot fail. On the other core the
// work runs in a fiber of its own; it may suspend, and call further cores, the caller's included.
//
// Nothing of a call can dangle: a fiber that waits is never destroyed, and a core runs until the last fiber of any core
// of its node has returned (cores.h). Who wants to go on without the answer starts the work with SpawnOn(): the fiber
// that waits for it is then one that nobody else needs.
//
// No exception crosses. Where memory was lacking over there, the caller is told so by one of its own; any other
// exception ends the process, as it does where it leaves a fiber.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "runtime/core.h"

namespace tradewind::runtime {

class Fiber;

// A call on its way. Use CallOn().
class CoreCall {
 public:
  CoreCall(const CoreCall&) = delete;
  CoreCall& operator=(const CoreCall&) = delete;
  virtual ~CoreCall() = default;
  // It has run, and is on its way back.
  bool answered() const { return answered_; }

 protected:
  CoreCall();
  // Suspends until Run() has returned on the core.
  void RunOn(Core& core);

 private:
  friend class Core;
  friend class Mailbox;
  virtual void Run() = 0;
  void Come(Core& core) noexcept;  // It has reached the core.
  void RunAndAnswer() noexcept;

  Core& from_;
  Fiber* const fiber_;
  CoreCall* next_ = nullptr;  // In a mailbox.
  bool answered_ = false;
  bool out_of_memory_ = false;
};

// Runs `work` on `core`, in a fiber there, and returns what it returned; on this core, at once and in this fiber.
// `work` may use what the caller has on its stack, and must not touch anything else of the caller's core. The calls
// that one core makes of another begin in the order in which they were made. Suspends. Requires: a fiber, of a core of
// the same node.
template <typename Work>
std::invoke_result_t<Work&> CallOn(Core& core, Work&& work) {
  using Value = std::invoke_result_t<Work&>;
  static_assert(!std::is_reference_v<Value>, "it would refer to what another core has");
  using Kept = std::conditional_t<std::is_void_v<Value>, bool, Value>;
  class Call final : public CoreCall {
   public:
    explicit Call(Work& the_work) : work_(the_work) {}
    Kept RunOn(Core& to) {
      CoreCall::RunOn(to);
      return *std::move(value_);
    }

   private:
    void Run() override {
      if constexpr (std::is_void_v<Value>) {
        work_();
        value_ = true;
      } else {
        value_.emplace(work_());
      }
    }
    Work& work_;
    std::optional<Kept> value_;
  };
  if (core.IsHere()) return work();
  if constexpr (std::is_void_v<Value>)
    Call(work).RunOn(core);
  else
    return Call(work).RunOn(core);
}

// Starts a fiber on `core`, which runs `body`, and does not wait for it; `here`, the caller's core, has a fiber that
// does. What `body` holds ends on `core`. Where that has no memory for a fiber, the process ends. Does not suspend.
void SpawnOn(Core& here, Core& core, std::string name, std::function<void()> body);

}  // namespace tradewind::runtime
