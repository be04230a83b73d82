// The file of one tenant as SQLite's VFS (vfs.h), the WAL reader and a move see it: the main file, its WAL,
// the shared memory of the WAL index (in the heap: one process, one thread), the locks, and, while a move is
// on, the state of each page.
//
// This core's fibers only.
//
// Made of: the log of commits (commit_log.h), which pages are hot (page_heat.h), and the halves of a move, which do
// nothing at rest: what the source has handed over (handed_pages.h), what the destination lacks (page_arrival.h).
//
// -- The main file
//   - sync of the main file: copy the presence, sync the data, then write and sync the copy. SQLite syncs
//     the database before it lets the WAL restart, so presence is never behind a checkpoint and never ahead
//     of the data. (What a checkpoint wrote is given to the disk a few pages at a time before that: commits
//     of all tenants would wait behind thousands of pages. It changes nothing about what is durable when.)
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
#include "sqlite/commit_log.h"
#include "sqlite/handed_pages.h"
#include "sqlite/memory_budget.h"
#include "sqlite/page_arrival.h"
#include "sqlite/page_heat.h"
#include "sqlite/presence_map.h"
#include "sqlite/wal_index.h"

namespace tradewind::sqlite {

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

  runtime::Core& core() const { return core_; }
  // What sqlite3_open_v2 is given, with kVfsName.
  const std::string& database_path() const { return database_path_; }
  // Where the main file is on the disk.
  const std::string& path() const { return path_; }

  // What SQLite holds in memory for the tenant.
  MemoryAccount& memory() { return *memory_; }
  // A commit that would make the database larger than this, and larger than it is, is refused with SQLITE_FULL. 0: none.
  void SetMostBytes(uint64_t bytes) { most_bytes_ = bytes; }

  CommitLog& log() { return log_; }
  const CommitLog& log() const { return log_; }
  HandedPages& handed() { return handed_; }
  const HandedPages& handed() const { return handed_; }
  PageArrival& arrival() { return *arrival_; }
  const PageArrival& arrival() const { return *arrival_; }

  // Somebody waits for the checkpoint that is under way, or for the next: it need not spare the disk.
  void HurryCheckpoint() { hurried_ = syncing_main_; }
  void HurryNextCheckpoint() { hurried_ = true; }
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

  // What PageHeat says, of pages that there are. Suspends.
  std::vector<PageNumber> HotPages(size_t limit) const { return heat_.Hottest(limit, page_count_); }
  void RememberHotPages(const std::vector<PageNumber>& pages) { heat_.Remember(pages, page_count_); }

  // The destination of a move: from now on pages that the map does not hold are absent (PageArrival::Begin).
  void SetPresence(std::unique_ptr<PresenceMap> presence, std::function<void(PageNumber)> pull);
  // Makes the data and then the map durable. Suspends.
  Result<void> SyncPresence() { return SyncMainAndPresence(); }
  // Has the disk begin with the data, so that SyncPresence() finds less to do. Suspends.
  void StartWriteback() { main_->StartWriteback(); }

 private:
  friend struct VfsCalls;
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

  Result<void> SyncMainAndPresence();
  Result<void> WriteBackPages(std::vector<PageNumber> pages);
  void KeepTimeSlice();
  int Refuse(int result_code, Error error);
  // The same for a failed write, whose code may be SQLite's for a full disk, or one of ours.
  int RefuseWrite(Error error);

  const MemoryAccountPointer memory_{new MemoryAccount};
  runtime::Core& core_;
  std::string path_;
  uint64_t id_;
  std::string database_path_;

  std::unique_ptr<runtime::File> main_;
  std::vector<PageNumber> unsynced_pages_;  // Of the main file, that SQLite wrote.
  bool hurried_ = false;
  FileLocks locks_;
  WalIndex wal_index_;
  int wal_index_users_ = 0;
  uint32_t page_size_ = 0;
  uint32_t page_count_ = 0;
  uint64_t most_bytes_ = 0;

  CommitLog log_;
  PageHeat heat_;
  HandedPages handed_{*this};
  std::optional<PageArrival> arrival_;  // Set once the main file is open.
  bool syncing_main_ = false;
  runtime::WaitQueue main_sync_ended_;
  std::optional<Error> refusal_;
  uint32_t reads_in_slice_ = 0;
};

}  // namespace tradewind::sqlite
