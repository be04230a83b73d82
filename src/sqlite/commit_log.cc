#include "sqlite/commit_log.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "base/path.h"
#include "runtime/descriptors.h"
#include "runtime/turns.h"
#include "sqlite/big_endian.h"

namespace tradewind::sqlite {

namespace {

constexpr uint32_t kFramesBetweenLooks = 8;

// What a WAL file that is full grows by, beyond what is written: as much as it holds, within these bounds.
constexpr uint64_t kLeastRoom = 64u << 10;
constexpr uint64_t kMostRoom = 512u << 10;
constexpr uint64_t kMostFrameBytes = WalTracker::kFrameHeaderBytes + (64u << 10);
constexpr uint64_t kCutAtOnceBytes = 32u << 20;

// A tail of so much is written at once; a buffer of up to so much is kept for the next.
constexpr size_t kMostTailBytes = 256u << 10;
constexpr size_t kKeptTailBytes = 16u << 10;

// No header of SQLite's: its magic number is another.
constexpr std::string_view kBlankMark = "tradewind: no frames are here\n\n\n";
static_assert(kBlankMark.size() == WalTracker::kHeaderBytes);

}  // namespace

CommitLog::CommitLog(runtime::Core& core, const std::string& path) : core_(core), database_path_(path) {}

// Commits that nobody has waited for are kept if that is easy: nobody was told of them.
CommitLog::~CommitLog() {
  static_cast<void>(Flush());
}

Result<void> CommitLog::Open(bool create) {
  if (file_) return {};
  TW_TRY_ASSIGN(auto file, core_.disk().Open(database_path_ + "-wal", create ? runtime::OpenMode::kCreate
                                                                             : runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  std::array<char, kBlankMark.size()> mark{};
  TW_TRY_ASSIGN(const size_t got, file->Read(0, std::as_writable_bytes(std::span(mark))));
  if (file_) return {};  // Another connection was faster.
  file_ = std::move(file);
  end_ = size;
  blank_ = marked_ = name_durable_ = std::string_view(mark.data(), got) == kBlankMark;
  header_settled_ = blank_ || end_ == 0;
  return {};
}

// -- Reading and writing

Result<size_t> CommitLog::Read(uint64_t offset, MutableBytes into) {
  const uint64_t end = offset + into.size();
  if (offset < tail_end() && end > tail_at_) {
    if (offset >= tail_at_ && end <= tail_end()) {
      const auto from = tail_.begin() + static_cast<ptrdiff_t>(offset - tail_at_);
      std::copy(from, from + static_cast<ptrdiff_t>(into.size()), into.begin());
      return into.size();
    }
    TW_TRY(Flush());
  }
  return file_->Read(offset, into);
}

uint32_t CommitLog::PagesAfterCommit(uint64_t offset, Bytes bytes) const {
  if (tracker_.Classify(offset, bytes) != WalTracker::Write::kCommitFrameHeader) return 0;
  return ReadBigEndian32(bytes.data() + 4);
}

// A transaction of many pages writes all of them within one instruction, so others run in between; not before the
// commit frame, which has to be checked by what it is when it is written.
Result<void> CommitLog::Write(uint64_t offset, Bytes bytes) {
  if (failure_) return Fail(*failure_);
  const WalTracker::Write kind = tracker_.Classify(offset, bytes);
  if (kind == WalTracker::Write::kFrameHeader && ++frames_in_slice_ % kFramesBetweenLooks == 0) {
    runtime::YieldIfTurnIsOver();
    if (failure_) return Fail(*failure_);
  }
  if (kind == WalTracker::Write::kCommitFrameHeader && hooks_ && hooks_->checks_commits())
    TW_TRY(hooks_->CheckCommit(tracker_.TransactionPages(offset, bytes)));
  const bool begins_frame =
      kind == WalTracker::Write::kFrameHeader || kind == WalTracker::Write::kCommitFrameHeader;
  TW_TRY(MakeRoom(offset + bytes.size() + (begins_frame ? tracker_.page_size() : 0)));
  if (!tail_.empty() && offset != tail_end())
    TW_TRY(Flush());  // A transaction was rolled back, or a generation ended.
  tracker_.MakeRoom();
  if (tail_.empty()) tail_at_ = offset;
  tail_.insert(tail_.end(), bytes.begin(), bytes.end());
  tracker_.Note(offset, bytes);
  header_settled_ = header_settled_ && offset != 0;
  blank_ = blank_ && offset == 0;
  marked_ = false;
  return tail_.size() >= kMostTailBytes ? Flush() : Result<void>();
}

// A little room is asked for after a lot, for the disk may be full: longer than it need be the file does no harm.
Result<void> CommitLog::MakeRoom(uint64_t up_to) {
  if (up_to <= end_) return {};
  static const std::vector<std::byte> kZeros(kMostRoom + kMostFrameBytes);
  const uint64_t wanted = std::clamp(up_to, kLeastRoom, kMostRoom);
  Result<void> made;
  for (const uint64_t room : {wanted, uint64_t{0}}) {
    const uint64_t bytes = std::min<uint64_t>(up_to + room - end_, kZeros.size());
    made = file_->Write(end_, Bytes(kZeros).first(bytes));
    if (made) {
      end_ += bytes;
      return made;
    }
    TW_TRY(file_->Truncate(end_));  // What little there is is for frames.
  }
  return made;
}

Result<void> CommitLog::Flush() {
  if (tail_.empty()) return {};
  if (failure_) return Fail(*failure_);
  if (Result<void> written = file_->Write(tail_at_, tail_); !written) {
    NoteFailure(written.error());
    return written;
  }
  if (tail_.capacity() > kKeptTailBytes)
    tail_ = {};
  else
    tail_.clear();
  return {};
}

Result<void> CommitLog::Cut(uint64_t size) {
  tail_.resize(std::min<uint64_t>(tail_.size(), size > tail_at_ ? size - tail_at_ : 0));
  TW_TRY(file_->Truncate(size));
  end_ = size;
  return {};
}

Result<void> CommitLog::Truncate(uint64_t size) {
  const bool becomes_blank = size == 0 && end_ >= kBlankMark.size();
  if (size == 0) tracker_.NoteTruncatedToZero();  // First: nobody is to look for a page where it is cut.
  return becomes_blank ? MakeBlank() : Cut(size);
}

Result<void> CommitLog::MakeBlank() {
  if (failure_) return Fail(*failure_);
  TW_TRY(Flush());
  if (marked_ && end_ <= room_kept_) return {};
  if (!blank_) {
    static constexpr std::array<std::byte, kBlankMark.size()> kNoHeader{};
    TW_TRY(file_->Write(0, kNoHeader));
    TW_TRY(SyncFile());
    blank_ = true;
  }
  // To give back the blocks of a long file at once takes a while.
  while (end_ > room_kept_) {
    TW_TRY(Cut(std::max(room_kept_, end_ - std::min(end_, kCutAtOnceBytes))));
    if (runtime::CurrentFiber()) runtime::Yield();
  }
  TW_TRY(file_->Write(0, std::as_bytes(std::span(kBlankMark))));
  marked_ = true;
  return {};
}

Result<void> CommitLog::Delete(bool sync_directory) {
  tail_.clear();
  file_.reset();
  blank_ = marked_ = false;
  tracker_.NoteTruncatedToZero();
  TW_TRY(core_.disk().Remove(database_path_ + "-wal"));
  return sync_directory ? core_.disk().SyncDirectory(FolderOf(database_path_)) : Result<void>();
}

// -- Durability

Result<void> CommitLog::SyncFile() {
  if (!file_) return {};
  const CommitSequence covered = committed_;
  header_settled_ = true;
  TW_TRY(Flush());
  Result<void> synced = file_->Sync();
  if (synced && !name_durable_) {
    synced = core_.disk().SyncDirectory(FolderOf(database_path_));
    // That is no failed sync: it may be tried again.
    if (!synced && synced.error().code == runtime::kTooManyFilesCode) return synced;
    if (synced) name_durable_ = true;
  }
  if (!synced) {
    NoteFailure(synced.error());
    return synced;
  }
  durable_ = std::max(durable_, covered);
  return {};
}

Result<void> CommitLog::WaitDurable() {
  const CommitSequence wanted = committed_;
  while (durable_ < wanted) {
    if (failure_) return Fail(*failure_);
    if (syncing_) {
      sync_ended_.Wait();
      continue;
    }
    syncing_ = true;
    const Result<void> synced = SyncFile();
    syncing_ = false;
    sync_ended_.NotifyAll();
    TW_TRY(synced);
  }
  if (failure_) return Fail(*failure_);
  return {};
}

Result<void> CommitLog::Sync() {
  if (failure_) return Fail(*failure_);
  // Of the header alone, in front of nothing; or of what is durable already, by a checkpoint.
  if (blank_ || (header_settled_ && durable_ == committed_)) return {};
  return SyncFile();
}

std::vector<PageNumber> CommitLog::EndCommit(uint32_t frames_in_index) {
  const uint32_t accepted = tracker_.accepted_frame();
  if (accepted == 0) return {};
  ++committed_.value;
  if (frames_in_index == accepted) {
    std::vector<PageNumber> pages = tracker_.Commit(committed_);
    if (hooks_) hooks_->NoteCommit(pages);
    return pages;
  }
  if (auto cut = Cut(tracker_.CutAccepted()); !cut) NoteFailure(std::move(cut).error());
  return {};
}

}  // namespace tradewind::sqlite
