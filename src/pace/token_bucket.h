// The throttle of a move: a token bucket in bytes. Pushes wait for tokens; pulls never wait, but take their
// tokens all the same, so that pushes make room for them (design.md section 6).
//
// This core only. The rate may change at any moment, also while a push waits.
#pragma once

#include <cstdint>

#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::pace {

class TokenBucket {
 public:
  // bytes_per_second 0 is no limit. The bucket holds at most `burst_bytes`, and may go into debt by what was
  // taken at once.
  TokenBucket(runtime::Core& core, uint64_t bytes_per_second, uint64_t burst_bytes);

  // Suspends until the bucket is out of debt, then takes the bytes.
  void TakePaced(uint64_t bytes);
  // Takes the bytes at once.
  void TakeUrgent(uint64_t bytes);
  void SetRate(uint64_t bytes_per_second);
  uint64_t rate() const { return rate_; }

 private:
  void Refill();

  runtime::Core& core_;
  uint64_t rate_;
  int64_t burst_;
  int64_t tokens_;
  runtime::TimePoint filled_at_;
  runtime::WaitQueue rate_changed_;
};

}  // namespace tradewind::pace
