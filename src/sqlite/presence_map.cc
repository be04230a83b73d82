#include "sqlite/presence_map.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "base/hash.h"
#include "base/path.h"
#include "runtime/fiber.h"

namespace tradewind::sqlite {

namespace {

constexpr std::string_view kMagic = "TWPRES03";
constexpr std::string_view kOldMagic = "TWPRES02";
constexpr uint32_t kSparePages = 1024;  // For what a file grows by between the offer of a move and its list.
constexpr uint64_t kLockByte = 0x40000000;  // SQLite's PENDING_BYTE

struct Header {
  char magic[8];
  uint32_t page_size;
  uint32_t page_count;
  uint32_t capacity;
  uint32_t zero;
  uint64_t list;
  uint64_t checksum;
};

uint64_t Checksum(const Header& header) {
  return Hash64(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, checksum)));
}

uint64_t SectorSum(Bytes content, uint64_t list, uint64_t sector) {
  return Hash64(content, list * 0x9e3779b97f4a7c15u + sector);
}

}  // namespace

uint64_t HashPage(PageNumber page, Bytes content) {
  const uint64_t hash = Hash64(content, page.value);
  return hash == 0 ? 1 : hash;
}

PresenceMap::PresenceMap(uint32_t page_size, uint32_t page_count, uint32_t capacity, uint64_t list)
    : page_size_(page_size),
      page_count_(page_count),
      capacity_(capacity),
      list_(list),
      lock_page_{static_cast<uint32_t>(kLockByte / page_size + 1)},
      hashes_(capacity),
      written_here_(capacity),
      missing_(page_count),
      dirty_(EndBlock(), false) {
  if (lock_page_.value <= page_count_) NoteWrittenHere(lock_page_);
}

Result<std::unique_ptr<PresenceMap>> PresenceMap::Create(runtime::Disk& disk, const std::string& path,
                                                         uint32_t page_size, uint32_t page_count,
                                                         uint64_t list) {
  std::unique_ptr<PresenceMap> map(
      new PresenceMap(page_size, page_count, page_count + page_count / 8 + kSparePages, list));
  TW_TRY(disk.Remove(path));
  TW_TRY_ASSIGN(map->file_, disk.Open(path, runtime::OpenMode::kCreate));
  // A hole is a map without pages, so only what has changed is ever written.
  TW_TRY(map->file_->Truncate(map->EndBlock() * kBlockBytes));
  map->dirty_.assign(map->dirty_.size(), false);
  map->MarkDirty(0);
  if (map->lock_page_.value <= page_count) map->MarkDirty(map->BitBlock(map->lock_page_));
  return map;
}

Result<std::unique_ptr<PresenceMap>> PresenceMap::Load(runtime::Disk& disk, const std::string& path) {
  TW_TRY_ASSIGN(auto file, disk.Open(path, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  std::vector<std::byte> bytes(size);
  TW_TRY_ASSIGN(const size_t got, file->Read(0, bytes));
  bytes.resize(got);
  TW_TRY_ASSIGN(auto map, Parse(bytes, path));
  const bool is_old = std::memcmp(bytes.data(), kOldMagic.data(), kOldMagic.size()) == 0;
  if (is_old) return Rewrite(std::move(map), disk, path);
  map->file_ = std::move(file);
  // What an earlier process wrote and could not sync counts as written, and is not on the disk: the next sync writes all
  // of it once more.
  map->dirty_.assign(map->dirty_.size(), true);
  return map;
}

Result<std::unique_ptr<PresenceMap>> PresenceMap::Parse(Bytes bytes, const std::string& path) {
  const auto corrupt = [&](uint64_t offset) {
    return Fail(ErrorKind::kCorrupt, "PRESENCE_MAP_CORRUPT",
                "the presence map " + path + " is not as it was written at byte " + std::to_string(offset),
                "keep the file and report it; the source of the move still has its copy");
  };
  Header header{};
  if (bytes.size() < sizeof header) return corrupt(bytes.size());
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::string_view magic(header.magic, sizeof header.magic);
  const uint32_t page_size = header.page_size;
  if ((magic != kMagic && magic != kOldMagic) || header.checksum != Checksum(header) || page_size < 512 ||
      page_size > 65536 || (page_size & (page_size - 1)) != 0 || header.capacity < header.page_count ||
      uint64_t{header.capacity} * 8 > bytes.size())
    return corrupt(0);
  std::unique_ptr<PresenceMap> map(
      new PresenceMap(page_size, header.page_count, header.capacity, header.list));
  std::vector<uint64_t> words(map->written_here_.words().size());
  const MutableBytes hashes = std::as_writable_bytes(map->hashes_.span());
  const MutableBytes bits = std::as_writable_bytes(std::span(words));
  if (magic == kOldMagic) {
    const uint64_t bits_offset = kBlockBytes + (hashes.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    if (bytes.size() < bits_offset + bits.size()) return corrupt(bytes.size());
    std::memcpy(hashes.data(), bytes.data() + kBlockBytes, hashes.size());
    std::memcpy(bits.data(), bytes.data() + bits_offset, bits.size());
  } else {
    if (bytes.size() != map->EndBlock() * kBlockBytes) return corrupt(bytes.size());
    for (uint64_t sector = kBlockBytes / kSectorBytes; sector < bytes.size() / kSectorBytes; ++sector) {
      const Bytes whole = bytes.subspan(sector * kSectorBytes, kSectorBytes);
      if (std::all_of(whole.begin(), whole.end(), [](std::byte byte) { return byte == std::byte{0}; }))
        continue;
      const Bytes content = whole.first(kSectorContentBytes);
      uint64_t sum = 0;
      std::memcpy(&sum, whole.data() + kSectorContentBytes, sizeof sum);
      if (sum != SectorSum(content, header.list, sector)) return corrupt(sector * kSectorBytes);
      const bool is_hash = sector * kSectorBytes < map->BitsBlock() * kBlockBytes;
      const MutableBytes area = is_hash ? hashes : bits;
      const uint64_t first = (is_hash ? 1 : map->BitsBlock()) * (kBlockBytes / kSectorBytes);
      const uint64_t at = (sector - first) * kSectorContentBytes;
      if (at < area.size())
        std::memcpy(area.data() + at, content.data(), std::min<uint64_t>(content.size(), area.size() - at));
    }
  }
  map->written_here_ = PageSet::FromWords(std::move(words));
  map->CountPresent();
  map->dirty_.assign(map->dirty_.size(), false);
  return map;
}

void PresenceMap::CountPresent() {
  missing_ = page_count_;
  arrived_ = 0;
  arrived_sum_ = 0;
  for (uint32_t value = 1; value <= page_count_; ++value) {
    if (IsPresent(PageNumber{value})) --missing_;
    arrived_sum_ += hashes_[value - 1];
    arrived_ += hashes_[value - 1] == 0 ? 0 : 1;
  }
}

// In the present format; before and after the rename a whole map is there.
Result<std::unique_ptr<PresenceMap>> PresenceMap::Rewrite(std::unique_ptr<PresenceMap> map,
                                                          runtime::Disk& disk, const std::string& path) {
  const std::string fresh = path + ".new";
  TW_TRY(disk.Remove(fresh));
  TW_TRY_ASSIGN(map->file_, disk.Open(fresh, runtime::OpenMode::kCreate));
  TW_TRY(map->file_->Truncate(map->EndBlock() * kBlockBytes));
  map->dirty_.assign(map->dirty_.size(), true);
  TW_TRY(map->Write(map->TakeChanges()));
  TW_TRY(disk.Rename(fresh, path));
  TW_TRY(disk.SyncDirectory(FolderOf(path)));
  return map;
}

bool PresenceMap::SetPageCount(uint32_t page_count) {
  if (page_count > capacity_) return false;
  for (; page_count_ > page_count; --page_count_, --missing_) Forget(PageNumber{page_count_});
  const uint32_t before = page_count_;
  page_count_ = page_count;
  missing_ += page_count - before;
  if (lock_page_.value > before) NoteWrittenHere(lock_page_);
  MarkDirty(0);
  return true;
}

void PresenceMap::Forget(PageNumber page) {
  const bool was_present = IsPresent(page);
  if (uint64_t& hash = hashes_[page.value - 1]; hash != 0) {
    arrived_sum_ -= hash;
    --arrived_;
    hash = 0;
    MarkDirty(HashBlock(page));
  }
  if (written_here_.Remove(page)) MarkDirty(BitBlock(page));
  if (was_present) ++missing_;
}

bool PresenceMap::HasArrived(PageNumber page) const {
  return page.value >= 1 && page.value <= page_count_ && hashes_[page.value - 1] != 0;
}

bool PresenceMap::IsPresent(PageNumber page) const {
  return page.value > page_count_ || HasArrived(page) || written_here_.Has(page);
}

void PresenceMap::NotePresent(bool was_present) {
  if (was_present) return;
  TW_CHECK(missing_ > 0, "a page comes that a map without gaps has not got");
  --missing_;
}

bool PresenceMap::NoteArrived(PageNumber page, uint64_t hash) {
  TW_CHECK(page.value >= 1 && page.value <= page_count_, "a page outside the file arrived");
  TW_CHECK(hash != 0, "the hash of a page is never 0");
  if (hashes_[page.value - 1] != 0) return false;
  const bool was_present = IsPresent(page);
  hashes_[page.value - 1] = hash;
  arrived_sum_ += hash;
  ++arrived_;
  NotePresent(was_present);
  MarkDirty(HashBlock(page));
  return true;
}

void PresenceMap::NoteWrittenHere(PageNumber page) {
  if (page.value > page_count_) return;  // Made here: never absent.
  const bool was_present = IsPresent(page);
  if (!written_here_.Add(page)) return;
  NotePresent(was_present);
  MarkDirty(BitBlock(page));
}

void PresenceMap::NoteTruncated(uint32_t page_count) {
  for (uint32_t value = page_count + 1; value <= page_count_; ++value) NoteWrittenHere(PageNumber{value});
}

PageSet PresenceMap::Arrived() const {
  PageSet set(page_count_);
  for (uint32_t value = 1; value <= page_count_; ++value)
    if (hashes_[value - 1] != 0) set.Add(PageNumber{value});
  return set;
}

PageSet PresenceMap::Present() const {
  PageSet set(page_count_);
  for (uint32_t value = 1; value <= page_count_; ++value)
    if (IsPresent(PageNumber{value})) set.Add(PageNumber{value});
  return set;
}

PresenceMap::Changes PresenceMap::TakeChanges() {
  Changes changes;
  const auto hashes = std::as_bytes(hashes_.span());
  const auto bits = std::as_bytes(std::span(written_here_.words()));
  for (uint64_t block = 0; block < dirty_.size(); ++block) {
    if (!dirty_[block]) continue;
    dirty_[block] = false;
    if (block == 0) {
      Header header{};
      std::memcpy(header.magic, kMagic.data(), sizeof header.magic);
      header.page_size = page_size_;
      header.page_count = page_count_;
      header.capacity = capacity_;
      header.list = list_;
      header.checksum = Checksum(header);
      changes.Add(0, std::as_bytes(std::span(&header, 1)));
      continue;
    }
    const bool is_hash = block < BitsBlock();
    const Bytes area = is_hash ? hashes : bits;
    std::array<std::byte, kBlockBytes> encoded{};
    for (uint64_t i = 0; i < kBlockBytes / kSectorBytes; ++i) {
      const MutableBytes sector = std::span(encoded).subspan(i * kSectorBytes, kSectorBytes);
      const uint64_t at =
          (block - (is_hash ? 1 : BitsBlock())) * kBlockContentBytes + i * kSectorContentBytes;
      if (at < area.size())
        std::memcpy(sector.data(), area.data() + at,
                    std::min<uint64_t>(kSectorContentBytes, area.size() - at));
      const uint64_t sum =
          SectorSum(sector.first(kSectorContentBytes), list_, block * kBlockBytes / kSectorBytes + i);
      std::memcpy(sector.data() + kSectorContentBytes, &sum, sizeof sum);
    }
    changes.Add(block * kBlockBytes, encoded);
  }
  return changes;
}

void PresenceMap::Changes::Add(uint64_t offset, Bytes content) {
  if (runs.empty() || runs.back().first + runs.back().second.size() != offset ||
      runs.back().second.size() + content.size() > kRunBytes)
    runs.emplace_back(offset, std::vector<std::byte>());
  std::vector<std::byte>& run = runs.back().second;
  run.insert(run.end(), content.begin(), content.end());
}

Result<void> PresenceMap::WriteUnsynced(const Changes& changes) {
  Result<void> written;
  for (const auto& [offset, content] : changes.runs) {
    written = file_->Write(offset, content);
    if (!written) break;
    runtime::Yield();  // The map of a large tenant is megabytes.
  }
  if (!written)
    for (const auto& [offset, content] : changes.runs)
      for (uint64_t at = offset; at < offset + content.size(); at += kBlockBytes) MarkDirty(at / kBlockBytes);
  return written;
}

Result<void> PresenceMap::Write(const Changes& changes) {
  if (changes.runs.empty()) return {};
  TW_TRY(WriteUnsynced(changes));
  return Sync();
}

}  // namespace tradewind::sqlite
