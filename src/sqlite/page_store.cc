#include "sqlite/page_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/planted_bug.h"
#include "base/units.h"
#include "runtime/turns.h"
#include "sqlite/big_endian.h"
#include "sqlite/lock_bytes.h"
#include "sqlite/store_registry.h"

namespace tradewind::sqlite {

namespace {

// Extended codes of our own refusals: rare enough in SQLite's own range to be recognised in a log.
constexpr int kRefusedHandedOver = SQLITE_IOERR | (100 << 8);
constexpr int kRefusedFailed = SQLITE_IOERR | (101 << 8);

constexpr uint32_t kReadsBetweenLooks = 32;
constexpr size_t kPagesWrittenBackAtOnce = 4;

int ResultCode(const Error& error, int otherwise) {
  return error.code == "DISK_FULL" ? SQLITE_FULL : otherwise;
}

}  // namespace

Result<void> KeepOthersOut(runtime::Core& core, runtime::File& file, const std::string& path) {
  const runtime::TimePoint until = core.Now() + limits::kFileInUseWait;
  while (true) {
    Result<void> locked = file.Lock(kLockBytes);
    if (locked || locked.error().code != "FILE_LOCKED") return locked;
    if (core.Now() >= until)
      return Fail(ErrorKind::kUnavailable, std::string(kFileInUseCode),
                  "the database " + path + " is open in another program: " + locked.error().message,
                  "end that program, and try again; use tradewind sql or tenant export to look at it");
    runtime::SleepFor(limits::kFileInUsePause);
  }
}

PageStore::PageStore(runtime::Core& core, std::string path)
    : core_(core),
      path_(std::move(path)),
      id_(RegisterStore(this)),
      database_path_(StoreDatabasePath(id_)),
      log_(core, path_) {}

Result<std::unique_ptr<PageStore>> PageStore::Open(runtime::Core& core, const std::string& path,
                                                   runtime::OpenMode mode) {
  TW_TRY_ASSIGN(auto main, core.disk().Open(path, mode));
  TW_TRY(KeepOthersOut(core, *main, path));
  if (mode != runtime::OpenMode::kExisting) TW_TRY(core.disk().SyncDirectory(FolderOf(path)));
  std::unique_ptr<PageStore> store(new PageStore(core, path));
  store->main_ = std::move(main);
  store->arrival_.emplace(core, *store->main_);
  TW_TRY(store->ReadGeometry());
  return store;
}

PageStore::~PageStore() {
  TW_CHECK(wal_index_users_ == 0, "a connection is open on a store that goes away");
  UnregisterStore(id_);
}

int PageStore::Refuse(int result_code, Error error) {
  refusal_ = std::move(error);
  return result_code;
}

int PageStore::RefuseWrite(Error error) {
  const int code = error.code == kHandedOverCode ? kRefusedHandedOver
                   : log_.failure()              ? kRefusedFailed
                                                 : ResultCode(error, SQLITE_IOERR_WRITE);
  return Refuse(code, std::move(error));
}

void PageStore::SetPresence(std::unique_ptr<PresenceMap> presence, std::function<void(PageNumber)> pull) {
  page_size_ = presence->page_size();
  arrival_->Begin(std::move(presence), std::move(pull));
}

Result<void> PageStore::ReadGeometry() {
  std::array<std::byte, 100> header;
  TW_TRY_ASSIGN(const size_t got, main_->Read(0, header));
  if (got < header.size()) return {};  // Not written yet.
  const uint32_t size = ReadBigEndian16(header.data() + 16);
  page_size_ = size == 1 ? 65536 : size;
  if (page_size_ < 512 || !std::has_single_bit(page_size_))
    return Fail(ErrorKind::kCorrupt, "NOT_A_DATABASE", path_ + " is not an SQLite database");
  TW_TRY_ASSIGN(const uint64_t bytes, main_->Size());
  page_count_ = static_cast<uint32_t>(bytes / page_size_);
  return {};
}

// One at a time: a second one would find the map's changes taken by the first, and return before they are
// durable.
Result<void> PageStore::SyncMainAndPresence() {
  WaitFor(main_sync_ended_, [this] { return !syncing_main_; });
  if (log_.failure()) return Fail(*log_.failure());
  syncing_main_ = true;
  // The move may end and drop its map meanwhile.
  const std::shared_ptr<PresenceMap> presence = arrival_->shared_presence();
  PresenceMap::Changes changes;
  if (presence) changes = presence->TakeChanges();
  Result<void> synced = WriteBackPages(std::exchange(unsynced_pages_, {}));
  if (synced && !(presence && Planted(PlantedBug::kMapBeforeData))) synced = main_->Sync();
  // A write that fails, since the disk is full, is made again with the next sync: the map only lags, and the WAL
  // does not restart.
  Result<void> written;
  if (synced && presence && !changes.runs.empty()) {
    written = presence->WriteUnsynced(changes);
    if (written) synced = presence->Sync();
  }
  if (!synced) log_.NoteFailure(synced.error());
  if (synced) synced = written;
  syncing_main_ = hurried_ = false;
  main_sync_ended_.NotifyAll();
  return synced;
}

// A checkpoint leaves thousands of pages all over the file. If the sync found them all, every commit of every
// tenant would wait behind them; so the disk gets a few at a time.
Result<void> PageStore::WriteBackPages(std::vector<PageNumber> pages) {
  if (pages.size() <= kPagesWrittenBackAtOnce) return {};
  std::sort(pages.begin(), pages.end());
  std::vector<runtime::File::Range> ranges;
  for (size_t at = 0; at < pages.size() && !hurried_; at += kPagesWrittenBackAtOnce) {
    ranges.clear();
    for (const PageNumber page :
         std::span(pages).subspan(at, std::min(kPagesWrittenBackAtOnce, pages.size() - at)))
      ranges.push_back({uint64_t{page.value - 1} * page_size_, page_size_});
    TW_TRY(main_->WriteBack(ranges));
  }
  return {};
}

// -- The main file

// One opcode of SQLite may read any number of pages (quick_check, count(*)), and a checkpoint reads all of
// the WAL, so the time slice of a statement is kept here too.
void PageStore::KeepTimeSlice() {
  if (++reads_in_slice_ < kReadsBetweenLooks) return;
  reads_in_slice_ = 0;
  runtime::YieldIfTurnIsOver();
}

int PageStore::ReadMain(uint64_t offset, MutableBytes into) {
  KeepTimeSlice();
  if (page_size_ != 0) heat_.Note(PageNumber{static_cast<uint32_t>(offset / page_size_) + 1});
  if (const PresenceMap* const presence = arrival_->presence();
      presence && !Planted(PlantedBug::kReadsWithoutPull)) {
    const PageNumber page{static_cast<uint32_t>(offset / presence->page_size()) + 1};
    if (Result<void> present = arrival_->EnsurePresent(page); !present)
      return Refuse(SQLITE_IOERR_READ, std::move(present).error());
  }
  auto got = main_->Read(offset, into);
  if (!got) return Refuse(SQLITE_IOERR_READ, std::move(got).error());
  if (*got == into.size()) return SQLITE_OK;
  std::fill(into.begin() + static_cast<ptrdiff_t>(*got), into.end(), std::byte{0});
  return SQLITE_IOERR_SHORT_READ;
}

int PageStore::WriteMain(uint64_t offset, Bytes bytes) {
  if (auto written = main_->Write(offset, bytes); !written) {
    const int code = ResultCode(written.error(), SQLITE_IOERR_WRITE);
    return Refuse(code, std::move(written).error());
  }
  if (page_size_ != 0) unsynced_pages_.push_back(PageNumber{static_cast<uint32_t>(offset / page_size_) + 1});
  if (const PresenceMap* const presence = arrival_->presence()) {
    TW_CHECK(bytes.size() == presence->page_size(), "SQLite wrote part of a page of a moving tenant");
    arrival_->NoteWritten(PageNumber{static_cast<uint32_t>(offset / presence->page_size()) + 1});
  }
  return SQLITE_OK;
}

int PageStore::TruncateMain(uint64_t size) {
  if (auto cut = main_->Truncate(size); !cut) return Refuse(SQLITE_IOERR_TRUNCATE, std::move(cut).error());
  if (const PresenceMap* const presence = arrival_->presence())
    arrival_->NoteTruncated(static_cast<uint32_t>(size / presence->page_size()));
  return SQLITE_OK;
}

int PageStore::SyncMain() {
  if (auto synced = SyncMainAndPresence(); !synced)
    return Refuse(SQLITE_IOERR_FSYNC, std::move(synced).error());
  return SQLITE_OK;
}

// -- The WAL

int PageStore::OpenWal(bool create) {
  if (auto opened = log_.Open(create); !opened) return Refuse(SQLITE_CANTOPEN, std::move(opened).error());
  return SQLITE_OK;
}

int PageStore::ReadWal(uint64_t offset, MutableBytes into) {
  if (!log_.commit_in_flight()) KeepTimeSlice();
  auto got = log_.Read(offset, into);
  if (!got) return Refuse(SQLITE_IOERR_READ, std::move(got).error());
  if (*got == into.size()) return SQLITE_OK;
  std::fill(into.begin() + static_cast<ptrdiff_t>(*got), into.end(), std::byte{0});
  return SQLITE_IOERR_SHORT_READ;
}

int PageStore::WriteWal(uint64_t offset, Bytes bytes) {
  if (most_bytes_ > 0) {
    const uint32_t pages = log_.PagesAfterCommit(offset, bytes);
    if (pages > page_count_ && uint64_t{pages} * log_.page_size() > most_bytes_)
      return Refuse(SQLITE_FULL,
                    {ErrorKind::kTooLarge, "SQLITE_FULL",
                     "the tenant may have " + FormatSize(most_bytes_) + ", and this would make it " +
                         FormatSize(uint64_t{pages} * log_.page_size()),
                     "delete what is not needed, and VACUUM; an administrator can change its quota "
                     "(tradewind tenant set --quota-size)"});
  }
  if (auto written = log_.Write(offset, bytes); !written) return RefuseWrite(std::move(written).error());
  if (log_.page_size() != 0) page_size_ = log_.page_size();
  return SQLITE_OK;
}

int PageStore::TruncateWal(uint64_t size) {
  if (auto cut = log_.Truncate(size); !cut) return Refuse(SQLITE_IOERR_TRUNCATE, std::move(cut).error());
  return SQLITE_OK;
}

int PageStore::SyncWal() {
  const bool had_failed = log_.failure().has_value();
  if (auto synced = log_.Sync(); !synced)
    return Refuse(had_failed ? kRefusedFailed : SQLITE_IOERR_FSYNC, std::move(synced).error());
  return SQLITE_OK;
}

int PageStore::DeleteWal(bool sync_directory) {
  if (auto removed = log_.Delete(sync_directory); !removed)
    return Refuse(SQLITE_IOERR_DELETE, std::move(removed).error());
  return SQLITE_OK;
}

void PageStore::WriteLockReleased() {
  const std::vector<PageNumber> pages = log_.EndCommit(wal_index_.last_committed_frame());
  if (pages.empty()) return;
  page_count_ = log_.database_pages();
  for (const PageNumber page : pages) heat_.Note(page);
}

Result<void> PageStore::ReadNewest(std::span<const PageNumber> pages, MutableBytes into) {
  if (pages.empty()) return {};
  const size_t page_size = into.size() / pages.size();
  for (size_t at = 0; at < pages.size();) {
    const uint64_t generation = log_.generation();
    const auto version = log_.Newest(pages[at]);
    size_t run = 1;
    while (!version && at + run < pages.size() && pages[at + run].value == pages[at].value + run &&
           !log_.Newest(pages[at + run]))
      ++run;
    const MutableBytes part = into.subspan(at * page_size, run * page_size);
    auto got = version ? log_.ReadVersion(*version, part)
                       : main_->Read(uint64_t{pages[at].value - 1} * page_size, part);
    // The WAL may have restarted while an off-core read was under way: its frames are others now.
    if (log_.generation() != generation) continue;
    if (!got) return Fail(std::move(got).error());
    std::fill(part.begin() + static_cast<ptrdiff_t>(*got), part.end(), std::byte{0});
    at += run;
  }
  return {};
}

}  // namespace tradewind::sqlite
