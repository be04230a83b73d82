#include "sim/disk_image.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace tradewind::sim {

namespace {

// "/a//b/" is "/a/b"; the root is "".
std::string Normal(std::string_view path) {
  std::string normal;
  for (const char c : path)
    if (c != '/' || normal.empty() || normal.back() != '/') normal += c;
  if (!normal.empty() && normal.back() == '/') normal.pop_back();
  return normal;
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

tl::unexpected<Error> NotFound(const std::string& path) {
  return Fail(ErrorKind::kNotFound, "FILE_NOT_FOUND", "there is no " + path);
}

}  // namespace

size_t FileImage::Read(uint64_t offset, MutableBytes into) const {
  if (offset >= content_.size()) return 0;
  const size_t count = std::min<uint64_t>(into.size(), content_.size() - offset);
  std::memcpy(into.data(), content_.data() + offset, count);
  return count;
}

void FileImage::Write(uint64_t offset, Bytes bytes) {
  if (bytes.empty()) return;
  const uint64_t end = offset + bytes.size();
  if (end > content_.size()) content_.resize(end);
  std::memcpy(content_.data() + offset, bytes.data(), bytes.size());
  for (uint64_t sector = offset / kSectorBytes; sector * kSectorBytes < end; ++sector)
    unsynced_sectors_.insert(sector);
}

void FileImage::Truncate(uint64_t size) {
  if (size < content_.size()) {
    truncated_to_ = std::min(truncated_to_.value_or(size), size);
    unsynced_sectors_.erase(unsynced_sectors_.lower_bound((size + kSectorBytes - 1) / kSectorBytes),
                            unsynced_sectors_.end());
  }
  content_.resize(size);
}

FileImage::Changes FileImage::Unsynced() const {
  Changes changes{content_.size(), truncated_to_, {}};
  for (const uint64_t sector : unsynced_sectors_)
    changes.sectors.emplace_back(sector, content_.substr(sector * kSectorBytes, kSectorBytes));
  return changes;
}

void FileImage::StartSync() {
  TW_CHECK(!in_sync_, "two syncs of a simulated file at a time");
  in_sync_ = Unsynced();
  unsynced_sectors_.clear();
  truncated_to_.reset();
}

void FileImage::FinishSync() {
  Apply(*in_sync_, durable_);
  in_sync_.reset();
}

void FileImage::FailSync(Random& random) {
  ApplyAtRandom(*in_sync_, durable_, random);
  for (const auto& [sector, bytes] : in_sync_->sectors)
    if (sector * kSectorBytes < content_.size()) unsynced_sectors_.insert(sector);
  if (in_sync_->truncated_to)
    truncated_to_ = std::min(truncated_to_.value_or(*in_sync_->truncated_to), *in_sync_->truncated_to);
  in_sync_.reset();
}

void FileImage::Apply(const Changes& changes, std::string& content) {
  if (changes.truncated_to && *changes.truncated_to < content.size()) content.resize(*changes.truncated_to);
  content.resize(changes.size);
  for (const auto& [sector, bytes] : changes.sectors)
    bytes.copy(content.data() + sector * kSectorBytes, bytes.size());
}

void FileImage::ApplyAtRandom(const Changes& changes, std::string& content, Random& random) {
  uint64_t limit = changes.size;  // Sectors past it do not survive.
  if (changes.truncated_to) {
    if (random.OneIn(2))
      content.resize(std::min<uint64_t>(content.size(), *changes.truncated_to));
    else
      limit = *changes.truncated_to;
  }
  if (limit > content.size() && !random.OneIn(3))
    content.resize(random.OneIn(2) ? limit : random.Between(content.size(), limit));
  limit = std::min<uint64_t>(limit, content.size());
  for (const auto& [sector, bytes] : changes.sectors) {
    const uint64_t start = sector * kSectorBytes;
    if (start < limit && random.OneIn(2))
      bytes.copy(content.data() + start, std::min<uint64_t>(bytes.size(), limit - start));
  }
}

std::string FileImage::AfterPowerLoss(Random& random) const {
  std::string content = durable_;
  const auto survive = [&](const Changes& changes) {
    // Nothing and everything are the outcomes that real machines have most, and that coins would never give.
    const uint64_t outcome = random.Below(4);
    if (outcome == 0) Apply(changes, content);
    if (outcome > 1) ApplyAtRandom(changes, content, random);
    return outcome == 0;
  };
  const bool all_so_far = !in_sync_ || survive(*in_sync_);
  // Sectors may be written in any order, but a truncation stays between what came before it and what came
  // after.
  const Changes later = Unsynced();
  if (all_so_far || (!in_sync_->truncated_to && !later.truncated_to)) survive(later);
  return content;
}

Result<std::shared_ptr<FileImage>> DiskImage::Open(const std::string& given_path, runtime::OpenMode mode) {
  const std::string path = Normal(given_path);
  if (IsFolder(path)) return Fail(ErrorKind::kIo, "DISK_IO", path + " is a folder");
  const auto found = names_.find(path);
  if (found != names_.end()) {
    if (mode == runtime::OpenMode::kCreateExclusive)
      return Fail(ErrorKind::kExists, "FILE_EXISTS", path + " exists");
    return found->second;
  }
  if (mode == runtime::OpenMode::kExisting || !IsFolder(ParentOf(path))) return NotFound(path);
  auto file = std::make_shared<FileImage>();
  Change({NameChange::Kind::kCreate, path, "", file});
  return file;
}

bool DiskImage::IsFolder(const std::string& path) const {
  if (path.empty()) return true;
  const auto found = names_.find(path);
  return found != names_.end() && found->second == nullptr;
}

bool DiskImage::Exists(const std::string& path) const {
  return IsFolder(Normal(path)) || names_.contains(Normal(path));
}

Result<void> DiskImage::Remove(const std::string& given_path) {
  const std::string path = Normal(given_path);
  const auto found = names_.find(path);
  if (found == names_.end()) return {};
  if (found->second == nullptr) {
    TW_TRY_ASSIGN(const auto names, List(path));
    if (!names.empty()) return Fail(ErrorKind::kIo, "DISK_IO", "the folder " + path + " is not empty");
  }
  Change({NameChange::Kind::kRemove, path, "", found->second});
  return {};
}

Result<void> DiskImage::Rename(const std::string& given_from, const std::string& given_to) {
  const std::string from = Normal(given_from);
  const std::string to = Normal(given_to);
  const auto found = names_.find(from);
  if (found == names_.end() || !IsFolder(ParentOf(to)))
    return NotFound(found == names_.end() ? from : ParentOf(to));
  if (found->second == nullptr)
    return Fail(ErrorKind::kInternal, "SIM_UNSUPPORTED",
                "the simulated disk cannot rename the folder " + from);
  if (IsFolder(to)) return Fail(ErrorKind::kIo, "DISK_IO", to + " is a folder");
  if (from != to) Change({NameChange::Kind::kRename, from, to, found->second});
  return {};
}

Result<void> DiskImage::CreateFolders(const std::string& given_path) {
  const std::string path = Normal(given_path);
  if (IsFolder(path)) return {};
  if (names_.contains(path)) return Fail(ErrorKind::kExists, "FILE_EXISTS", path + " is a file");
  TW_TRY(CreateFolders(ParentOf(path)));
  Change({NameChange::Kind::kCreate, path, "", nullptr});
  return {};
}

Result<std::vector<std::string>> DiskImage::List(const std::string& given_path) const {
  const std::string path = Normal(given_path);
  if (!IsFolder(path)) return NotFound(path);
  std::vector<std::string> names;
  for (auto entry = names_.upper_bound(path + "/"); entry != names_.end(); ++entry) {
    if (!entry->first.starts_with(path + "/")) break;
    if (ParentOf(entry->first) == path) names.push_back(entry->first.substr(path.size() + 1));
  }
  return names;
}

Result<void> DiskImage::SyncDirectory(const std::string& given_path) {
  const std::string path = Normal(given_path);
  if (!IsFolder(path)) return NotFound(path);
  std::vector<NameChange> later;
  for (NameChange& change : unsynced_) {
    if (ParentOf(change.path) == path ||
        (change.kind == NameChange::Kind::kRename && ParentOf(change.to) == path))
      Apply(change, durable_names_);
    else
      later.push_back(std::move(change));
  }
  unsynced_ = std::move(later);
  return {};
}

void DiskImage::Change(NameChange change) {
  Apply(change, names_);
  unsynced_.push_back(std::move(change));
}

void DiskImage::Apply(const NameChange& change, Names& names) {
  switch (change.kind) {
    case NameChange::Kind::kCreate: names[change.path] = change.file; break;
    case NameChange::Kind::kRemove: names.erase(change.path); break;
    case NameChange::Kind::kRename:
      // Whatever it is called at this point: an earlier rename may not have survived.
      std::erase_if(names, [&](const auto& entry) { return entry.second == change.file; });
      names[change.to] = change.file;
      break;
  }
}

const FileImage* DiskImage::Find(const std::string& path) const {
  const auto found = names_.find(Normal(path));
  return found == names_.end() ? nullptr : found->second.get();
}

const FileImage* DiskImage::FindDurable(const std::string& path) const {
  const auto found = durable_names_.find(Normal(path));
  return found == durable_names_.end() || !IsReachable(durable_names_, found->first) ? nullptr
                                                                                     : found->second.get();
}

uint64_t DiskImage::UsedBytes() const {
  uint64_t used = 0;
  for (const auto& [path, file] : names_) used += file == nullptr ? 0 : file->size();
  return used;
}

uint64_t DiskImage::FreeBytes() const {
  const uint64_t used = UsedBytes();
  return used < capacity_ ? capacity_ - used : 0;
}

bool DiskImage::IsReachable(const Names& names, const std::string& path) {
  const std::string parent = ParentOf(path);
  if (parent.empty()) return true;
  const auto found = names.find(parent);
  return found != names.end() && found->second == nullptr && IsReachable(names, parent);
}

std::shared_ptr<DiskImage> DiskImage::LosePower(Random& random) {
  lost_power_ = true;
  Names survivors = durable_names_;
  const uint64_t outcome = random.Below(3);
  for (const NameChange& change : unsynced_)
    if (outcome == 0 || (outcome == 1 && random.OneIn(2))) Apply(change, survivors);

  auto after = std::make_shared<DiskImage>();
  after->capacity_ = capacity_;
  for (const auto& [path, file] : survivors) {
    if (!IsReachable(survivors, path)) continue;
    after->names_[path] =
        file == nullptr ? nullptr : std::make_shared<FileImage>(file->AfterPowerLoss(random));
  }
  after->durable_names_ = after->names_;
  return after;
}

}  // namespace tradewind::sim
