// How fast a snapshot is sent: at the pace of its move, but never so slowly that the instance is held up or that its redo log
// comes round (mariadb/backup.h, traps 2 and 3).
//
//   - in the backup's last stages commits wait for its end: nothing is held back any more
//   - the redo log travels in the same stream, so the rate has a floor: kFloorByLog times what is written to the log
//   - if it falls behind nevertheless, by half of what the log holds, nothing is held back until it has caught up
//
// A fiber of its own looks for all of that, also while a piece waits for its turn.
//
// One core only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "move/source_pace.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "slacker/instance.h"

namespace tradewind::slacker {

class SnapshotPace {
 public:
  static constexpr double kFloorByLog = 4;

  // What it is about outlives it.
  SnapshotPace(runtime::Core& core, move::SourcePace& pace, Instance& instance, BackupStream& backup);
  ~SnapshotPace();  // Requires: Stop() has returned.

  // Suspends until so many bytes may go. `stopped` is looked at when the pace is woken.
  void Await(uint64_t bytes, const std::function<bool()>& stopped);
  // Suspends.
  void Stop();

 private:
  // Nothing is held back now.
  bool is_open() const { return backup_.in_final_stages() || behind_; }
  bool MayGo() const;
  void Watch();
  void LookAtLog();

  runtime::Core& core_;
  move::SourcePace& pace_;
  Instance& instance_;
  BackupStream& backup_;
  bool behind_ = false;
  double floor_ = 0;  // Bytes a second; 0 as long as nothing is known.
  struct Sample {
    uint64_t written_to;
    runtime::TimePoint at;
  };
  std::optional<Sample> sample_;
  struct Waiting {
    uint64_t bytes;
    runtime::TimePoint since;
  };
  std::optional<Waiting> waiting_;  // A piece for its turn.
  runtime::Event stop_;
  runtime::TaskGroup watch_;
};

}  // namespace tradewind::slacker
