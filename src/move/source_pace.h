// How fast a move's source sends: which throttle it is under, what keeps it from being faster, and when it will end.
//
// This core only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "move/options.h"
#include "move/receipt.h"
#include "pace/bottleneck.h"
#include "pace/paced_move.h"
#include "pace/progress.h"
#include "pace/token_bucket.h"

namespace tradewind::move {

class SourcePace {
 public:
  // `shared`: what all moves of this node that follow latency draw on.
  SourcePace(runtime::Core& core, pace::Throttle& shared, const MoveOptions& options);

  // The options have changed; whoever waits for its turn looks again.
  void OptionsChanged();
  // The requests of a tenant that is stopped and copied wait for its end, so it goes as fast as it can unless told
  // otherwise.
  bool follows_latency() const;
  double rate() const;

  // Suspends until so many bytes may go, or `stopped` says so.
  void Await(uint64_t bytes, const std::function<bool()>& stopped);
  // They go without waiting, and count.
  void TakeUrgent(uint64_t bytes);
  void Wake();

  // What the source was busy with until now.
  void NoteCause(pace::Bottleneck::Cause cause);
  // So many bytes have been sent in all.
  void NoteSent(uint64_t bytes);
  // So many were asked for by a request that waits for them.
  void NoteWaitedFor(uint64_t bytes) { waited_for_bytes_ += bytes; }
  uint64_t TakeWaitedFor() { return std::exchange(waited_for_bytes_, 0); }
  // What the pacer has found.
  void NotePace(const pace::PaceNote& note);

  void Describe(Receipt& receipt, uint64_t bytes_left) const;

 private:
  pace::Throttle& throttle() const;
  std::string LimitedBy() const;

  runtime::Core& core_;
  const MoveOptions& options_;
  mutable pace::TokenBucket own_bucket_;  // Of a fixed rate.
  pace::Throttle& shared_;
  pace::PaceNote note_;
  double p95_sum_ms_ = 0;  // Over all notes that have one.
  uint64_t p95_notes_ = 0;
  uint64_t waited_for_bytes_ = 0;
  pace::Progress progress_;
  pace::Bottleneck bottleneck_;
};

}  // namespace tradewind::move
