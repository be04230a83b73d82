#include "runtime/fair_lock.h"

#include <algorithm>

#include "base/check.h"

namespace tradewind::runtime {

bool FairLock::Acquire(const void* holder, TimePoint deadline) {
  if (holder_ == holder) return true;
  if (!holder_) {
    Grant(holder);
    return true;
  }
  Waiter waiter{holder};
  queue_.push_back(&waiter);
  if (deadline == TimePoint::max()) {
    waiter.decided.Wait();
    return !waiter.given_up;
  }
  if (waiter.decided.WaitUntil(deadline)) return !waiter.given_up;
  queue_.erase(std::find(queue_.begin(), queue_.end(), &waiter));
  return false;
}

void FairLock::Release(const void* holder) {
  if (holder_ != holder) return;
  holder_ = nullptr;
  if (queue_.empty()) return;
  Waiter* next = queue_.front();
  queue_.pop_front();
  // Handed over here and not when the waiter wakes: nobody can slip in between.
  Grant(next->holder);
  next->decided.Set();
}

void FairLock::GiveUp(const void* holder) {
  const auto found = std::find_if(queue_.begin(), queue_.end(),
                                  [&](const Waiter* waiter) { return waiter->holder == holder; });
  if (found == queue_.end()) return;
  Waiter* const waiter = *found;
  queue_.erase(found);
  waiter->given_up = true;
  waiter->decided.Set();
}

void FairLock::GiveUpAll() {
  while (!queue_.empty()) GiveUp(queue_.front()->holder);
}

FairLock::Hold::Hold(FairLock& lock) : lock_(lock) {
  TW_CHECK(lock_.Acquire(this), "nobody may end the wait for this lock");
}

void FairLock::Grant(const void* holder) {
  TW_CHECK(holder != nullptr, "a lock needs a holder");
  holder_ = holder;
  held_since_ = core_.Now();
}

}  // namespace tradewind::runtime
