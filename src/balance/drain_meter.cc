#include "balance/drain_meter.h"

#include <algorithm>
#include <chrono>

namespace tradewind::balance {

namespace {

constexpr std::chrono::seconds kWindow{10};

double SecondsOf(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void DrainMeter::Begin(runtime::TimePoint now, int64_t unix_ms) {
  moved_ = bytes_moved_ = 0;
  recent_.clear();
  started_at_ = unix_ms;
  started_ = last_moved_ = now;
}

void DrainMeter::NoteMoved(runtime::TimePoint now, uint64_t bytes) {
  ++moved_;
  bytes_moved_ += bytes;
  last_moved_ = now;
  recent_.push_back(now);
  while (recent_.front() + kWindow < now) recent_.pop_front();
}

double DrainMeter::RecentRate(runtime::TimePoint now) const {
  const runtime::Duration span = std::min<runtime::Duration>(now - started_, kWindow);
  const auto since = std::lower_bound(recent_.begin(), recent_.end(), now - span);
  return span.count() > 0 ? static_cast<double>(recent_.end() - since) / SecondsOf(span) : 0;
}

double DrainMeter::OverallRate() const {
  return last_moved_ > started_ ? static_cast<double>(moved_) / SecondsOf(last_moved_ - started_) : 0;
}

}  // namespace tradewind::balance
