#include "zephyr/flow_window.h"

#include <algorithm>

namespace tradewind::zephyr {

namespace {

// A batch takes the cores of both nodes some 0.1 ms, whatever its size: so many a second are not felt.
constexpr double kFewPerSecond = 400;
constexpr uint64_t kMostOfFew = limits::kPageBatchBytes / 2;
constexpr uint64_t kLeast = limits::kPageBatchBytes / 8;
constexpr double kSecondsInTheWay = 0.0005;

}  // namespace

uint64_t PushBytes(double rate_bytes_per_s, uint64_t window_bytes) {
  const uint64_t most = std::min<uint64_t>(limits::kPageBatchBytes, window_bytes / 2);
  if (rate_bytes_per_s <= 0) return most;
  const double few = std::min(rate_bytes_per_s / kFewPerSecond, static_cast<double>(kMostOfFew));
  const double bytes = std::max(few, rate_bytes_per_s * kSecondsInTheWay);
  return std::clamp(static_cast<uint64_t>(bytes), kLeast, most);
}

void FlowWindow::NoteSent(uint64_t bytes, runtime::TimePoint now) {
  if (changed_at_ == runtime::TimePoint{}) changed_at_ = now;
  sent_.push_back({bytes, now});
  in_flight_ += bytes;
}

void FlowWindow::NoteAck(uint64_t bytes, runtime::TimePoint now) {
  was_full_ |= !HasRoom();
  const uint64_t in_flight = in_flight_;
  in_flight_ -= std::min(in_flight_, bytes);
  until_change_ -= std::min(until_change_, bytes);
  taken_ += bytes;
  runtime::Duration round_trip{};
  while (bytes > 0 && !sent_.empty()) {
    Sent& first = sent_.front();
    round_trip = now - first.at;
    const uint64_t part = std::min(bytes, first.bytes);
    first.bytes -= part;
    bytes -= part;
    if (first.bytes == 0) sent_.pop_front();
  }
  if (round_trip <= runtime::Duration::zero()) return;
  shortest_ = std::min(shortest_, round_trip);
  if (until_change_ > 0) return;
  // Of what is on its way, that part is moving: shortest / last round trip.
  const double waiting = 1 - static_cast<double>(shortest_.count()) / static_cast<double>(round_trip.count());
  if (waiting > 0.5)
    size_ -= size_ / 8;
  else if (was_full_ && waiting < 0.25)
    size_ += size_ / 2;
  size_ = std::clamp<uint64_t>(size_, Least(now), limits::kPushWindowMostBytes);
  taken_ = 0;
  changed_at_ = now;
  // The next change waits until this one has had its effect.
  until_change_ = in_flight + size_;
  was_full_ = false;
}

uint64_t FlowWindow::Least(runtime::TimePoint now) const {
  const double rounds = std::chrono::duration<double>(now - changed_at_) / limits::kPushWindowTime;
  const double bytes = static_cast<double>(taken_) / std::max(rounds, 0.1);
  return std::clamp<uint64_t>(static_cast<uint64_t>(bytes), limits::kPushWindowLeastBytes,
                              limits::kPushWindowBytes);
}

}  // namespace tradewind::zephyr
