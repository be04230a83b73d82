#include "gateway/open_cursor.h"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "hrana/error_codes.h"

namespace tradewind::gateway {

namespace {

// Two pieces, and the row that has made them that long.
constexpr size_t kRoomBytes = 9 * limits::kCursorPieceBytes / 4;

constexpr std::string_view kServerMemoryCode = "SERVER_MEMORY";

Error NotRead() {
  return {ErrorKind::kTimeout, std::string(hrana::kStreamExpired),
          "nobody has read on in the cursor for more than " +
              std::to_string(limits::kCursorIdle.count() / 1000) + " s",
          "read it to its end without long pauses, or ask for less"};
}

Error NotReadWhenFull() {
  return {ErrorKind::kTooLarge, std::string(kServerMemoryCode),
          "the server's memory is used up, and nobody has read on in the cursor for a second",
          "read it without pauses, or ask for less"};
}

Error Skipped() {
  return {ErrorKind::kRefused, "CURSOR_CLOSED", "the cursor was closed by its client", ""};
}

Error NoMemoryForEntries() {
  return {ErrorKind::kTooLarge, std::string(kServerMemoryCode),
          "the row needs more memory than is left of what the server may have",
          "try again when less is going on"};
}

}  // namespace

bool OpenCursor::has_piece() const {
  if (skipped_) return false;
  return entries_.size() >= limits::kCursorPieceBytes || (wants_any_ && !entries_.empty());
}

Result<void> OpenCursor::AwaitRoom() {
  if (stopped_) return Fail(*stopped_);
  if (skipped_) return Fail(Skipped());
  if (reading_ && has_piece()) filled_.NotifyAll();
  if (entries_.size() < 2 * limits::kCursorPieceBytes) {
    // At once what it will need: growing by and by leaves holes that nobody else fills. Each cursor has too little
    // for anybody to refuse it, and thousands have all that there is.
    if (entries_.size() >= limits::kCursorPieceBytes / 4 && entries_.capacity() < kRoomBytes) {
      if (Memory().IsFull()) return Fail(NoMemoryForEntries());
      entries_.reserve(kRoomBytes);
    }
    return {};
  }
  if (!held_.TrySet(entries_.capacity())) return Fail(NoMemoryForEntries());
  const runtime::TimePoint began = core_.Now();
  const auto has_room = [this] {
    return stopped_ || skipped_ || entries_.size() < limits::kCursorPieceBytes;
  };
  while (!runtime::WaitForUntil(room_, core_.Now() + limits::kCursorIdleWhenFull, has_room)) {
    if (core_.Now() >= began + limits::kCursorIdle) Stop(NotRead());
    if (Memory().IsFull()) Stop(NotReadWhenFull());
  }
  waited_ += core_.Now() - began;
  if (skipped_) return Fail(Skipped());
  if (stopped_) return Fail(*stopped_);
  return {};
}

runtime::Duration OpenCursor::TakeWaited() {
  return std::exchange(waited_, {});
}

bool OpenCursor::AwaitLastTaken() {
  done_ = true;
  filled_.NotifyAll();
  runtime::WaitForUntil(room_, core_.Now() + limits::kCursorIdle, [this] { return last_taken_ || stopped_; });
  return last_taken_;
}

OpenCursor::Piece OpenCursor::Take() {
  reading_ = true;
  const auto ends = [this] { return done_ || stopped_; };
  runtime::WaitForUntil(filled_, core_.Now() + limits::kCursorLinger, [&] { return ends() || has_piece(); });
  wants_any_ = true;
  runtime::WaitFor(filled_, [&] { return ends() || has_piece(); });
  reading_ = wants_any_ = false;
  Piece piece;
  piece.entries.swap(entries_);
  piece.held = std::exchange(held_, MemoryCharge(MemoryKind::kAnswers));
  piece.held.Set(piece.entries.capacity());
  piece.unsynced = std::exchange(unsynced_, false);
  piece.last = last_taken_ = done_ && !stopped_;
  room_.NotifyAll();
  return piece;
}

void OpenCursor::Skip() {
  skipped_ = true;
  room_.NotifyAll();
}

bool OpenCursor::stopped_for_memory() const {
  return stopped_ && stopped_->code == kServerMemoryCode;
}

void OpenCursor::Stop(Error why) {
  if (!stopped_) stopped_ = std::move(why);
  room_.NotifyAll();
  filled_.NotifyAll();
}

}  // namespace tradewind::gateway
