#include "runtime/fiber.h"

#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/fiber_scheduler.h"
#include "runtime/off_core.h"
#include "runtime/turns.h"

namespace tradewind::runtime {

Core& CurrentCore() {
  TW_CHECK(CurrentFiber() != nullptr, "CurrentCore() outside a fiber");
  return CurrentFiber()->scheduler.core();
}

void Suspend() {
  Fiber* fiber = CurrentFiber();
  TW_CHECK(fiber != nullptr, "a call that suspends was made outside a fiber");
  fiber->SwitchToLoop(Fiber::State::kSuspended);
}

void Wake(Fiber* fiber) {
  TW_CHECK(fiber->state == Fiber::State::kSuspended,
           "Wake() of a fiber that is not suspended, or the second one");
  fiber->state = Fiber::State::kReady;
  fiber->scheduler.Enqueue(fiber);
}

void Yield() {
  Fiber* fiber = CurrentFiber();
  TW_CHECK(fiber != nullptr, "Yield() outside a fiber");
  if (!fiber->share)
    fiber->scheduler.EnqueueAgain(fiber);  // Otherwise the loop does, when it knows how long this turn was.
  fiber->SwitchToLoop(Fiber::State::kReady);
}

bool IsTurnOver() {
  Fiber* const fiber = CurrentFiber();
  if (!fiber) return false;
  return fiber->scheduler.IsTurnOver(fiber);
}

void YieldIfTurnIsOver() {
  if (IsTurnOver()) Yield();
}

Turns::Turns(std::string_view share) : fiber_(CurrentFiber()) {
  if (!fiber_ || fiber_->share)
    fiber_ = nullptr;
  else
    fiber_->scheduler.Enter(fiber_, share);
}

Turns::~Turns() {
  if (fiber_) fiber_->scheduler.Leave(fiber_);
}

RunTimeMeter::RunTimeMeter(std::string_view tenant)
    : scheduler_(CurrentFiber()->scheduler), share_(scheduler_.BeginMetering(tenant)), before_(share_.used) {}

RunTimeMeter::~RunTimeMeter() {
  scheduler_.EndMetering(share_);
}

Duration RunTimeMeter::used() const {
  return share_.used - before_;
}

LockHeld::LockHeld() : fiber_(CurrentFiber()) {
  ++fiber_->locks_held;
}

LockHeld::~LockHeld() {
  --fiber_->locks_held;
}

Activity::Activity(const char* label) : fiber_(CurrentFiber()) {
  if (!fiber_) return;
  outer_ = fiber_->activity;
  fiber_->scheduler.ChangeActivity(fiber_, label);
}

Activity::~Activity() {
  if (fiber_) fiber_->scheduler.ChangeActivity(fiber_, outer_);
}

void ReleaseUnusedStack() {
  // What this calls is below here.
  constexpr uintptr_t kLeftBytes = 1536;
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  if (Fiber* const fiber = CurrentFiber())
    fiber->stack.ReleaseBelow(reinterpret_cast<const void*>(here - kLeftBytes));
}

void SleepUntil(TimePoint at) {
  CurrentCore().StartTimer(at, [fiber = CurrentFiber()] { Wake(fiber); });
  Suspend();
}

void SleepFor(Duration duration) {
  SleepUntil(CurrentCore().Now() + duration);
}

// Lives on the stack of the fiber that waits.
struct WaitQueue::Waiter {
  Fiber* fiber;
  Core::TimerId timer = 0;
  bool notified = false;
};

WaitQueue::~WaitQueue() {
  TW_CHECK(waiters_.empty(), "a wait queue goes away while a fiber waits in it");
}

void WaitQueue::Wait() {
  WaitUntil(TimePoint::max());
}

bool WaitQueue::WaitUntil(TimePoint deadline) {
  Waiter waiter{CurrentFiber()};
  TW_CHECK(waiter.fiber != nullptr, "a wait outside a fiber");
  // Where there is no memory to wait, nothing is to be left of the waiter.
  struct Listed {
    ~Listed() {
      if (!waits) waiters.erase(waiter);
    }
    std::list<Waiter*>& waiters;
    std::list<Waiter*>::iterator waiter;
    bool waits = false;
  };
  Listed listed{waiters_, waiters_.insert(waiters_.end(), &waiter)};
  if (deadline != TimePoint::max()) {
    waiter.timer = CurrentCore().StartTimer(deadline, [this, at = listed.waiter] {
      Fiber* const fiber = (*at)->fiber;
      waiters_.erase(at);
      Wake(fiber);
    });
  }
  listed.waits = true;
  Suspend();
  return waiter.notified;
}

void WaitQueue::NotifyOne() {
  if (waiters_.empty()) return;
  Waiter* waiter = waiters_.front();
  waiters_.pop_front();
  waiter->notified = true;
  // At once, not when the fiber runs again: the deadline may pass before that.
  if (waiter->timer != 0) waiter->fiber->scheduler.core().CancelTimer(waiter->timer);
  Wake(waiter->fiber);
}

void WaitQueue::NotifyAll() {
  while (!waiters_.empty()) NotifyOne();
}

TaskGroup::~TaskGroup() {
  TW_CHECK(running_ == 0, "a task group goes away while its fibers run");
}

void TaskGroup::Spawn(std::string name, std::function<void()> body) {
  core_.Spawn(std::move(name), [this, body = std::move(body)]() mutable {
    body();
    body = nullptr;  // The owner may go away as soon as the group is idle; what the body captured must be
                     // gone by then.
    if (--running_ == 0) idle_.NotifyAll();
  });
  ++running_;  // It has not begun yet; and where there is no memory for it, it never will.
}

void TaskGroup::Join() {
  WaitFor(idle_, [&] { return running_ == 0; });
}

void ComputeOffCore(const std::function<void()>& work) {
  Fiber* const fiber = CurrentFiber();
  if (fiber == nullptr) return work();
  struct Computing {
    explicit Computing(Fiber& of) : fiber(of) { fiber.computes = true; }
    ~Computing() { fiber.computes = false; }
    Fiber& fiber;
  } const computing(*fiber);
  CurrentCore().RunOffCore(work);
}

}  // namespace tradewind::runtime
