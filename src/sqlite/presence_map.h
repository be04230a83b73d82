// Which pages of a moving tenant its destination has, and what arrived: durable beside the file until the
// move is done.
//
// A page is present when it arrived, or when SQLite wrote it here itself (a checkpoint). For each page the
// map holds the hash of the content that arrived (0: none) and one bit "written here". Sums of the hashes at
// both ends verify a move without a scan; they can be made again from the map after a crash.
//
// File (little-endian), beside the main file:
//   0     "TWPRES03", page size u32, page count u32, capacity u32, zero u32, list number u64, xxh3 of the
//         32 bytes before
//   4096  capacity hashes, 8 bytes each; those past the page count are zero
//   then, at the next multiple of 4096, the "written here" bits
// From 4096 on each sector of 512 bytes holds 504 of content and their xxh3, seeded with the list number and
// the sector's place; a sector that was never written is zeros, and holds none. So a bit that flips makes the
// map unreadable, instead of a page present that is not. Format 02 had the content alone; it is read, and
// rewritten.
//
// Crash argument. A map file belongs to one list (protocol step 3): a new list makes a new file, and the
// journal's "ready" names its list number, so a stale map can never be believed. Once the journal
// says ready, bits only come, never go: a torn write of the map leaves old or new sectors (which disks write
// whole or not), both true. A word is
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
  // Its next Write() writes all of it, since some of what is read may not be on the disk. Fails with
  // PRESENCE_MAP_CORRUPT (kCorrupt) when the file is not as it was written, and kNotFound when there is none. Suspends.
  static Result<std::unique_ptr<PresenceMap>> Load(runtime::Disk& disk, const std::string& path);
  // Of any bytes; `path` is for the error.
  static Result<std::unique_ptr<PresenceMap>> Parse(Bytes bytes, const std::string& path);

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
  uint64_t file_bytes() const { return EndBlock() * kBlockBytes; }
  // Over all pages that arrived, modulo 2^64.
  uint64_t arrived_sum() const { return arrived_sum_; }
  PageSet Arrived() const;
  PageSet Present() const;

  // What changed since the last copy, to be written once the data that it speaks of is durable.
  struct Changes {
    std::vector<std::pair<uint64_t, std::vector<std::byte>>> runs;  // Offset in the file, content.
    // Joins neighbours, up to what a core may write in one go. Requires rising offsets.
    void Add(uint64_t offset, Bytes content);
  };
  Changes TakeChanges();
  // Writes and syncs. Suspends. After a failed sync the map must not be used.
  Result<void> Write(const Changes& changes);
  // The first half. After a failure, as of a full disk, the changes are as if they had not been taken. Suspends.
  Result<void> WriteUnsynced(const Changes& changes);
  // The second half; a failure is final. Suspends.
  Result<void> Sync() { return file_->Sync(); }

 private:
  PresenceMap(uint32_t page_size, uint32_t page_count, uint32_t capacity, uint64_t list);
  static Result<std::unique_ptr<PresenceMap>> Rewrite(std::unique_ptr<PresenceMap> map, runtime::Disk& disk,
                                                      const std::string& path);
  void CountPresent();
  void MarkDirty(uint64_t block) { dirty_[block] = true; }
  // The blocks of the file that hold them.
  uint64_t HashBlock(PageNumber page) const { return 1 + uint64_t{page.value - 1} * 8 / kBlockContentBytes; }
  uint64_t BitsBlock() const { return 1 + BlocksFor(uint64_t{capacity_} * 8); }
  uint64_t BitBlock(PageNumber page) const {
    return BitsBlock() + uint64_t{page.value} / 64 * 8 / kBlockContentBytes;
  }
  uint64_t EndBlock() const { return BitsBlock() + BlocksFor(written_here_.words().size() * 8); }
  static uint64_t BlocksFor(uint64_t content_bytes) {
    return (content_bytes + kBlockContentBytes - 1) / kBlockContentBytes;
  }
  void NotePresent(bool was_present);

  static constexpr uint64_t kSectorBytes = 512;
  static constexpr uint64_t kSectorContentBytes = 504;
  static constexpr uint64_t kBlockBytes = 4096;
  static constexpr uint64_t kBlockContentBytes = kBlockBytes / kSectorBytes * kSectorContentBytes;
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
