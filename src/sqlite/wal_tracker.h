// Follows what SQLite writes to a WAL file and knows, at each moment, which frame holds the newest committed
// version of a page. Pure bookkeeping: no I/O, no SQLite calls, so that every rule has a plain unit test.
//
// WAL file (all numbers big-endian): a 32-byte header (magic, version, page size at 8, ...), then frames: a
// 24-byte header (page number at 0; database size in pages after the commit at 4, nonzero only in a commit
// frame; salts; checksums) and the page. With cache spill off SQLite writes, per frame, the header and then
// the page, in order; anything else is a defect.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/ids.h"

namespace tradewind::sqlite {

class WalTracker {
 public:
  static constexpr uint64_t kHeaderBytes = 32;
  static constexpr uint64_t kFrameHeaderBytes = 24;

  struct Version {
    uint32_t frame = 0;  // Counted from 1.
    CommitSequence commit;
  };

  // What a write means, to be checked before it reaches the file.
  enum class Write { kHeader, kFrameHeader, kCommitFrameHeader, kPage };
  Write Classify(uint64_t offset, Bytes bytes) const;

  // Takes the memory that Note() of one more write needs, so that a write that has reached the file is noted.
  void MakeRoom() {
    if (pending_.size() == pending_.capacity()) pending_.reserve(2 * pending_.size() + 16);
  }
  // Carries out what Classify found. A kHeader write starts a new generation.
  void Note(uint64_t offset, Bytes bytes);
  // The WAL was cut to nothing: a new generation.
  void NoteTruncatedToZero();

  // The pages of the transaction whose commit frame header is `bytes` at `offset` (not noted yet), the last
  // page included.
  std::vector<PageNumber> TransactionPages(uint64_t offset, Bytes bytes) const;

  // The commit frame that was accepted and neither committed nor cut yet; 0 when there is none.
  uint32_t accepted_frame() const { return accepted_frame_; }
  // The accepted transaction is committed: its frames become the newest versions. Returns its pages.
  std::vector<PageNumber> Commit(CommitSequence sequence);
  // The accepted transaction failed. Returns the size in bytes that the WAL file must be cut to.
  uint64_t CutAccepted();

  std::optional<Version> Newest(PageNumber page) const;
  uint64_t FrameOffset(uint32_t frame) const;  // Of the page, past the frame's header.
  uint64_t generation() const { return generation_; }
  uint32_t committed_frame() const { return committed_frame_; }
  uint32_t page_size() const { return page_size_; }
  // Size of the database after the last commit of this generation, in pages; 0 when there was none.
  uint32_t database_pages() const { return database_pages_; }

 private:
  uint32_t FrameAt(uint64_t offset) const;
  void StartGeneration();

  uint64_t generation_ = 0;
  uint32_t page_size_ = 0;
  uint32_t committed_frame_ = 0;
  uint32_t accepted_frame_ = 0;
  uint32_t accepted_pages_ = 0;
  uint32_t database_pages_ = 0;
  std::vector<PageNumber> pending_;  // Frames committed_frame_+1 and on, in order.
  std::unordered_map<PageNumber, Version> newest_;
};

}  // namespace tradewind::sqlite
