#include "sqlite/wal_tracker.h"

#include <algorithm>

#include "base/check.h"
#include "sqlite/big_endian.h"

namespace tradewind::sqlite {

uint32_t WalTracker::FrameAt(uint64_t offset) const {
  return static_cast<uint32_t>((offset - kHeaderBytes) / (kFrameHeaderBytes + page_size_)) + 1;
}

uint64_t WalTracker::FrameOffset(uint32_t frame) const {
  return kHeaderBytes + uint64_t{frame - 1} * (kFrameHeaderBytes + page_size_) + kFrameHeaderBytes;
}

WalTracker::Write WalTracker::Classify(uint64_t offset, Bytes bytes) const {
  if (offset == 0 && bytes.size() == kHeaderBytes) return Write::kHeader;
  TW_CHECK(page_size_ != 0, "a WAL frame before a WAL header");
  const uint64_t within = (offset - kHeaderBytes) % (kFrameHeaderBytes + page_size_);
  if (within == 0 && bytes.size() == kFrameHeaderBytes)
    return ReadBigEndian32(bytes.data() + 4) != 0 ? Write::kCommitFrameHeader : Write::kFrameHeader;
  TW_CHECK(within == kFrameHeaderBytes && bytes.size() == page_size_,
           "an irregular WAL write: is cache_spill on?");
  TW_CHECK(FrameAt(offset) == committed_frame_ + pending_.size(),
           "a WAL page without its header just before");
  return Write::kPage;
}

void WalTracker::StartGeneration() {
  TW_CHECK(accepted_frame_ == 0, "the WAL restarts inside a commit");
  ++generation_;
  committed_frame_ = 0;
  database_pages_ = 0;
  pending_.clear();
  newest_.clear();
}

void WalTracker::NoteTruncatedToZero() {
  StartGeneration();
}

void WalTracker::Note(uint64_t offset, Bytes bytes) {
  switch (Classify(offset, bytes)) {
    case Write::kHeader:
      StartGeneration();
      page_size_ = ReadBigEndian32(bytes.data() + 8);
      return;
    case Write::kPage: return;
    case Write::kFrameHeader:
    case Write::kCommitFrameHeader: break;
  }
  const uint32_t frame = FrameAt(offset);
  TW_CHECK(frame > committed_frame_, "a committed WAL frame is overwritten");
  TW_CHECK(accepted_frame_ == 0, "a WAL frame follows an accepted commit frame of the same transaction");
  // A transaction that was rolled back left frames behind; the next one writes over them from the first on.
  const size_t index = frame - committed_frame_ - 1;
  TW_CHECK(index <= pending_.size(), "a gap in the WAL frames");
  pending_.resize(index);
  pending_.push_back(PageNumber{ReadBigEndian32(bytes.data())});
  if (const uint32_t database_pages = ReadBigEndian32(bytes.data() + 4); database_pages != 0) {
    accepted_frame_ = frame;
    accepted_pages_ = database_pages;
  }
}

std::vector<PageNumber> WalTracker::TransactionPages(uint64_t offset, Bytes bytes) const {
  const size_t before = FrameAt(offset) - committed_frame_ - 1;
  TW_CHECK(before <= pending_.size(), "a gap in the WAL frames");
  std::vector<PageNumber> pages(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(before));
  pages.push_back(PageNumber{ReadBigEndian32(bytes.data())});
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  return pages;
}

std::vector<PageNumber> WalTracker::Commit(CommitSequence sequence) {
  TW_CHECK(accepted_frame_ == committed_frame_ + pending_.size(), "a commit of frames that were not seen");
  std::vector<PageNumber> pages = std::move(pending_);
  pending_.clear();
  for (const PageNumber page : pages) newest_[page] = Version{++committed_frame_, sequence};
  // Pages past the new end are gone; were they to come back, they would be written anew.
  if (accepted_pages_ < database_pages_)
    std::erase_if(newest_, [&](const auto& entry) { return entry.first.value > accepted_pages_; });
  database_pages_ = accepted_pages_;
  accepted_frame_ = 0;
  return pages;
}

uint64_t WalTracker::CutAccepted() {
  accepted_frame_ = 0;
  pending_.clear();
  return kHeaderBytes + uint64_t{committed_frame_} * (kFrameHeaderBytes + page_size_);
}

std::optional<WalTracker::Version> WalTracker::Newest(PageNumber page) const {
  auto found = newest_.find(page);
  if (found == newest_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tradewind::sqlite
