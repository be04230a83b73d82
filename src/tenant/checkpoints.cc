#include "tenant/checkpoints.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "runtime/turns.h"

namespace tradewind::tenant {

Checkpoints::Checkpoints(runtime::Core& core, TenantName name, sqlite::PageStore& store,
                         std::unique_ptr<sqlite::Connection> anchor, runtime::FairLock& turn,
                         runtime::TaskGroup& background, Callbacks callbacks)
    : core_(core),
      name_(std::move(name)),
      store_(store),
      anchor_(std::move(anchor)),
      turn_(turn),
      background_(background),
      callbacks_(std::move(callbacks)) {}

void Checkpoints::Stop() {
  stopped_ = true;
  store_.HurryCheckpoint();
  runtime::WaitFor(ended_, [&] { return !running_; });
}

void Checkpoints::StartIfLong() {
  const uint32_t frames = store_.log().frames();
  if (frames < limits::kCheckpointFrames) at_frames_ = limits::kCheckpointFrames;
  if (frames < at_frames_ || stopped_ || running_ || !callbacks_.is_up()) return;
  running_ = true;
  background_.Spawn("checkpoint " + name_, [this] {
    const runtime::Turns turns("checkpoint " + name_);  // Not behind the tenant's own statements.
    Run();
    if (ShortensWal()) WatchLongWal();
  });
}

void Checkpoints::RunNow() {
  runtime::WaitFor(ended_, [&] { return !running_; });
  if (stopped_ || !callbacks_.is_up()) return;
  const runtime::Turns turns("checkpoint " + name_);
  Run();
}

Result<void> Checkpoints::CutForIdleness() {
  running_ = true;
  store_.log().KeepRoom(limits::kBlankWalBytes);
  Result<void> copied = anchor_->Checkpoint(sqlite::CheckpointMode::kTruncate);
  End();
  return copied;
}

void Checkpoints::Close(bool keep_wal) {
  store_.HurryNextCheckpoint();
  anchor_->Close(keep_wal || stopped_);
}

void Checkpoints::End() {
  running_ = false;
  ended_.NotifyAll();
}

void Checkpoints::Run() {
  running_ = true;
  Result<void> done = anchor_->Checkpoint(sqlite::CheckpointMode::kPassive);
  if (done && HasLongWal()) done = CatchUpWithWriters();
  // The WAL starts anew with the next write if no reader was in the way; else there is no use in trying at
  // every commit.
  const uint32_t frames = store_.log().frames();
  at_frames_ = frames + std::max(limits::kCheckpointFrames, frames) / 4;
  if (!done && done.error().kind != ErrorKind::kUnavailable)
    log::warn("tenant {}: a checkpoint failed: {}", name_, Describe(done.error()));
  End();
}

// Under a load that never pauses there are always commits that a checkpoint has not seen, and readers that came
// before the last of them; the WAL would grow for ever. So writers wait for a moment, in which what came during the last
// checkpoint is copied, readers of the WAL come to their end (new ones read the main file), and the WAL is cut. A
// transaction that is open while its client does something else is not waited for.
Result<void> Checkpoints::CatchUpWithWriters() {
  const runtime::Duration wait = std::clamp<runtime::Duration>(
      limits::kCatchUpWait * int64_t{store_.log().frames()} / int64_t{limits::kLongWalFrames},
      limits::kCatchUpWait, limits::kWriteTurnWait / 2);
  TW_TRY(anchor_->Checkpoint(sqlite::CheckpointMode::kPassive));
  if (stopped_ || !turn_.Acquire(this, core_.Now() + limits::kCatchUpWait)) return {};
  store_.HurryNextCheckpoint();
  Result<void> done = anchor_->Checkpoint(sqlite::CheckpointMode::kPassive);
  if (done && !callbacks_.has_snapshot(Snapshots::kIdle) && !stopped_) {
    store_.log().KeepRoom(uint64_t{limits::kCheckpointFrames} * store_.page_size());
    const runtime::TimePoint deadline = core_.Now() + wait;
    anchor_->SetProgress([this, deadline]() -> Result<void> {
      if (core_.Now() < deadline && callbacks_.is_up() && !stopped_) return {};
      return Fail(ErrorKind::kUnavailable, "READERS_STAY", "readers keep the log from being cut");
    });
    done = anchor_->Checkpoint(sqlite::CheckpointMode::kTruncate);
    anchor_->SetProgress({});
  }
  turn_.Release(this);
  return done;
}

// -- A long WAL

// It is, or it has been and its file still is.
bool Checkpoints::HasLongWal() const {
  return store_.log().frames() >= limits::kLongWalFrames ||
         store_.log().bytes() > uint64_t{limits::kLongWalFrames} * 2 * store_.page_size();
}

bool Checkpoints::ShortensWal() const {
  return HasLongWal() && !stopped_ && callbacks_.is_up();
}

void Checkpoints::WatchLongWal() {
  if (std::exchange(watching_, true)) return;
  background_.Spawn("long log of " + name_, [this] {
    while (ShortensWal()) {
      watch_.WaitUntil(core_.Now() + limits::kLongWalLook);
      if (!ShortensWal()) break;
      EndOldSnapshots();
      if (!running_ && !callbacks_.has_snapshot(Snapshots::kAny)) Run();
    }
    watching_ = false;
  });
}

void Checkpoints::EndOldSnapshots() {
  const bool at_any_age = store_.log().frames() >= limits::kMostWalFrames;
  callbacks_.end_snapshots(core_.Now() - (at_any_age ? limits::kLongWalLook : limits::kSnapshotTime));
}

}  // namespace tradewind::tenant
