// When a tenant's WAL is copied into its main file, and what is done while it is long. The anchor, the one connection
// that is always open, keeps the WAL and makes the checkpoints.
//
// This core's fibers only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"
#include "sqlite/connection.h"
#include "sqlite/page_store.h"

namespace tradewind::tenant {

class Checkpoints {
 public:
  // Idle: of a transaction in which no statement runs, or of an export, so not one that ends by itself in a moment.
  enum class Snapshots { kIdle, kAny };
  // What it needs of its tenant. None suspends.
  struct Callbacks {
    std::function<bool()> is_up;  // Neither failed nor closing.
    std::function<bool(Snapshots)> has_snapshot;
    std::function<void(runtime::TimePoint)> end_snapshots;  // Those held since then, or longer.
  };
  // Writers wait for `turn`. `background` is joined before Close().
  Checkpoints(runtime::Core& core, TenantName name, sqlite::PageStore& store,
              std::unique_ptr<sqlite::Connection> anchor, runtime::FairLock& turn,
              runtime::TaskGroup& background, Callbacks callbacks);

  // From its return on there is none (source, from the hand-over on). Suspends until a running one has ended.
  void Stop();
  void Allow() { stopped_ = false; }
  bool stopped() const { return stopped_; }
  bool running() const { return running_; }

  // A commit has ended. Does not suspend.
  void StartIfLong();
  // Copies the WAL, unless there is to be none. Suspends.
  void RunNow();
  // Copies the WAL and cuts it to what a tenant that is closed for idleness keeps. Fails when that is not possible.
  // Suspends.
  Result<void> CutForIdleness();
  // The tenant is not up any more. Does not suspend.
  void Wake() { watch_.NotifyAll(); }
  // Closes the anchor; being the last connection it checkpoints, unless `keep_wal` or stopped. Suspends.
  void Close(bool keep_wal);

 private:
  void Run();
  Result<void> CatchUpWithWriters();
  // A fiber that, while the WAL is long, ends what keeps it so, and cuts it.
  void WatchLongWal();
  bool HasLongWal() const;
  bool ShortensWal() const;
  void EndOldSnapshots();
  void End();

  runtime::Core& core_;
  const TenantName name_;
  sqlite::PageStore& store_;
  const std::unique_ptr<sqlite::Connection> anchor_;
  runtime::FairLock& turn_;
  runtime::TaskGroup& background_;
  const Callbacks callbacks_;
  bool stopped_ = false;
  bool running_ = false;
  bool watching_ = false;
  uint32_t at_frames_ = limits::kCheckpointFrames;
  runtime::WaitQueue watch_;  // The watch looks again.
  runtime::WaitQueue ended_;  // A checkpoint has.
};

}  // namespace tradewind::tenant
