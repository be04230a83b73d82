// The file of one tenant as SQLite's VFS (vfs.h), the WAL reader and a move see it: the main file, its WAL,
// the shared memory of the WAL index (in the heap: one process, one thread), the locks, and, while a move is
// on, the state of each page.
//
// This core's fibers only.
//
// -- Commits
// With cache spill off SQLite writes WAL frames in order, each a 24-byte header and then the page. The
// store follows them:
//   - frames after the last commit, up to and with the commit frame, are the transaction; by frame number,
//     last write wins;
//   - at the commit frame's header, before a byte of it reaches the file, the transaction is judged (source
//     rule below). Refusal is SQLITE_IOERR|(n<<8): SQLite rolls back cleanly and recovery agrees.
//     (SQLITE_BUSY would leave the transaction open, and a COMMIT tried again would "succeed" and be lost
//     at recovery.)
//   - from acceptance to the end of the commit nothing suspends. When SQLite releases the write lock, the
//     WAL index says whether the commit happened (its last frame is the accepted one): then its frames
//     become the newest versions and it gets its sequence number. This needs no hook of a connection, and
//     holds for OR FAIL, VACUUM and every other path to a commit;
//   - an accepted commit that did not happen all the same (out of memory in the WAL index) is cut off the
//     WAL at once, and counts as a commit that answers wait for: live it was rolled back, but recovery
//     would commit it;
//   - a 32-byte write at offset 0, or a truncation to 0, starts a new generation: everything is in the main
//     file;
//   - a WAL that has no room is given some, of zeros (recovery ends at them, as at the frames of an earlier
//     generation), so that hardly any commit changes the file's size or blocks: a sync then need not wait
//     for a commit of the file system's journal, which on ext4 waits for the data of every other file that
//     grew, a moving copy foremost, nor does the write that comes next, on the core, wait for that journal.
//
// -- A blank WAL
// SQLite cuts a WAL to nothing once a checkpoint has all of it in the main file, synced, and no reader uses it
// (CheckpointMode::kTruncate). Here it becomes blank instead and keeps some room (KeepWalRoom), so that the next commit
// syncs what a usual one does: no folder, no size, no header. In this order:
//   1. the checkpoint is done. A crash: the WAL is replayed, onto pages that are the same already.
//   2. zeros over the WAL's header. A crash: the old header, as 1; or none, and recovery finds no frame.
//   3. the WAL and, if it is not, its name are synced. From here no frame of old comes back, whatever is lost.
//      (To cut the file before that could leave the header with some of the frames, of which recovery would put
//      pages back to what they were.)
//   4. it is cut to its room, and kBlankMark goes where SQLite looks for its header. A crash: one of them, or both,
//      are missing; recovery finds no frame either way.
// Who opens the file and finds the mark knows that 3 was reached: the name is durable, and no frame of old is on
// the disk. SQLite syncs the header of a WAL that it starts anew before the first frame, since a loss of power might
// leave new frames behind the old header and make frames of old, before them, the newest; there is none, so this is
// left out. The first commit's sync covers header and frames; before it, recovery finds a prefix of what was
// written, which nobody was told of. Without the mark everything is as for any other WAL.
//
// -- Source rules
//   - init: a page that was sent and is then written by a commit is stale (sent is cleared).
//   - from the list on: H is the set of handed-over pages. A commit that holds a frame of a page in H is
//     refused.
//   - mark first, then read: a mark is made without a suspension before the read of what is sent. Never
//     taken back, but by AbandonHandOver() before the swap is sent.
//   - a page version leaves only when a sync covers the commit that wrote it.
//
// -- Destination rules
//   - a read of an absent page of the main file pulls it: the reader suspends; one pull however many wait.
//   - present is set by an arriving page or by SQLite's own write to the main file (a checkpoint), never by
//     a WAL write: old snapshots still need the base page. An arriving page's write and its mark are one
//     step. A page present already is dropped.
//   - sync of the main file: copy the presence, sync the data, then write and sync the copy. SQLite syncs
//     the database before it lets the WAL restart, so presence is never behind a checkpoint and never ahead
//     of the data. (What a checkpoint wrote is given to the disk a few pages at a time before that: commits
//     of all tenants would wait behind thousands of pages. It changes nothing about what is durable when.)
//   - a failed pull is SQLITE_IOERR_READ, never BUSY, ABORT or CANTOPEN (with those, part of a statement
//     can be committed).
//
// -- Other programs
//   - while a file is open here its lock bytes are held, so that SQLite in another process hears "database
//     is locked" whatever it wants. The locks above are this process's own affair: a program that merely
//     reads a file in WAL mode would find no other user of it, take itself for the last one when it closes,
//     and remove the WAL, whose later frames this store would go on to write into a file without a name.
//     (A program that opens it with immutable=1 or nolock=1 asks nobody. It can do no harm by reading.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "sqlite/memory_budget.h"
#include "sqlite/page_set.h"
#include "sqlite/presence_map.h"
#include "sqlite/wal_index.h"
#include "sqlite/wal_tracker.h"

namespace tradewind::sqlite {

// Why the store refused a call of SQLite; the connection turns it into the error that the client sees.
inline constexpr std::string_view kHandedOverCode = "HANDED_OVER";  // Retryable: the tenant is moving.
inline constexpr std::string_view kPullFailedCode = "PULL_FAILED";  // Retryable: the source does not answer.

// Retryable: another program has the file open.
inline constexpr std::string_view kFileInUseCode = "TENANT_FILE_IN_USE";

// Takes SQLite's lock bytes of a main file, so that other programs keep out of it until it is closed. Waits a
// little for one that has it open, then fails with kFileInUseCode. Suspends.
Result<void> KeepOthersOut(runtime::Core& core, runtime::File& file, const std::string& path);

class PageStore {
 public:
  // Opens the main file of a tenant, keeps other programs out of it, and makes it known to the VFS under
  // database_path(). Nothing of SQLite runs yet. Fails as the disk and KeepOthersOut() do. Suspends.
  static Result<std::unique_ptr<PageStore>> Open(runtime::Core& core, const std::string& path,
                                                 runtime::OpenMode mode);
  ~PageStore();  // Requires: no connection is open on it.
  PageStore(const PageStore&) = delete;
  PageStore& operator=(const PageStore&) = delete;

  runtime::Core& core() { return core_; }
  // What sqlite3_open_v2 is given, with kVfsName.
  const std::string& database_path() const { return database_path_; }
  // Where the main file is on the disk.
  const std::string& path() const { return path_; }

  // What SQLite holds in memory for the tenant.
  MemoryAccount& memory() { return *memory_; }

  // Durability (group commit). Suspends until a sync covers every commit that has finished so far. A failure
  // is final.
  Result<void> WaitDurable();
  // Somebody waits for the checkpoint that is under way, or for the next: it need not spare the disk.
  void HurryCheckpoint() { hurried_ = syncing_main_; }
  void HurryNextCheckpoint() { hurried_ = true; }
  // How much of the file stays when the WAL becomes blank.
  void KeepWalRoom(uint64_t bytes) { wal_room_kept_ = bytes; }
  uint64_t wal_bytes() const { return wal_end_; }
  // A sync has failed: nothing is written any more.
  bool failed() const { return failed_.has_value(); }
  CommitSequence committed() const { return committed_; }
  CommitSequence durable() const { return durable_; }
  bool commit_in_flight() const { return tracker_.accepted_frame() != 0; }
  uint32_t wal_frames() const { return tracker_.committed_frame(); }
  // The reason of the last refusal, once.
  std::optional<Error> TakeRefusal() { return std::exchange(refusal_, std::nullopt); }

  // Size of the newest committed version. Requires a database that has been written.
  uint32_t page_size() const { return page_size_; }
  uint32_t page_count() const { return page_count_; }
  // Reads both from the file; the WAL must be empty. Needed after the file was made by something else than
  // this store.
  Result<void> ReadGeometry();

  // Fills `into` with the newest committed versions of the pages, one after the other, durable or not; pages
  // with following numbers cost one read. Pages past the end are zero. Suspends.
  Result<void> ReadNewest(std::span<const PageNumber> pages, MutableBytes into);
  Result<void> ReadNewest(PageNumber page, MutableBytes into) { return ReadNewest({&page, 1}, into); }

  // At most `limit` pages that were read or written since the store was opened, the latest first. Suspends.
  std::vector<PageNumber> HotPages(size_t limit) const;
  // As if these had been used, the last of them first: what HotPages() of an earlier opening said.
  void RememberHotPages(const std::vector<PageNumber>& pages);

  // -- Source of a move

  // Starts to follow which sent pages go stale.
  void StartSending();
  // Reads pages for sending: waits until a sync covers their newest versions, marks them sent (not stale),
  // then reads them. During init a commit may make one stale again at any suspension. Suspends.
  Result<void> TakeForInit(std::span<const PageNumber> pages, MutableBytes into);
  bool IsSentAndClean(PageNumber page) const { return sent_.Has(page); }
  uint32_t stale_count() const { return stale_count_; }
  // The list (protocol step 2): fixes H = sent and clean, plus `with`, and refuses commits that touch H from
  // this step on. Does not suspend. Requires: nothing committed is undurable and no commit is in flight.
  const PageSet& MakeList(const std::vector<PageNumber>& with);
  // The list of a tenant that goes back (step 10): H = what was not written here since this node owns, plus
  // `with`. The same requirements.
  const PageSet& MakeReverseList(const std::vector<PageNumber>& with);
  // Whether the page was written by a commit of this node since it owns. Requires a presence map.
  bool WasWrittenHere(PageNumber page) const;
  // The swap was not sent: nothing is refused any more, and sending starts anew.
  void AbandonHandOver();
  // Stops all following (the move is over for this side).
  void StopSending();
  bool handed_over() const { return handing_over_; }
  bool is_sending() const { return sending_; }
  // Marks pages that the destination has (its HELLO), also after a restart, when the whole file is frozen.
  void MarkHandedOver(const PageSet& pages);
  // Dual and finish: syncs what is not durable, then marks the pages handed over and reads them. Suspends.
  Result<void> HandOver(std::span<const PageNumber> pages, MutableBytes into);
  // Commits refused because of a handed-over page, since StartSending().
  uint64_t refused_commits() const { return refused_commits_; }

  // -- Destination of a move

  // From now on pages that the map does not hold are absent: reading one calls `pull` (which must not
  // suspend) once and waits until it arrives, the deadline passes, or StopPulls().
  void SetPresence(std::unique_ptr<PresenceMap> presence, std::function<void(PageNumber)> pull);
  const PresenceMap* presence() const { return presence_.get(); }
  // Pages have arrived whole and checked, their contents one after the other: each is written if absent, else
  // dropped. Does not suspend.
  Result<void> Arrive(std::span<const PageNumber> pages, Bytes contents);
  // From now on a read of an absent page fails at once, and so do those that wait: the tenant goes back to
  // its source.
  void StopPulls();
  // Pages that readers wait for, in the order of asking; to be asked for again on a new connection.
  std::vector<PageNumber> wanted() const;
  // The hashes of what has arrived, by page number - 1 (0: nothing has), made anew from the file where nothing
  // was written over it since; a free leaf has that of its number. Suspends.
  Result<std::vector<uint64_t>> RehashArrived();
  // Makes the data and then the map durable. Suspends.
  Result<void> SyncPresence();
  // Has the disk begin with the data, so that SyncPresence() finds less to do. Suspends.
  void StartWriteback() { main_->StartWriteback(); }
  // The move is done, everything is present and durable: the file is an ordinary one again. A sync may be
  // under way.
  void DropPresence();
  struct PullCounters {
    uint64_t pulls = 0;
    std::vector<uint32_t> latencies_us;  // Of the last pulls, at most kPullSamples.
  };
  const PullCounters& pull_counters() const { return pull_counters_; }

 private:
  friend struct VfsCalls;
  struct Pull {
    runtime::WaitQueue waiters;
    runtime::TimePoint asked;
    bool given_up = false;  // Somebody waited to no avail: it is asked for again.
  };
  static constexpr size_t kPullSamples = 100'000;
  static constexpr uint32_t kUseBlockPages = 1024;
  static constexpr uint32_t kUseSpans = 4096;

  PageStore(runtime::Core& core, std::string path);

  // Calls of the VFS; each returns an SQLite result code.
  int ReadMain(uint64_t offset, MutableBytes into);
  int WriteMain(uint64_t offset, Bytes bytes);
  int TruncateMain(uint64_t size);
  int SyncMain();
  int OpenWal(bool create);
  int ReadWal(uint64_t offset, MutableBytes into);
  int WriteWal(uint64_t offset, Bytes bytes);
  int TruncateWal(uint64_t size);
  int SyncWal();
  int DeleteWal(bool sync_directory);
  void WriteLockReleased();

  void MakeWalRoom(uint64_t written_to);
  Result<void> BlankWal();
  Result<void> CutWal(uint64_t size);
  int JudgeCommit(uint64_t offset, Bytes frame_header);
  Result<void> EnsurePresent(PageNumber page);
  void NoteArrived(PageNumber page, uint64_t hash);
  void NoteUse(PageNumber page);
  Result<void> SyncWalFile();
  Result<void> SyncMainAndPresence();
  Result<void> WriteBackPages(std::vector<PageNumber> pages);
  void KeepTimeSlice();
  int Refuse(int result_code, Error error);

  const MemoryAccountPointer memory_{new MemoryAccount};
  runtime::Core& core_;
  std::string path_;
  uint64_t id_;
  std::string database_path_;

  std::unique_ptr<runtime::File> main_;
  std::vector<PageNumber> unsynced_pages_;  // Of the main file, that SQLite wrote.
  std::unique_ptr<runtime::File> wal_;
  uint64_t wal_end_ = 0;  // What the file is written up to, room included.
  bool hurried_ = false;
  bool wal_name_durable_ = false;
  uint64_t wal_room_kept_ = limits::kBlankWalBytes;
  bool wal_blank_ = false;   // No frame is in the file, nor can one of old come back.
  bool wal_marked_ = false;  // And nothing has been written since it said so itself.
  bool wal_settled_ =
      false;  // What it held when it was opened is durable, and so is its header since it was written.
  FileLocks locks_;
  WalIndex wal_index_;
  int wal_index_users_ = 0;
  uint32_t page_size_ = 0;
  uint32_t page_count_ = 0;

  WalTracker tracker_;
  CommitSequence committed_;
  CommitSequence durable_;
  bool syncing_ = false;
  runtime::WaitQueue sync_ended_;
  bool syncing_main_ = false;
  runtime::WaitQueue main_sync_ended_;
  std::optional<Error> failed_;
  std::optional<Error> refusal_;

  // By page number, in blocks that are made when a page of theirs is used, so that to open a large tenant
  // costs no more than a small one; of use_clock_, 0: not used.
  std::vector<std::vector<uint32_t>> last_use_;
  uint32_t use_clock_ = 0;
  uint32_t reads_in_slice_ = 0;
  uint32_t frames_in_slice_ = 0;

  bool sending_ = false;
  bool handing_over_ = false;
  PageSet sent_;
  PageSet handed_;
  uint32_t stale_count_ = 0;
  uint64_t refused_commits_ = 0;

  std::shared_ptr<PresenceMap> presence_;  // A sync under way shares it.
  std::function<void(PageNumber)> pull_;
  std::map<PageNumber, Pull> pulls_;
  bool pulls_stopped_ = false;
  PullCounters pull_counters_;
};

}  // namespace tradewind::sqlite
