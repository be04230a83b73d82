// The calls on their way from one core to one other: a queue without a lock, for one thread that puts and one that
// takes. It allocates nothing and is never full, since each call brings its link along.
#pragma once

#include <atomic>

#include "runtime/call_on.h"

namespace tradewind::runtime {

class Mailbox {
 public:
  // The sender's thread. What it wrote before, whoever takes the call sees.
  void Put(CoreCall& call) noexcept {
    CoreCall* newest = newest_.load(std::memory_order_relaxed);
    do call.next_ = newest;
    while (
        !newest_.compare_exchange_weak(newest, &call, std::memory_order_release, std::memory_order_relaxed));
  }

  // The taker's thread: calls `take` for each that is there, the oldest first. A call may be gone once it was taken.
  template <typename Take>
  void TakeAll(const Take& take) noexcept {
    if (!newest_.load(std::memory_order_relaxed)) return;
    CoreCall* left = newest_.exchange(nullptr, std::memory_order_acquire);
    CoreCall* oldest = nullptr;
    while (left) {
      CoreCall* const next = left->next_;
      left->next_ = oldest;
      oldest = left;
      left = next;
    }
    while (oldest) {
      CoreCall* const next = oldest->next_;
      take(*oldest);
      oldest = next;
    }
  }

 private:
  // On a cache line of its own: two cores write to it.
  alignas(64) std::atomic<CoreCall*> newest_ = nullptr;
};

}  // namespace tradewind::runtime
