// The entries of a cursor at the tenant's owner, between the fiber that runs its batch and the calls that fetch them. The
// batch waits while as much lies here as two calls take, so a result of any size costs that much; and no longer than
// limits::kCursorIdle, since what it holds (a snapshot, a connection) is wanted by others; a second, where memory is used up.
//
// This core only.
#pragma once

#include <optional>
#include <string>

#include "base/memory_pool.h"
#include "base/result.h"
#include "hrana/cursor.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::gateway {

class OpenCursor final : public hrana::EntrySink {
 public:
  explicit OpenCursor(runtime::Core& core) : core_(core) {}

  // -- For the batch
  std::string& entries() override { return entries_; }
  // Fails with STREAM_EXPIRED when nobody fetches, SERVER_MEMORY, or what Stop() was given.
  Result<void> AwaitRoom() override;
  void NoteSnapshot() override { unsynced_ = true; }
  runtime::Duration TakeWaited() override;
  // It is done; nothing is appended any more. Suspends until the last piece was taken (true); false when nobody came for it,
  // or after Stop().
  bool AwaitLastTaken();

  // -- For the calls, one at a time
  struct Piece {
    std::string entries;
    bool last = false;
    bool unsynced = false;  // It may leave once all that is committed by now is durable.
    MemoryCharge held{MemoryKind::kAnswers};
  };
  // Suspends until there is a piece worth a call, or the batch is done.
  Piece Take();
  // Nobody wants the rest: the batch ends where it is. Take() gives the last piece. Does not suspend.
  void Skip();
  // Nobody read on, and its memory was wanted for others.
  bool stopped_for_memory() const;
  // Whether a call waits in Take().
  bool is_being_read() const { return reading_; }

  // Nobody reads on, or must not. Does not suspend.
  void Stop(Error why);

 private:
  bool has_piece() const;

  runtime::Core& core_;
  std::string entries_;
  MemoryCharge held_{MemoryKind::kAnswers};
  bool unsynced_ = false;
  bool done_ = false;
  bool last_taken_ = false;
  bool reading_ = false;
  bool skipped_ = false;
  bool wants_any_ = false;  // Whoever reads has waited for a whole piece for long enough.
  std::optional<Error> stopped_;
  runtime::Duration waited_{};
  runtime::WaitQueue room_;    // Or stopped, or the last piece was taken.
  runtime::WaitQueue filled_;  // Or done, or stopped.
};

}  // namespace tradewind::gateway
