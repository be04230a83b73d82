// The token bucket of a node as another core than that of the bucket sees it: it draws on it in portions, so that not
// each push is a call to that core, and each core gets what its moves send. One portion is on its way at a time; what
// waits here waits for it, in its order. Who may not wait goes into debt, which is drawn next. What is left over once
// nothing waits any more is given back by Settle().
//
// This core only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/limits.h"
#include "pace/push_queue.h"
#include "pace/throttle.h"
#include "pace/token_bucket.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::pace {

class PortionedBucket final : public Throttle {
 public:
  static constexpr uint64_t kPortionBytes = 64u << 10;
  // Where there is no limit, a portion is what a core sends in a few milliseconds.
  static constexpr uint64_t kPortionWithoutLimit = 1u << 20;

  // The bucket is `first`'s, another core of the node, and outlives it.
  PortionedBucket(runtime::Core& core, runtime::Core& first, TokenBucket& bucket);
  ~PortionedBucket() override;  // Requires: Stop() has returned.

  bool TakePaced(uint64_t bytes, const std::function<bool()>& given_up) override;
  void TakeUrgent(uint64_t bytes) override;
  void Wake() override;
  double rate() const override { return rate_; }

  // Gives back what this core has drawn and nobody wants. Suspends.
  void Settle();
  // Nobody waits here any more; ends what is on its way, and settles. Suspends.
  void Stop();

 private:
  // Has the next portion come, unless one is on its way.
  void Draw();
  void DrawPortions();
  bool IsWanted() const { return !pushes_.empty() || have_ <= -static_cast<int64_t>(kPortionBytes); }

  runtime::Core& core_;
  runtime::Core& first_;
  TokenBucket& bucket_;
  double rate_ = 0;
  int64_t have_ = 0;  // Below zero: a debt.
  bool drawing_ = false;
  std::atomic<bool> given_up_ = false;  // By all that wait here; core 0 looks at it.
  PushQueue pushes_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::pace
