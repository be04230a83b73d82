#include "move/source_pace.h"

namespace tradewind::move {

SourcePace::SourcePace(runtime::Core& core, pace::Throttle& shared, const MoveOptions& options)
    : core_(core),
      options_(options),
      own_bucket_(core, static_cast<double>(options.pace.rate_bytes_per_s.value_or(0)), pace::kBurstBytes),
      shared_(shared),
      bottleneck_(core.Now()) {}

void SourcePace::OptionsChanged() {
  own_bucket_.SetRate(static_cast<double>(options_.pace.rate_bytes_per_s.value_or(0)));
  Wake();
}

bool SourcePace::follows_latency() const {
  return options_.pace.follows_latency() &&
         (options_.method == Method::kZephyr || options_.pace.setpoint.has_value());
}

pace::Throttle& SourcePace::throttle() const {
  if (follows_latency()) return shared_;
  return own_bucket_;
}

double SourcePace::rate() const {
  return throttle().rate();
}

void SourcePace::Await(uint64_t bytes, const std::function<bool()>& stopped) {
  const bool shared = follows_latency();
  throttle().TakePaced(bytes, [&] { return stopped() || follows_latency() != shared; });
}

void SourcePace::TakeUrgent(uint64_t bytes) {
  throttle().TakeUrgent(bytes);
}

void SourcePace::Wake() {
  own_bucket_.Wake();
  shared_.Wake();
}

void SourcePace::NoteCause(pace::Bottleneck::Cause cause) {
  bottleneck_.Note(cause, core_.Now());
}

void SourcePace::NoteSent(uint64_t bytes) {
  progress_.Note(core_.Now(), bytes);
}

void SourcePace::NotePace(const pace::PaceNote& note) {
  note_ = note;
  if (!note.p95_ms) return;
  p95_sum_ms_ += *note.p95_ms;
  ++p95_notes_;
}

void SourcePace::Describe(Receipt& receipt, uint64_t bytes_left) const {
  const bool over = IsOver(receipt.phase);
  if (follows_latency() && note_.setpoint) {
    receipt.setpoint_ms = note_.setpoint->milliseconds;
    receipt.signal = pace::NameOf(note_.setpoint->signal);
  }
  if (!over) receipt.p95_ms = note_.p95_ms;
  if (over && p95_notes_ > 0) receipt.p95_ms = p95_sum_ms_ / static_cast<double>(p95_notes_);
  receipt.rate_bytes_per_s = static_cast<uint64_t>(rate());
  if (options_.finish_by_ms != 0) receipt.finish_by = options_.finish_by_ms;
  if (over) return;
  receipt.limited_by = LimitedBy();
  if (const auto eta = progress_.Estimate(bytes_left)) {
    receipt.eta_s = eta->seconds;
    receipt.eta_low_s = eta->low_s;
    receipt.eta_high_s = eta->high_s;
    const double room_s = static_cast<double>(options_.finish_by_ms - core_.UnixMilliseconds()) / 1e3;
    if (receipt.finish_by && eta->seconds > room_s) receipt.late_by_s = eta->seconds - room_s;
  }
}

std::string SourcePace::LimitedBy() const {
  // What it waited for its turn before the limit was lifted keeps it no longer.
  const auto but = rate() > 0 ? std::optional<pace::Bottleneck::Cause>() : pace::Bottleneck::Cause::kPace;
  const auto cause = bottleneck_.Worst(core_.Now(), but);
  if (!cause) return "";
  if (*cause != pace::Bottleneck::Cause::kPace) return std::string(pace::Bottleneck::NameOf(*cause));
  if (!follows_latency()) return "rate";
  return note_.at_floor ? "floor" : "setpoint";
}

}  // namespace tradewind::move
