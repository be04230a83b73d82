#include "sim/checkers/cluster_record.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace tradewind::sim {

namespace {

constexpr std::string_view kTenants = "/data/tenants/";
constexpr std::string_view kMain = ".db";

uint64_t LittleEndian(std::string_view bytes, size_t at, size_t size) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, size);
  return number;
}

}  // namespace

TenantFile TenantFile::Of(std::string_view path) {
  if (!path.starts_with(kTenants)) return {};
  path.remove_prefix(kTenants.size());
  const size_t end = path.find(kMain);
  if (end == std::string_view::npos) return {};
  const std::string_view suffix = path.substr(end + kMain.size());
  const Kind kind = suffix.empty()          ? Kind::kMain
                    : suffix == "-wal"      ? Kind::kWal
                    : suffix == "-presence" ? Kind::kMap
                                            : Kind::kNone;
  return {kind, std::string(path.substr(0, end))};
}

std::string MainPath(const std::string& tenant) {
  return std::string(kTenants) + tenant + std::string(kMain);
}

uint64_t HashOf(std::string_view content) {
  return XXH3_64bits(content.data(), content.size());
}

// -- The presence map

bool MapImage::IsFreeLeaf(uint32_t page) const {
  return hashes[page - 1] != 0 && hashes[page - 1] == XXH3_64bits_withSeed("", 0, page);
}

std::optional<MapImage> MapImage::Parse(std::string_view file) {
  constexpr size_t kBlock = 4096;
  constexpr size_t kSector = 512;
  constexpr size_t kContent = 504;
  if (file.size() < kBlock || file.substr(0, 8) != "TWPRES03") return std::nullopt;
  MapImage map;
  map.page_size = static_cast<uint32_t>(LittleEndian(file, 8, 4));
  map.page_count = static_cast<uint32_t>(LittleEndian(file, 12, 4));
  const uint64_t capacity = LittleEndian(file, 16, 4);
  const auto blocks = [](uint64_t bytes) {
    return (bytes + kBlock / kSector * kContent - 1) / (kBlock / kSector * kContent);
  };
  const auto content_of = [&](uint64_t first_block, uint64_t bytes) {
    std::string content;
    for (size_t at = first_block * kBlock; content.size() < bytes && at + kSector <= file.size();
         at += kSector)
      content += file.substr(at, kContent);
    content.resize(bytes);
    return content;
  };
  const std::string hashes = content_of(1, capacity * 8);
  const std::string bits = content_of(1 + blocks(capacity * 8), (capacity + 64) / 64 * 8 + 8);
  for (uint32_t page = 1; page <= map.page_count && page <= capacity; ++page) {
    map.hashes.push_back(LittleEndian(hashes, uint64_t{page - 1} * 8, 8));
    map.here.push_back((LittleEndian(bits, page / 64 * 8, 8) >> (page % 64)) & 1);
  }
  map.page_count = static_cast<uint32_t>(map.hashes.size());
  return map;
}

// -- Tenants

int TenantRecord::Find(uint32_t page, uint64_t hash) const {
  if (page == 0 || page > versions.size()) return -1;
  const std::vector<Version>& all = versions[page - 1];
  for (size_t at = all.size(); at-- > 0;)
    if (all[at].hash == hash) return static_cast<int>(at);
  return -1;
}

int TenantRecord::NewestBefore(uint32_t page, uint64_t before) const {
  if (page == 0 || page > versions.size()) return -1;
  const std::vector<Version>& all = versions[page - 1];
  size_t at = all.size();
  while (at > 0 && all[at - 1].epoch >= before) --at;
  return static_cast<int>(at) - 1;
}

TenantRecord* ClusterRecord::Find(const std::string& tenant) {
  const auto found = tenants_.find(tenant);
  return found == tenants_.end() ? nullptr : &found->second;
}

std::string_view ClusterRecord::Content(const std::string& host, const std::string& path) const {
  const FileImage* const file = disk_of_(host).Find(path);
  return file ? std::string_view(file->content()) : std::string_view();
}

std::string_view ClusterRecord::Durable(const std::string& host, const std::string& path) const {
  const FileImage* const file = disk_of_(host).FindDurable(path);
  return file ? std::string_view(file->durable()) : std::string_view();
}

// -- The catalog

std::vector<ClusterRecord::Change> ClusterRecord::ReadCatalog(const std::string& host) {
  const std::string path(kCatalogPath);
  const std::string_view wal = Durable(host, path + "-wal");
  catalog_wal_.Advance(wal);
  const DatabaseImage image(Durable(host, path), wal, catalog_wal_);
  std::vector<Change> changes;
  std::set<std::string> seen;
  for (const Columns& row : image.Rows("tenants")) {  // name, engine, owner, epoch, created_at_ms, move, ...
    if (row.size() < 6) continue;
    const std::string& name = row[0].text;
    const auto epoch = static_cast<uint64_t>(row[3].number);
    seen.insert(name);
    const auto [entry, is_new] = tenants_.try_emplace(name);
    TenantRecord& record = entry->second;
    if (!is_new && record.epoch == epoch && record.owner == row[2].text && record.created == row[4].number)
      continue;
    Change change{name, {}, false};
    if (!is_new) change.before = record;
    if (is_new || record.created != row[4].number) {
      if (!is_new) End(name, record);
      record = TenantRecord();
      former_.erase({row[2].text, name});
      change.before.reset();
    }
    record.owner = row[2].text;
    record.epoch = epoch;
    record.created = row[4].number;
    if (!change.before) Begin(name, record);
    changes.push_back(std::move(change));
  }
  for (auto entry = tenants_.begin(); entry != tenants_.end();) {
    const bool gone = !seen.contains(entry->first);
    if (gone) End(entry->first, entry->second);
    if (gone) changes.push_back({entry->first, std::move(entry->second), true});
    entry = gone ? tenants_.erase(entry) : std::next(entry);
  }
  return changes;
}

void ClusterRecord::End(const std::string& tenant, const TenantRecord& record) {
  former_.insert({record.owner, tenant});
  if (record.hand_over) former_.insert({record.hand_over->from, tenant});
}

bool ClusterRecord::HasFormer(const std::string& host, const std::string& tenant) const {
  return former_.contains({host, tenant});
}

// Its file was laid out and synced before the catalog was asked for it.
void ClusterRecord::Begin(const std::string& tenant, TenantRecord& record) {
  const std::string_view wal = Content(record.owner, MainPath(tenant) + "-wal");
  WalImage& wal_image = WalOf(record.owner, tenant);
  wal_image.Advance(wal);
  const DatabaseImage image(Content(record.owner, MainPath(tenant)), wal, wal_image);
  record.page_size = image.page_size();
  record.known = record.page_size != 0;
  if (!record.known) return;
  for (uint32_t page = 1; page <= image.page_count(); ++page) {
    record.VersionsOf(page).push_back({HashOf(image.Page(page)), 0});
    record.InFile(page) = 0;
  }
}

// -- Commits and copies

std::vector<WalImage::Commit> ClusterRecord::ReadWal(const std::string& host, const std::string& tenant) {
  return WalOf(host, tenant).Advance(Content(host, MainPath(tenant) + "-wal"));
}

void ClusterRecord::Commit(TenantRecord& record, uint64_t epoch, std::string_view wal,
                           const WalImage::Commit& commit) {
  std::map<uint32_t, uint64_t> last;  // A transaction may have written a page twice.
  for (const auto& [page, at] : commit.pages) last[page] = at;
  for (const auto& [page, at] : last) {
    std::vector<Version>& versions = record.VersionsOf(page);
    const uint64_t hash = HashOf(wal.substr(at, record.page_size));
    // One who commits late, of an epoch before, comes before those that are of this one: it changes no page of theirs.
    const auto place = std::find_if(versions.rbegin(), versions.rend(),
                                    [&](const Version& one) { return one.epoch <= epoch; });
    const auto index = place.base() - versions.begin();
    versions.insert(place.base(), {hash, epoch});
    if (int& in_file = record.InFile(page); in_file >= index) ++in_file;
  }
}

void ClusterRecord::HandOverTo(const std::string& tenant, const TenantRecord& before) {
  TenantRecord& record = *Find(tenant);
  record.hand_over = HandOver{before.owner, record.owner, before.epoch, record.epoch, {}};
  ReadMain(tenant, record);
  ReadMap(tenant, record);
}

void ClusterRecord::ReadMain(const std::string& tenant, TenantRecord& record) {
  const std::string_view main = Content(record.owner, MainPath(tenant));
  record.in_file.clear();
  if (record.page_size == 0) return;
  for (uint32_t page = 1; uint64_t{page} * record.page_size <= main.size(); ++page)
    record.InFile(page) =
        record.Find(page, HashOf(main.substr(uint64_t{page - 1} * record.page_size, record.page_size)));
}

// Without a map the move is over for the owner, which has everything.
void ClusterRecord::ReadMap(const std::string& tenant, TenantRecord& record) {
  const auto map = MapImage::Parse(Content(record.owner, MainPath(tenant) + "-presence"));
  std::vector<HandOver::Page> pages(map ? map->page_count : 0);
  for (uint32_t page = 1; page <= pages.size(); ++page) {
    pages[page - 1].present = map->IsPresent(page);
    pages[page - 1].free = map->IsFreeLeaf(page);
    pages[page - 1].read = page <= record.hand_over->pages.size() && record.hand_over->pages[page - 1].read;
  }
  record.hand_over->pages = std::move(pages);
}

void ClusterRecord::Reload(const std::string& host) {
  for (auto& [place, wal] : wals_) {
    if (place.first != host) continue;
    wal.Reset();
    wal.Advance(Content(host, MainPath(place.second) + "-wal"));
  }
  for (auto& [tenant, record] : tenants_) {
    const bool owns = record.owner == host;
    if (!record.known || (!owns && !(record.hand_over && record.hand_over->from == host))) continue;
    // Versions of its own that are lost have been seen by nobody.
    const bool has_former = record.hand_over.has_value();
    const uint64_t first = !owns ? record.hand_over->from_epoch : has_former ? record.hand_over->to_epoch : 0;
    const uint64_t behind = owns ? UINT64_MAX : record.hand_over->to_epoch;
    const std::string_view wal = Content(host, MainPath(tenant) + "-wal");
    const DatabaseImage image(Content(host, MainPath(tenant)), wal, WalOf(host, tenant));
    for (uint32_t page = 1; page <= record.versions.size(); ++page) {
      // What the owner has was durable here before it was sent. Its former owner may be on its way to delete its copy, and
      // have deleted the WAL already.
      if (!owns && record.hand_over->Has(page)) continue;
      std::vector<Version>& versions = record.versions[page - 1];
      const int left = record.Find(page, HashOf(image.Page(page)));
      // An owner may lack a page of the former one, and had written it without a look at it: then nothing is left of that.
      if (left < 0 && !(owns && has_former)) continue;
      versions.erase(
          std::remove_if(versions.begin() + left + 1, versions.end(),
                         [&](const Version& one) { return one.epoch >= first && one.epoch < behind; }),
          versions.end());
    }
    ReadMain(tenant, record);
    if (owns && has_former) ReadMap(tenant, record);
  }
}

}  // namespace tradewind::sim
