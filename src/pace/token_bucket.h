// The throttle of a node's moves: a token bucket in bytes. Pushes wait for tokens, in their order; pulls
// never wait, but take their tokens too, so that pushes make room for them (docs/pacing.md).
//
// This core only. The rate may change at any moment, also while a push waits.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/limits.h"
#include "pace/push_queue.h"
#include "pace/throttle.h"
#include "runtime/core.h"

namespace tradewind::pace {

// What a bucket of moves begins with.
inline constexpr uint64_t kBurstBytes = 2 * limits::kPageBatchBytes;

class TokenBucket final : public Throttle {
 public:
  // bytes_per_second 0 is no limit. The bucket begins with `burst_bytes`, and later fills up to what some
  // milliseconds of its rate are, or `burst_bytes` if that is less: what was not taken must not come as a burst
  // that is felt. It may go into debt by what was taken at once, but by no more than a second of its rate (or
  // burst_bytes).
  TokenBucket(runtime::Core& core, double bytes_per_second, uint64_t burst_bytes);

  // There is room once the bucket is out of debt.
  bool TakePaced(uint64_t bytes, const std::function<bool()>& given_up) override;
  void TakeUrgent(uint64_t bytes) override;
  // So many of those that were taken will not be sent.
  void GiveBack(uint64_t bytes);
  // After no limit the bucket is empty.
  void SetRate(double bytes_per_second);
  void Wake() override { pushes_.Wake(); }

  double rate() const override { return rate_; }
  // Bytes taken so far.
  uint64_t taken() const { return taken_; }

 private:
  void Refill();
  // When there will be room, if nothing changes; none: there is some.
  std::optional<runtime::TimePoint> NextRoom();
  // Aborts when more was handed out since the last change of the rate than there was, came in and was let off.
  void CheckHandedOut() const;
  double most_tokens() const;
  double most_debt() const;

  runtime::Core& core_;
  double rate_;
  double burst_;
  double tokens_;
  runtime::TimePoint filled_at_;
  uint64_t taken_ = 0;
  // Since the last change of the rate, for CheckHandedOut.
  runtime::TimePoint rate_since_;
  double handed_out_ = 0;
  double let_off_ = 0;  // Of debts.
  PushQueue pushes_;
};

}  // namespace tradewind::pace
