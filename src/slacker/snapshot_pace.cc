#include "slacker/snapshot_pace.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace tradewind::slacker {

SnapshotPace::SnapshotPace(runtime::Core& core, move::SourcePace& pace, Instance& instance,
                           BackupStream& backup)
    : core_(core), pace_(pace), instance_(instance), backup_(backup), watch_(core) {
  watch_.Spawn("snapshot pace", [this] { Watch(); });
}

SnapshotPace::~SnapshotPace() {
  TW_CHECK(watch_.size() == 0, "the pace of a snapshot was stopped before it goes");
}

void SnapshotPace::Stop() {
  stop_.Set();
  watch_.Join();
}

void SnapshotPace::Await(uint64_t bytes, const std::function<bool()>& stopped) {
  waiting_ = Waiting{bytes, core_.Now()};
  bool went = false;
  const auto look = [&] {
    went = MayGo();
    return went || stopped();
  };
  if (!look()) pace_.Await(bytes, look);
  // What did not wait for its turn counts, so that others make room for it.
  if (went) pace_.TakeUrgent(bytes);
  waiting_.reset();
}

bool SnapshotPace::MayGo() const {
  if (is_open()) return true;
  if (!waiting_ || floor_ <= 0) return false;
  const std::chrono::duration<double> waited = core_.Now() - waiting_->since;
  return waited.count() * floor_ >= static_cast<double>(waiting_->bytes);
}

void SnapshotPace::Watch() {
  runtime::TimePoint next_look = core_.Now();
  while (!stop_.is_set()) {
    if (core_.Now() >= next_look && !backup_.in_final_stages()) {
      LookAtLog();
      next_look = core_.Now() + limits::kRedoLogLook;
    }
    if (waiting_ && MayGo()) pace_.Wake();
    stop_.WaitUntil(core_.Now() + limits::kSnapshotLook);
  }
}

void SnapshotPace::LookAtLog() {
  const auto log = instance_.ReadRedoLog();
  if (!log) {
    log::warn("the redo log of an instance that moves: {}", Describe(log.error()));
    return;
  }
  const runtime::TimePoint now = core_.Now();
  if (sample_ && log->written_to >= sample_->written_to) {
    const std::chrono::duration<double> passed = now - sample_->at;
    const double rate = static_cast<double>(log->written_to - sample_->written_to) / passed.count();
    // At once up, and slowly down: a burst comes again.
    floor_ = std::max(kFloorByLog * rate, 0.9 * floor_);
  }
  sample_ = Sample{log->written_to, now};
  const auto copied = backup_.log_copied_to();
  if (!copied) return;
  const uint64_t ahead = log->written_to - std::min(*copied, log->written_to);
  behind_ = ahead > log->capacity_bytes / (behind_ ? 8 : 2);
}

}  // namespace tradewind::slacker
