#include "sqlite/presence_map.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"
#include "runtime/fiber.h"

namespace tradewind::sqlite {

namespace {

constexpr char kMagic[8] = {'T', 'W', 'P', 'R', 'E', 'S', '0', '2'};
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
      dirty_(BitsOffset() / kBlockBytes + (uint64_t{capacity} / 64 + 2) * 8 / kBlockBytes + 1, true) {
  if (lock_page_.value <= page_count_) NoteWrittenHere(lock_page_);
}

uint64_t PresenceMap::BitsOffset() const {
  const uint64_t end = kBlockBytes + uint64_t{capacity_} * 8;
  return (end + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

Result<std::unique_ptr<PresenceMap>> PresenceMap::Create(runtime::Disk& disk, const std::string& path,
                                                         uint32_t page_size, uint32_t page_count,
                                                         uint64_t list) {
  std::unique_ptr<PresenceMap> map(
      new PresenceMap(page_size, page_count, page_count + page_count / 8 + kSparePages, list));
  TW_TRY(disk.Remove(path));
  TW_TRY_ASSIGN(map->file_, disk.Open(path, runtime::OpenMode::kCreate));
  // A hole is a map without pages, so only what has changed is ever written.
  TW_TRY(map->file_->Truncate(map->BitsOffset() + map->written_here_.words().size() * 8));
  map->dirty_.assign(map->dirty_.size(), false);
  map->MarkDirty(0);
  if (map->lock_page_.value <= page_count) map->MarkDirty(map->BitOffset(map->lock_page_));
  return map;
}

Result<std::unique_ptr<PresenceMap>> PresenceMap::Load(runtime::Disk& disk, const std::string& path) {
  TW_TRY_ASSIGN(auto file, disk.Open(path, runtime::OpenMode::kExisting));
  auto corrupt = [&] {
    return Fail(ErrorKind::kCorrupt, "PRESENCE_MAP_CORRUPT", "the presence map " + path + " is not whole",
                "keep the file and report it; the source of the move still has its copy");
  };
  Header header;
  TW_TRY_ASSIGN(size_t got, file->Read(0, std::as_writable_bytes(std::span(&header, 1))));
  if (got != sizeof header || std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 ||
      header.checksum != Checksum(header) || header.page_size < 512 || header.page_size > 65536 ||
      header.capacity < header.page_count)
    return corrupt();
  std::unique_ptr<PresenceMap> map(
      new PresenceMap(header.page_size, header.page_count, header.capacity, header.list));
  const auto hashes = std::as_writable_bytes(map->hashes_.span());
  TW_TRY_ASSIGN(got, file->Read(kBlockBytes, hashes));
  if (got != hashes.size()) return corrupt();
  std::vector<uint64_t> words(map->written_here_.words().size());
  TW_TRY_ASSIGN(got, file->Read(map->BitsOffset(), std::as_writable_bytes(std::span(words))));
  if (got != words.size() * 8) return corrupt();
  map->written_here_ = PageSet::FromWords(std::move(words));
  map->missing_ = map->page_count_;
  for (uint32_t value = 1; value <= map->page_count_; ++value) {
    const PageNumber page{value};
    if (map->IsPresent(page)) --map->missing_;
    map->arrived_sum_ += map->hashes_[value - 1];
    map->arrived_ += map->hashes_[value - 1] == 0 ? 0 : 1;
  }
  map->dirty_.assign(map->dirty_.size(), false);
  map->file_ = std::move(file);
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
    MarkDirty(HashOffset(page));
  }
  if (written_here_.Remove(page)) MarkDirty(BitOffset(page));
  if (was_present) ++missing_;
}

bool PresenceMap::HasArrived(PageNumber page) const {
  return page.value >= 1 && page.value <= page_count_ && hashes_[page.value - 1] != 0;
}

bool PresenceMap::IsPresent(PageNumber page) const {
  return page.value > page_count_ || HasArrived(page) || written_here_.Has(page);
}

bool PresenceMap::NoteArrived(PageNumber page, uint64_t hash) {
  TW_CHECK(page.value >= 1 && page.value <= page_count_, "a page outside the file arrived");
  if (hashes_[page.value - 1] != 0) return false;
  const bool was_present = IsPresent(page);
  hashes_[page.value - 1] = hash;
  arrived_sum_ += hash;
  ++arrived_;
  NotePresent(was_present);
  MarkDirty(HashOffset(page));
  return true;
}

void PresenceMap::NoteWrittenHere(PageNumber page) {
  if (page.value > page_count_) return;  // Made here: never absent.
  const bool was_present = IsPresent(page);
  if (!written_here_.Add(page)) return;
  NotePresent(was_present);
  MarkDirty(BitOffset(page));
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
    const uint64_t offset = block * kBlockBytes;
    auto append = [&](Bytes whole, uint64_t from) {
      if (from >= whole.size()) return;
      changes.Add(offset, whole.subspan(from, std::min<uint64_t>(kBlockBytes, whole.size() - from)));
    };
    if (block == 0) {
      Header header{};
      std::memcpy(header.magic, kMagic, sizeof kMagic);
      header.page_size = page_size_;
      header.page_count = page_count_;
      header.capacity = capacity_;
      header.list = list_;
      header.checksum = Checksum(header);
      append(std::as_bytes(std::span(&header, 1)), 0);
    } else if (offset < BitsOffset()) {
      append(hashes, offset - kBlockBytes);
    } else {
      append(bits, offset - BitsOffset());
    }
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

Result<void> PresenceMap::Write(const Changes& changes) {
  if (changes.runs.empty()) return {};
  for (const auto& [offset, content] : changes.runs) {
    TW_TRY(file_->Write(offset, content));
    runtime::Yield();  // The map of a large tenant is megabytes.
  }
  return file_->Sync();
}

}  // namespace tradewind::sqlite
