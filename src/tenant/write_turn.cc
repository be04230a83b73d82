#include "tenant/write_turn.h"

#include <algorithm>

#include "base/check.h"

namespace tradewind::tenant {

bool WriteTurn::Acquire(const void* holder, runtime::TimePoint deadline) {
  if (holder_ == holder) return true;
  if (!holder_) {
    Grant(holder);
    return true;
  }
  Waiter waiter{holder};
  queue_.push_back(&waiter);
  if (waiter.decided.WaitUntil(deadline)) return !waiter.given_up;
  queue_.erase(std::find(queue_.begin(), queue_.end(), &waiter));
  return false;
}

void WriteTurn::Release(const void* holder) {
  if (holder_ != holder) return;
  holder_ = nullptr;
  if (queue_.empty()) return;
  Waiter* next = queue_.front();
  queue_.pop_front();
  // Handed over here and not when the waiter wakes: nobody can slip in between.
  Grant(next->holder);
  next->decided.Set();
}

void WriteTurn::GiveUp(const void* holder) {
  const auto found = std::find_if(queue_.begin(), queue_.end(),
                                  [&](const Waiter* waiter) { return waiter->holder == holder; });
  if (found == queue_.end()) return;
  Waiter* const waiter = *found;
  queue_.erase(found);
  waiter->given_up = true;
  waiter->decided.Set();
}

void WriteTurn::GiveUpAll() {
  while (!queue_.empty()) GiveUp(queue_.front()->holder);
}

void WriteTurn::Grant(const void* holder) {
  TW_CHECK(holder != nullptr, "the write turn needs a holder");
  holder_ = holder;
  held_since_ = core_.Now();
}

}  // namespace tradewind::tenant
