// The part of Sender that is about its speed: which throttle it is under, what keeps it from being faster,
// and when it will end.
#include <algorithm>

#include "move/sender.h"
#include "move/sender_session.h"

namespace tradewind::move {

void Sender::DescribePace(Receipt& receipt) const {
  const bool over = IsOver(receipt.phase);
  if (follows_latency() && pace_note_.setpoint) {
    receipt.setpoint_ms = pace_note_.setpoint->milliseconds;
    receipt.signal = pace::NameOf(pace_note_.setpoint->signal);
  }
  if (!over) receipt.p95_ms = pace_note_.p95_ms;
  if (over && p95_notes_ > 0) receipt.p95_ms = p95_sum_ms_ / static_cast<double>(p95_notes_);
  receipt.rate_bytes_per_s = static_cast<uint64_t>(rate());
  if (options_.finish_by_ms != 0) receipt.finish_by = options_.finish_by_ms;
  if (over) return;
  receipt.limited_by = LimitedBy();
  if (const auto eta = progress_.Estimate(bytes_left())) {
    receipt.eta_s = eta->seconds;
    receipt.eta_low_s = eta->low_s;
    receipt.eta_high_s = eta->high_s;
    const double room_s = static_cast<double>(options_.finish_by_ms - core_.UnixMilliseconds()) / 1e3;
    if (receipt.finish_by && eta->seconds > room_s) receipt.late_by_s = eta->seconds - room_s;
  }
}

uint64_t Sender::bytes_left() const {
  uint64_t there = uint64_t{receipt_.pages_wireframe} + receipt_.pages_warm + receipt_.pages_pulled +
                   receipt_.pages_pushed;
  if (receipt_.phase ==
      Phase::kInit)  // What has gone stale has been sent to no avail, a batch before it counts.
    there -= std::min<uint64_t>(there, store_.stale_count());
  else if (session_)
    there = session_->sent.size();
  return (receipt_.pages_total - std::min<uint64_t>(receipt_.pages_total, there)) * store_.page_size();
}

// The requests of a tenant that is stopped and copied wait for its end, so it goes as fast as it can unless
// told otherwise.
bool Sender::follows_latency() const {
  return options_.pace.follows_latency() &&
         (options_.method == Method::kZephyr || options_.pace.setpoint.has_value());
}

void Sender::SetPace(const Pace& pace) {
  options_.pace = pace;
  own_bucket_.SetRate(static_cast<double>(pace.rate_bytes_per_s.value_or(0)));
  WakePushes();
}

double Sender::rate() const {
  return follows_latency() ? paced_bucket_.rate() : own_bucket_.rate();
}

// Not when the move is being given up: what waits here must not keep it.
void Sender::AwaitPace(const Session& session, uint64_t bytes) {
  const auto stopped = [&] { return session.lost || cancel_ || ending(); };
  if (follows_latency())
    paced_bucket_.TakePaced(bytes, [&] { return stopped() || !follows_latency(); });
  else
    own_bucket_.TakePaced(bytes, [&] { return stopped() || follows_latency(); });
}

void Sender::TakePace(uint64_t bytes) {
  (follows_latency() ? paced_bucket_ : own_bucket_).TakeUrgent(bytes);
}

void Sender::WakePushes() {
  own_bucket_.Wake();
  paced_bucket_.Wake();
}

void Sender::NotePace(const PaceNote& note) {
  pace_note_ = note;
  if (!note.p95_ms) return;
  p95_sum_ms_ += *note.p95_ms;
  ++p95_notes_;
}

std::string Sender::LimitedBy() const {
  // What it waited for its turn before the limit was lifted keeps it no longer.
  const auto but = rate() > 0 ? std::optional<pace::Bottleneck::Cause>() : pace::Bottleneck::Cause::kPace;
  const auto cause = bottleneck_.Worst(core_.Now(), but);
  if (!cause) return "";
  if (*cause != pace::Bottleneck::Cause::kPace) return std::string(pace::Bottleneck::NameOf(*cause));
  if (!follows_latency()) return "rate";
  return pace_note_.at_floor ? "floor" : "setpoint";
}

}  // namespace tradewind::move
