#include "runtime/turn_watch.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace tradewind::runtime {

void TurnWatch::Change(TimePoint now, const char* label) {
  if (now - changed_ > most_) {
    most_ = now - changed_;
    most_by_ = label;
  }
  changed_ = now;
}

void TurnWatch::EndLong(TimePoint now, const char* label, Duration processor_time) {
  Change(now, label);
  const Duration took = std::min(now - began_, processor_time - processor_time_);
  read_at_ = now;
  processor_time_ = processor_time;
  const char* const by = most_by_;
  Begin(now);
  if (!std::exchange(has_read_, true)) return;  // There is nothing to compare with.
  if (took > longest_.time) longest_ = {took, by};
  Span& span = spans_[static_cast<size_t>(now.time_since_epoch() / kSpan) % spans_.size()];
  if (const int64_t number = now.time_since_epoch() / kSpan; span.number != number) span = {number, {}};
  if (took > span.longest.time) span.longest = {took, by};
  if (took > limits::kLongTurn) ++long_turns_[by];
}

TurnWatch::Longest TurnWatch::longest_lately(TimePoint now) const {
  const int64_t oldest = now.time_since_epoch() / kSpan - static_cast<int64_t>(spans_.size()) + 1;
  Longest longest;
  for (const Span& span : spans_)
    if (span.number >= oldest && span.longest.time > longest.time) longest = span.longest;
  return longest;
}

}  // namespace tradewind::runtime
