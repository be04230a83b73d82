// A tenant's WAL file, the commits in it, and when they are durable (group commit).
//
// -- Commits
// With cache spill off SQLite writes WAL frames in order, each a 24-byte header and then the page. The log follows them
// (wal_tracker.h):
//   - frames after the last commit, up to and with the commit frame, are the transaction; by frame number,
//     last write wins;
//   - at the commit frame's header, before a byte of it is taken, the transaction is checked (CommitHooks). Refusal is
//     SQLITE_IOERR|(n<<8): SQLite rolls back cleanly and recovery agrees.
//     (SQLITE_BUSY would leave the transaction open, and a COMMIT tried again would "succeed" and be lost
//     at recovery.)
//   - from acceptance to the end of the commit nothing suspends. When SQLite releases the write lock, the
//     WAL index says whether the commit happened (its last frame is the accepted one): then its frames
//     become the newest versions and it gets its sequence number. This needs no hook of a connection, and
//     holds for OR FAIL, VACUUM and every other path to a commit;
//   - a commit frame was written, but the commit failed afterwards (out of memory in the WAL index): it is cut off the
//     WAL at once, and counts as a commit that answers wait for: live it was rolled back, but recovery
//     would commit it;
//   - a 32-byte write at offset 0, or a truncation to 0, starts a new generation: everything is in the main
//     file.
//
// -- Room, and the tail
// What SQLite writes is kept in memory, as the tail of the file, and goes to the file in one write just before a sync (or
// when the tail is long): the frames of all commits that one sync covers cost one call. Whoever reads what is in the
// tail gets it from there. In this order:
//   1. before a frame is taken, the file has room for it: zeros, which recovery takes for its end, as it does frames of
//      an earlier generation. A full disk fails here, and with it the transaction. So hardly any commit changes the
//      file's size or blocks: a sync then need not wait for a commit of the file system's journal, which on ext4 waits
//      for the data of every other file that grew, a moving copy foremost.
//   2. frames are taken into the tail. A crash, of the process or the machine: they are gone. Nobody was told of them:
//      every answer, of reads too, waits for a sync that covers what it has seen (I4).
//   3. the tail is written. A crash of the machine leaves any part of it; recovery takes whole commits, in their order.
//   4. the file is synced. From here on what was written is durable, and answers go out.
// A write of the tail that fails has lost commits that SQLite has made, so it is as final as a sync that fails: nothing
// is written any more until the tenant is opened again, from what is on the disk.
//
// -- A blank WAL
// SQLite cuts a WAL to nothing once a checkpoint has all of it in the main file, synced, and no reader uses it
// (CheckpointMode::kTruncate). Here it becomes blank instead and keeps some room (KeepRoom), so that the next commit
// syncs what a usual one does: no folder, no size, no header. In this order:
//   1. the checkpoint is done. A crash: the WAL is replayed, onto pages that are the same already.
//   2. zeros over the WAL's header. A crash: the old header, as 1; or none, and recovery finds no frame.
//   3. the WAL and, if it is not, its name are synced. From here no frame of old comes back, whatever is lost.
//      (To cut the file before that could leave the header with some of the frames, of which recovery would put
//      pages back to what they were.)
//   4. it is cut to its room, and kBlankMark goes where SQLite looks for its header. A crash: one of them, or both,
//      are missing; recovery finds no frame either way.
// Who opens the file and finds the mark knows that 3 was reached: the name is durable, and no frame of old is on
// the disk. SQLite syncs the header of a WAL that it starts over before the first frame, since a loss of power might
// leave new frames behind the old header and make frames of old, before them, the newest; there is none, so this is
// left out. The first commit's sync covers header and frames; before it, recovery finds a prefix of what was
// written, which nobody was told of. Without the mark everything is as for any other WAL.
//
// This core's fibers only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "runtime/core.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "sqlite/wal_tracker.h"

namespace tradewind::sqlite {

// Who follows the commits of a log. Must not suspend.
class CommitHooks {
 public:
  // Whether CheckCommit() may refuse one: else nobody finds out its pages.
  virtual bool checks_commits() const = 0;
  // A transaction that changes these pages is about to commit; an error refuses it.
  virtual Result<void> CheckCommit(const std::vector<PageNumber>& pages) = 0;
  // It has.
  virtual void NoteCommit(const std::vector<PageNumber>& pages) = 0;

 protected:
  ~CommitHooks() = default;
};

class CommitLog {
 public:
  // The log of the database at `path`, in path-wal, which is opened when SQLite does.
  CommitLog(runtime::Core& core, const std::string& path);
  ~CommitLog();
  CommitLog(const CommitLog&) = delete;
  CommitLog& operator=(const CommitLog&) = delete;

  // -- SQLite's calls. Fail as the disk does. All but Size() and EndCommit() may suspend.

  Result<void> Open(bool create);
  Result<uint64_t> Size() const { return file_->Size(); }
  // Returns how many bytes there were.
  Result<size_t> Read(uint64_t offset, MutableBytes into);
  // Fails also as CommitHooks::CheckCommit() does.
  Result<void> Write(uint64_t offset, Bytes bytes);
  Result<void> Truncate(uint64_t size);
  Result<void> Sync();
  Result<void> Delete(bool sync_directory);
  // SQLite gives up the write lock, and the WAL index has so many frames. The pages of the commit, if there was one.
  std::vector<PageNumber> EndCommit(uint32_t frames_in_index);

  // -- Commits

  // Suspends until a sync covers every commit that has finished so far. A failure is final.
  Result<void> WaitDurable();
  CommitSequence committed() const { return committed_; }
  CommitSequence durable() const { return durable_; }
  bool commit_in_flight() const { return tracker_.accepted_frame() != 0; }
  // Nothing committed is undurable, and no commit is in flight.
  bool is_settled() const { return durable_ == committed_ && !commit_in_flight(); }
  // Null: nobody follows them.
  void SetHooks(CommitHooks* hooks) { hooks_ = hooks; }

  // Why nothing is written any more: a sync has failed, of this file or another of the tenant.
  const std::optional<Error>& failure() const { return failure_; }
  void NoteFailure(Error why) {
    if (!failure_) failure_ = std::move(why);
  }

  // -- What is in it

  std::optional<WalTracker::Version> Newest(PageNumber page) const { return tracker_.Newest(page); }
  Result<size_t> ReadVersion(const WalTracker::Version& version, MutableBytes into) {
    return Read(tracker_.FrameOffset(version.frame), into);
  }
  uint64_t generation() const { return tracker_.generation(); }
  uint32_t frames() const { return tracker_.committed_frame(); }
  uint32_t page_size() const { return tracker_.page_size(); }  // 0: nothing was written.
  // How many pages the database has after the commit whose frame's header is about to be written; 0: it is none.
  uint32_t PagesAfterCommit(uint64_t offset, Bytes bytes) const;
  uint32_t database_pages() const {
    return tracker_.database_pages();
  }                                        // After the last commit of the generation.
  uint64_t bytes() const { return end_; }  // What the file is written up to, room included.
  // How much of the file stays when it becomes blank.
  void KeepRoom(uint64_t bytes) { room_kept_ = bytes; }

 private:
  Result<void> MakeRoom(uint64_t up_to);
  Result<void> Flush();
  Result<void> SyncFile();
  Result<void> Cut(uint64_t size);
  Result<void> MakeBlank();
  uint64_t tail_end() const { return tail_at_ + tail_.size(); }

  runtime::Core& core_;
  const std::string database_path_;
  std::unique_ptr<runtime::File> file_;  // Null until it is opened.
  uint64_t end_ = 0;
  std::vector<std::byte> tail_;  // What comes at tail_at_, and is not in the file yet.
  uint64_t tail_at_ = 0;
  bool name_durable_ = false;
  uint64_t room_kept_ = limits::kBlankWalBytes;
  bool blank_ = false;   // No frame is in the file, nor can one of old come back.
  bool marked_ = false;  // And nothing has been written since it said so itself.
  // What it held when it was opened is durable, and so is its header since it was written.
  bool header_settled_ = false;
  uint32_t frames_in_slice_ = 0;

  WalTracker tracker_;
  CommitHooks* hooks_ = nullptr;
  CommitSequence committed_;
  CommitSequence durable_;
  bool syncing_ = false;
  runtime::WaitQueue sync_ended_;
  std::optional<Error> failure_;
};

}  // namespace tradewind::sqlite
