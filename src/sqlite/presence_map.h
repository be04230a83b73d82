// Which pages of a moving tenant its destination has, and what arrived: durable beside the file until the
// move is done.
//
// A page is present when it arrived, or when SQLite wrote it here itself (a checkpoint). For each page the
// map holds the hash of the content that arrived (0: none) and one bit "written here". Sums of the hashes at
// both ends verify a move without a scan; they can be made again from the map after a crash.
//
// File (little-endian), beside the main file:
//   0     "TWPRES02", page size u32, page count u32, capacity u32, zero u32, list number u64, xxh3 of the
//         32 bytes before
//   4096  capacity hashes, 8 bytes each; those past the page count are zero
//   then, at the next multiple of 4096, the "written here" bits
//
// Crash argument. A map file belongs to one list (protocol step 3): a new list makes a new file, and the
// journal's "ready" names its list number, so a stale map can never be believed. Once the journal
// says ready, bits only come, never go: a torn write of the map leaves old or new words, both true. A word is
// written only after a sync of the data it speaks of (PageStore), so the map never runs ahead of the data;
// SQLite syncs the main file, and the map with it, before the WAL may restart, so it never lags behind a
// checkpoint (I2, I4).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/zeroed_array.h"
#include "runtime/disk.h"
#include "sqlite/page_set.h"

namespace tradewind::sqlite {

// xxh3 of a page's content, seeded with its number; never 0.
uint64_t HashPage(PageNumber page, Bytes content);

class PresenceMap {
 public:
  // A new, empty map for pages 1..page_count, with room for some more; nothing is on disk until Write(). The
  // page that covers the byte at 1 GiB (SQLite's lock page) holds nothing and counts as present.
  static Result<std::unique_ptr<PresenceMap>> Create(runtime::Disk& disk, const std::string& path,
                                                     uint32_t page_size, uint32_t page_count, uint64_t list);
  // Fails with kCorrupt when the file is not a whole map, kNotFound when there is none. Suspends.
  static Result<std::unique_ptr<PresenceMap>> Load(runtime::Disk& disk, const std::string& path);

  // Until the journal believes the map, both: the file grew or shrank (false when there is no room: make a
  // new map then); a page that arrived is not the newest any more.
  bool SetPageCount(uint32_t page_count);
  void Forget(PageNumber page);

  bool IsPresent(PageNumber page) const;
  // A page has arrived. True when this is its first arrival; a repeat changes nothing.
  bool NoteArrived(PageNumber page, uint64_t hash);
  void NoteWrittenHere(PageNumber page);
  // The main file was cut: pages past `page_count` are gone, and whatever still arrives for them is dropped.
  void NoteTruncated(uint32_t page_count);

  bool HasArrived(PageNumber page) const;
  // Of what arrived; 0: nothing has. Requires a page of the file.
  uint64_t HashOf(PageNumber page) const { return hashes_[page.value - 1]; }
  bool WasWrittenHere(PageNumber page) const { return written_here_.Has(page); }
  bool complete() const { return missing_ == 0; }
  uint32_t missing() const { return missing_; }
  uint32_t arrived() const { return arrived_; }
  uint32_t page_count() const { return page_count_; }
  uint32_t page_size() const { return page_size_; }
  uint64_t list() const { return list_; }
  // Over all pages that arrived, modulo 2^64.
  uint64_t arrived_sum() const { return arrived_sum_; }
  PageSet Arrived() const;
  PageSet Present() const;
  PageNumber lock_page() const { return lock_page_; }

  // What changed since the last copy, to be written once the data that it speaks of is durable.
  struct Changes {
    std::vector<std::pair<uint64_t, std::vector<std::byte>>> runs;  // Offset in the file, content.
    // Joins neighbours, up to what a core may write in one go. Requires rising offsets.
    void Add(uint64_t offset, Bytes content);
  };
  Changes TakeChanges();
  // Writes and syncs. Suspends. After a failure the map must not be used.
  Result<void> Write(const Changes& changes);

 private:
  PresenceMap(uint32_t page_size, uint32_t page_count, uint32_t capacity, uint64_t list);
  void MarkDirty(uint64_t offset) { dirty_[offset / kBlockBytes] = true; }
  uint64_t HashOffset(PageNumber page) const { return kBlockBytes + uint64_t{page.value - 1} * 8; }
  uint64_t BitsOffset() const;
  uint64_t BitOffset(PageNumber page) const { return BitsOffset() + uint64_t{page.value} / 64 * 8; }
  void NotePresent(bool was_present) { missing_ -= was_present ? 0 : 1; }

  static constexpr uint64_t kBlockBytes = 4096;
  static constexpr size_t kRunBytes = 64 * kBlockBytes;

  std::unique_ptr<runtime::File> file_;
  uint32_t page_size_;
  uint32_t page_count_;
  uint32_t capacity_;
  uint64_t list_;
  PageNumber lock_page_;
  ZeroedArray<uint64_t> hashes_;  // By page number - 1.
  PageSet written_here_;
  uint32_t missing_;
  uint32_t arrived_ = 0;
  uint64_t arrived_sum_ = 0;
  std::vector<bool> dirty_;  // By block.
};

}  // namespace tradewind::sqlite
