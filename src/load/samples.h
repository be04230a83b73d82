// What every request of a load took, kept one by one: exact percentiles over any window, and the gaps between
// answers.
//
// Latency is measured from the sending of a request to its answer by closed-loop workers: a worker that waits
// sends nothing, so a stall is seen once per worker and not once per request that an open-loop client would
// have sent meanwhile. The longest gap between successful answers does not suffer from this, which is why it
// is reported beside the percentiles.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/core.h"

namespace tradewind::load {

struct Sample {
  runtime::TimePoint answered;
  runtime::Duration latency;
};

// From `from` up to, not including, `to`.
struct Window {
  runtime::TimePoint from;
  runtime::TimePoint to;
};

// Percentiles are zero when there is no sample.
struct LatencySummary {
  size_t count = 0;
  runtime::Duration p50{};
  runtime::Duration p95{};
  runtime::Duration p99{};
  runtime::Duration max{};
};

class Samples {
 public:
  // Requires: `answered` does not go back.
  void Record(runtime::TimePoint answered, runtime::Duration latency);

  size_t size() const { return samples_.size(); }
  // Over the answers in all of the windows, which must not overlap.
  LatencySummary Summarize(const std::vector<Window>& windows) const;
  // Over the requests that were to be sent within the window, whenever they were answered: one that waits for
  // the end of a stall belongs to the stall.
  LatencySummary SummarizeSentIn(const Window& window) const;
  // The longest time without an answer within the window: between two answers, before the first, or after the
  // last.
  runtime::Duration LongestGap(const Window& window) const;

 private:
  std::vector<Sample> samples_;
};

}  // namespace tradewind::load
