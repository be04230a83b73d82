#include "sqlite/page_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "base/limits.h"
#include "base/path.h"
#include "runtime/descriptors.h"
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
constexpr uint32_t kFramesBetweenLooks = 8;
constexpr size_t kPagesWrittenBackAtOnce = 4;

// What a WAL file that is full grows by, beyond what is written: as much as it holds, within these bounds.
constexpr uint64_t kLeastWalRoom = 64u << 10;
constexpr uint64_t kMostWalRoom = 512u << 10;
constexpr uint64_t kCutAtOnceBytes = 32u << 20;

// No header of SQLite's: its magic number is another.
constexpr std::string_view kBlankMark = "tradewind: no frames are here\n\n\n";
static_assert(kBlankMark.size() == WalTracker::kHeaderBytes);

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
    : core_(core), path_(std::move(path)), id_(RegisterStore(this)), database_path_(StoreDatabasePath(id_)) {}

Result<std::unique_ptr<PageStore>> PageStore::Open(runtime::Core& core, const std::string& path,
                                                   runtime::OpenMode mode) {
  TW_TRY_ASSIGN(auto main, core.disk().Open(path, mode));
  TW_TRY(KeepOthersOut(core, *main, path));
  if (mode != runtime::OpenMode::kExisting) TW_TRY(core.disk().SyncDirectory(FolderOf(path)));
  std::unique_ptr<PageStore> store(new PageStore(core, path));
  store->main_ = std::move(main);
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

// -- Durability

Result<void> PageStore::SyncWalFile() {
  if (!wal_) return {};
  const CommitSequence covered = committed_;
  wal_settled_ = true;
  Result<void> synced = wal_->Sync();
  if (synced && !wal_name_durable_) {
    synced = core_.disk().SyncDirectory(FolderOf(path_));
    // That is no failed sync: it may be tried again.
    if (!synced && synced.error().code == runtime::kTooManyFilesCode) return synced;
    if (synced) wal_name_durable_ = true;
  }
  if (!synced) {
    if (!failed_) failed_ = synced.error();
    return synced;
  }
  durable_ = std::max(durable_, covered);
  return {};
}

Result<void> PageStore::WaitDurable() {
  const CommitSequence wanted = committed_;
  while (durable_ < wanted) {
    if (failed_) return Fail(*failed_);
    if (syncing_) {
      sync_ended_.Wait();
      continue;
    }
    syncing_ = true;
    const Result<void> synced = SyncWalFile();
    syncing_ = false;
    sync_ended_.NotifyAll();
    TW_TRY(synced);
  }
  if (failed_) return Fail(*failed_);
  return {};
}

// One at a time: a second one would find the map's changes taken by the first, and return before they are
// durable.
Result<void> PageStore::SyncMainAndPresence() {
  WaitFor(main_sync_ended_, [this] { return !syncing_main_; });
  if (failed_) return Fail(*failed_);
  syncing_main_ = true;
  // The move may end and drop its map meanwhile.
  const std::shared_ptr<PresenceMap> presence = presence_;
  PresenceMap::Changes changes;
  if (presence) changes = presence->TakeChanges();
  Result<void> synced = WriteBackPages(std::exchange(unsynced_pages_, {}));
  if (synced) synced = main_->Sync();
  // A write that fails, since the disk is full, is made again with the next sync: the map only lags, and the WAL
  // does not restart.
  Result<void> written;
  if (synced && presence && !changes.runs.empty()) {
    written = presence->WriteUnsynced(changes);
    if (written) synced = presence->Sync();
  }
  if (!synced && !failed_) failed_ = synced.error();
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
  if (page_size_ != 0) NoteUse(PageNumber{static_cast<uint32_t>(offset / page_size_) + 1});
  if (presence_) {
    const PageNumber page{static_cast<uint32_t>(offset / presence_->page_size()) + 1};
    if (Result<void> present = EnsurePresent(page); !present)
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
  if (presence_) {
    TW_CHECK(bytes.size() == presence_->page_size(), "SQLite wrote part of a page of a moving tenant");
    presence_->NoteWrittenHere(PageNumber{static_cast<uint32_t>(offset / presence_->page_size()) + 1});
  }
  return SQLITE_OK;
}

int PageStore::TruncateMain(uint64_t size) {
  if (auto cut = main_->Truncate(size); !cut) return Refuse(SQLITE_IOERR_TRUNCATE, std::move(cut).error());
  if (presence_) presence_->NoteTruncated(static_cast<uint32_t>(size / presence_->page_size()));
  return SQLITE_OK;
}

int PageStore::SyncMain() {
  if (auto synced = SyncMainAndPresence(); !synced)
    return Refuse(SQLITE_IOERR_FSYNC, std::move(synced).error());
  return SQLITE_OK;
}

// -- The WAL

int PageStore::OpenWal(bool create) {
  if (wal_) return SQLITE_OK;
  auto existed = core_.disk().Exists(path_ + "-wal");
  if (!existed) return Refuse(SQLITE_CANTOPEN, std::move(existed).error());
  auto wal =
      core_.disk().Open(path_ + "-wal", create ? runtime::OpenMode::kCreate : runtime::OpenMode::kExisting);
  if (!wal) return Refuse(SQLITE_CANTOPEN, std::move(wal).error());
  auto size = (*wal)->Size();
  if (!size) return Refuse(SQLITE_CANTOPEN, std::move(size).error());
  std::array<char, kBlankMark.size()> mark{};
  auto got = (*wal)->Read(0, std::as_writable_bytes(std::span(mark)));
  if (!got) return Refuse(SQLITE_CANTOPEN, std::move(got).error());
  if (wal_) return SQLITE_OK;  // Another connection was faster.
  wal_ = std::move(*wal);
  wal_end_ = *size;
  wal_blank_ = wal_marked_ = wal_name_durable_ = std::string_view(mark.data(), *got) == kBlankMark;
  wal_settled_ = wal_blank_ || wal_end_ == 0;
  return SQLITE_OK;
}

int PageStore::ReadWal(uint64_t offset, MutableBytes into) {
  if (!commit_in_flight()) KeepTimeSlice();
  auto got = wal_->Read(offset, into);
  if (!got) return Refuse(SQLITE_IOERR_READ, std::move(got).error());
  if (*got == into.size()) return SQLITE_OK;
  std::fill(into.begin() + static_cast<ptrdiff_t>(*got), into.end(), std::byte{0});
  return SQLITE_IOERR_SHORT_READ;
}

int PageStore::JudgeCommit(uint64_t offset, Bytes frame_header) {
  if (!handing_over_) return SQLITE_OK;
  for (const PageNumber page : tracker_.TransactionPages(offset, frame_header)) {
    if (!handed_.Has(page)) continue;
    ++refused_commits_;
    return Refuse(kRefusedHandedOver,
                  Error{ErrorKind::kUnavailable, std::string(kHandedOverCode),
                        "the new node already has a page that it changed", "run the transaction again"});
  }
  return SQLITE_OK;
}

// A transaction of many pages writes all of them within one instruction, so others run in between; not before the
// commit frame, which has to be judged by what it is when it is written.
int PageStore::WriteWal(uint64_t offset, Bytes bytes) {
  if (failed_) return Refuse(kRefusedFailed, *failed_);
  const WalTracker::Write kind = tracker_.Classify(offset, bytes);
  if (kind == WalTracker::Write::kFrameHeader && ++frames_in_slice_ % kFramesBetweenLooks == 0)
    runtime::YieldIfTurnIsOver();
  if (kind == WalTracker::Write::kCommitFrameHeader)
    if (const int code = JudgeCommit(offset, bytes); code != SQLITE_OK) return code;
  tracker_.MakeRoom();
  if (auto written = wal_->Write(offset, bytes); !written) {
    const int code = ResultCode(written.error(), SQLITE_IOERR_WRITE);
    return Refuse(code, std::move(written).error());
  }
  tracker_.Note(offset, bytes);
  wal_settled_ = wal_settled_ && offset != 0;
  wal_blank_ = wal_blank_ && offset == 0;
  wal_marked_ = false;
  if (tracker_.page_size() != 0) page_size_ = tracker_.page_size();
  if (offset + bytes.size() > wal_end_) MakeWalRoom(offset + bytes.size());
  return SQLITE_OK;
}

void PageStore::MakeWalRoom(uint64_t written_to) {
  static const std::vector<std::byte> kZeros(kMostWalRoom);
  const uint64_t room = std::clamp(written_to, kLeastWalRoom, kMostWalRoom);
  wal_end_ = written_to;
  if (wal_->Write(written_to, Bytes(kZeros).first(room)))
    wal_end_ += room;
  else
    // The disk is full: what little there is is for frames. Longer than it need be the file does no harm.
    static_cast<void>(wal_->Truncate(written_to));
}

Result<void> PageStore::CutWal(uint64_t size) {
  TW_TRY(wal_->Truncate(size));
  wal_end_ = size;
  return {};
}

int PageStore::TruncateWal(uint64_t size) {
  const bool becomes_blank = size == 0 && wal_end_ >= kBlankMark.size();
  if (size == 0) tracker_.NoteTruncatedToZero();  // First: nobody is to look for a page where it is cut.
  if (auto cut = becomes_blank ? BlankWal() : CutWal(size); !cut)
    return Refuse(SQLITE_IOERR_TRUNCATE, std::move(cut).error());
  return SQLITE_OK;
}

Result<void> PageStore::BlankWal() {
  if (failed_) return Fail(*failed_);
  if (wal_marked_ && wal_end_ <= wal_room_kept_) return {};
  if (!wal_blank_) {
    static constexpr std::array<std::byte, kBlankMark.size()> kNoHeader{};
    TW_TRY(wal_->Write(0, kNoHeader));
    TW_TRY(SyncWalFile());
    wal_blank_ = true;
  }
  // To give back the blocks of a long file at once takes a while.
  while (wal_end_ > wal_room_kept_) {
    TW_TRY(CutWal(std::max(wal_room_kept_, wal_end_ - std::min(wal_end_, kCutAtOnceBytes))));
    if (runtime::CurrentFiber()) runtime::Yield();
  }
  TW_TRY(wal_->Write(0, std::as_bytes(std::span(kBlankMark))));
  wal_marked_ = true;
  return {};
}

int PageStore::SyncWal() {
  if (failed_) return Refuse(kRefusedFailed, *failed_);
  // Of the header alone, in front of nothing; or of what is durable already, by a checkpoint.
  if (wal_blank_ || (wal_settled_ && durable_ == committed_)) return SQLITE_OK;
  if (auto synced = SyncWalFile(); !synced) return Refuse(SQLITE_IOERR_FSYNC, std::move(synced).error());
  return SQLITE_OK;
}

int PageStore::DeleteWal(bool sync_directory) {
  wal_.reset();
  wal_blank_ = wal_marked_ = false;
  tracker_.NoteTruncatedToZero();
  auto removed = core_.disk().Remove(path_ + "-wal");
  if (removed && sync_directory) removed = core_.disk().SyncDirectory(FolderOf(path_));
  if (!removed) return Refuse(SQLITE_IOERR_DELETE, std::move(removed).error());
  return SQLITE_OK;
}

void PageStore::WriteLockReleased() {
  const uint32_t accepted = tracker_.accepted_frame();
  if (accepted == 0) return;
  ++committed_.value;
  if (wal_index_.last_committed_frame() == accepted) {
    const std::vector<PageNumber> pages = tracker_.Commit(committed_);
    page_count_ = tracker_.database_pages();
    for (const PageNumber page : pages) NoteUse(page);
    if (sending_ && !handing_over_)
      for (const PageNumber page : pages) stale_count_ += sent_.Remove(page) ? 1 : 0;
  } else if (auto cut = CutWal(tracker_.CutAccepted()); !cut && !failed_) {
    failed_ = std::move(cut).error();
  }
}

Result<void> PageStore::ReadNewest(std::span<const PageNumber> pages, MutableBytes into) {
  if (pages.empty()) return {};
  const size_t page_size = into.size() / pages.size();
  for (size_t at = 0; at < pages.size();) {
    const uint64_t generation = tracker_.generation();
    const auto version = tracker_.Newest(pages[at]);
    size_t run = 1;
    while (!version && at + run < pages.size() && pages[at + run].value == pages[at].value + run &&
           !tracker_.Newest(pages[at + run]))
      ++run;
    const MutableBytes part = into.subspan(at * page_size, run * page_size);
    auto got = version ? wal_->Read(tracker_.FrameOffset(version->frame), part)
                       : main_->Read(uint64_t{pages[at].value - 1} * page_size, part);
    // The WAL may have restarted while an off-core read was under way: its frames are others now.
    if (tracker_.generation() != generation) continue;
    if (!got) return Fail(std::move(got).error());
    std::fill(part.begin() + static_cast<ptrdiff_t>(*got), part.end(), std::byte{0});
    at += run;
  }
  return {};
}

// -- What is hot

void PageStore::NoteUse(PageNumber page) {
  const size_t block = page.value / kUseBlockPages;
  if (block >= last_use_.size()) last_use_.resize(block + 1);
  std::vector<uint32_t>& uses = last_use_[block];
  if (uses.empty()) uses.resize(kUseBlockPages);
  uses[page.value % kUseBlockPages] = ++use_clock_;
}

// To sort all that were ever used would hold the core up for as long as a large tenant is large. So the uses are counted
// by when they were, and what is sorted is little more than what is kept; between blocks others run.
std::vector<PageNumber> PageStore::HotPages(size_t limit) const {
  struct Used {
    uint32_t last_use;
    PageNumber page;
  };
  const uint32_t uses_in_span = use_clock_ / kUseSpans + 1;
  const auto span_of = [&](uint32_t use) { return std::min(use / uses_in_span, kUseSpans - 1); };
  const auto for_each_used = [this](const auto& visit) {
    for (size_t block = 0; block < last_use_.size(); ++block) {
      if (last_use_[block].empty()) continue;
      for (size_t at = 0; at < last_use_[block].size(); ++at) {
        const PageNumber page{static_cast<uint32_t>(block * kUseBlockPages + at)};
        if (last_use_[block][at] != 0 && page.value <= page_count_) visit(Used{last_use_[block][at], page});
      }
      runtime::Yield();
    }
  };

  std::vector<size_t> pages_in_span(kUseSpans);
  for_each_used([&](Used used) { ++pages_in_span[span_of(used.last_use)]; });
  uint32_t first_span = kUseSpans;
  for (size_t pages = 0; first_span > 0 && pages < limit;) pages += pages_in_span[--first_span];

  std::vector<Used> latest;
  for_each_used([&](Used used) {
    if (span_of(used.last_use) >= first_span) latest.push_back(used);
  });
  std::sort(latest.begin(), latest.end(), [](Used a, Used b) { return a.last_use > b.last_use; });
  latest.resize(std::min(limit, latest.size()));
  std::vector<PageNumber> pages;
  pages.reserve(latest.size());
  for (const Used& used : latest) pages.push_back(used.page);
  return pages;
}

void PageStore::RememberHotPages(const std::vector<PageNumber>& pages) {
  for (auto page = pages.rbegin(); page != pages.rend(); ++page)
    if (page->value <= page_count_) NoteUse(*page);
}

}  // namespace tradewind::sqlite
