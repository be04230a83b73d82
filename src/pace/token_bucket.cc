#include "pace/token_bucket.h"

#include <algorithm>

#include "base/check.h"

namespace tradewind::pace {

namespace {
constexpr double kMostDebtSeconds = 1;
constexpr double kBurstSeconds =
    0.01;  // A core that is busy wakes those that wait a millisecond or two late.
}  // namespace

TokenBucket::TokenBucket(runtime::Core& core, double bytes_per_second, uint64_t burst_bytes)
    : core_(core),
      rate_(bytes_per_second),
      burst_(static_cast<double>(burst_bytes)),
      tokens_(burst_),
      filled_at_(core.Now()),
      rate_since_(filled_at_),
      pushes_(core) {}

void TokenBucket::Refill() {
  const runtime::TimePoint now = core_.Now();
  const double filled = tokens_ + std::chrono::duration<double>(now - filled_at_).count() * rate_;
  tokens_ =
      std::max(tokens_, std::min(most_tokens(), filled));  // More than that was there from the beginning.
  filled_at_ = now;
}

double TokenBucket::most_tokens() const {
  return std::min(burst_, rate_ * kBurstSeconds);
}

// A flood of pulls at a low rate must not keep the last pushes waiting for minutes.
double TokenBucket::most_debt() const {
  return std::max(rate_ * kMostDebtSeconds, burst_);
}

std::optional<runtime::TimePoint> TokenBucket::NextRoom() {
  if (rate_ <= 0) return std::nullopt;
  Refill();
  if (tokens_ > 0) return std::nullopt;
  const std::chrono::duration<double> until_paid((1 - tokens_) / rate_);
  return core_.Now() + std::chrono::ceil<std::chrono::microseconds>(until_paid);
}

bool TokenBucket::TakePaced(uint64_t bytes, const std::function<bool()>& given_up) {
  if (!pushes_.AwaitRoom(given_up, [this] { return NextRoom(); })) return false;
  if (rate_ > 0) CheckHandedOut();
  TakeUrgent(bytes);
  return true;
}

void TokenBucket::TakeUrgent(uint64_t bytes) {
  taken_ += bytes;
  if (rate_ <= 0) return;
  Refill();
  tokens_ -= static_cast<double>(bytes);
  handed_out_ += static_cast<double>(bytes);
  if (const double most = most_debt(); tokens_ < -most) {
    let_off_ += -most - tokens_;
    tokens_ = -most;
  }
}

void TokenBucket::GiveBack(uint64_t bytes) {
  taken_ -= std::min(bytes, taken_);
  if (rate_ <= 0) return;
  Refill();
  // What was taken at another rate does not come back as a burst.
  const double back = std::min(static_cast<double>(bytes), std::max(most_tokens() - tokens_, 0.0));
  tokens_ += back;
  handed_out_ = std::max(handed_out_ - back, 0.0);
}

void TokenBucket::CheckHandedOut() const {
  const double came_in = rate_ * std::chrono::duration<double>(filled_at_ - rate_since_).count();
  const double most = burst_ + came_in + let_off_;
  TW_CHECK(tokens_ > 0 && tokens_ <= burst_, "a push is let through that its move has no tokens for");
  TW_CHECK(handed_out_ <= most * (1 + 1e-9) + 1, "a token bucket hands out more than came in");
}

void TokenBucket::SetRate(double bytes_per_second) {
  Refill();
  const bool was_limited = rate_ > 0;
  rate_ = bytes_per_second;
  // A debt of a high rate would be one for minutes at a low one.
  if (rate_ > 0) tokens_ = was_limited ? std::clamp(tokens_, -most_debt(), most_tokens()) : 0;
  rate_since_ = filled_at_;
  handed_out_ = let_off_ = 0;
  pushes_.Wake();
}

}  // namespace tradewind::pace
