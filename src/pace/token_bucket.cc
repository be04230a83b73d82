#include "pace/token_bucket.h"

#include <algorithm>

namespace tradewind::pace {

namespace {
constexpr int64_t kNanosPerSecond = 1'000'000'000;
}

TokenBucket::TokenBucket(runtime::Core& core, uint64_t bytes_per_second, uint64_t burst_bytes)
    : core_(core),
      rate_(bytes_per_second),
      burst_(static_cast<int64_t>(burst_bytes)),
      tokens_(burst_),
      filled_at_(core.Now()) {}

void TokenBucket::Refill() {
  const runtime::TimePoint now = core_.Now();
  const double seconds = static_cast<double>((now - filled_at_).count()) / kNanosPerSecond;
  tokens_ = std::min(burst_, tokens_ + static_cast<int64_t>(seconds * static_cast<double>(rate_)));
  filled_at_ = now;
}

void TokenBucket::TakePaced(uint64_t bytes) {
  while (rate_ != 0) {
    Refill();
    if (tokens_ > 0) break;
    const double seconds = static_cast<double>(1 - tokens_) / static_cast<double>(rate_);
    rate_changed_.WaitUntil(core_.Now() +
                            runtime::Duration(static_cast<int64_t>(seconds * kNanosPerSecond) + 1000));
  }
  if (rate_ != 0) tokens_ -= static_cast<int64_t>(bytes);
}

void TokenBucket::TakeUrgent(uint64_t bytes) {
  if (rate_ == 0) return;
  Refill();
  tokens_ -= static_cast<int64_t>(bytes);
}

void TokenBucket::SetRate(uint64_t bytes_per_second) {
  Refill();
  rate_ = bytes_per_second;
  rate_changed_.NotifyAll();
}

}  // namespace tradewind::pace
