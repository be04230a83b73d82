// What the checkers know of a cluster, from the bytes on its disks alone: who owns each tenant by the catalog's file, and
// every version of every page that was ever committed, by the tenants' WALs.
//
// A version of a page counts from the moment at which it is in a WAL file: before that, no other node and no client can
// have heard of it. Ownership counts from the moment at which it is durable in the catalog's file, before the catalog
// answers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/checkers/database_image.h"
#include "sim/disk_image.h"

namespace tradewind::sim {

// What a checker has found: its name, and a sentence.
using Report = std::function<void(std::string_view checker, std::string what)>;

// One file of a tenant.
struct TenantFile {
  enum class Kind { kNone, kMain, kWal, kMap } kind = Kind::kNone;
  std::string tenant;
  static TenantFile Of(std::string_view path);
};
std::string MainPath(const std::string& tenant);
inline constexpr std::string_view kCatalogPath = "/data/catalog.db";

uint64_t HashOf(std::string_view content);

// A presence map, as its file has it (src/sqlite/presence_map.h says how it looks).
struct MapImage {
  uint32_t page_size = 0;
  uint32_t page_count = 0;
  std::vector<uint64_t> hashes;  // By page - 1, as far as there are any.
  std::vector<uint8_t> here;     // Written by the node itself.
  bool IsPresent(uint32_t page) const { return hashes[page - 1] != 0 || here[page - 1] != 0; }
  bool IsFreeLeaf(uint32_t page) const;
  static std::optional<MapImage> Parse(std::string_view file);
};

struct Version {
  uint64_t hash = 0;
  uint64_t epoch = 0;  // Of the ownership under which it was committed.
};

// From the swap until the former owner has given its copy up.
struct HandOver {
  std::string from;
  std::string to;
  uint64_t from_epoch = 0;
  uint64_t to_epoch = 0;  // The first of `to`.
  // What `to` has of each page, by number - 1; absent where they end.
  struct Page {
    bool present = false;
    bool free = false;  // Counts as present, and has no content.
    bool read = false;  // By a transaction of `to`.
  };
  std::vector<Page> pages;
  Page& At(uint32_t page) {
    if (pages.size() < page) pages.resize(page);
    return pages[page - 1];
  }
  // What lies past the file's end was made by `to`.
  bool Has(uint32_t page) const { return page > pages.size() || pages[page - 1].present; }
};

struct TenantRecord {
  std::string owner;
  uint64_t epoch = 0;
  int64_t created = 0;
  uint32_t page_size = 0;
  bool known = false;                          // Its pages are.
  std::vector<std::vector<Version>> versions;  // By page - 1, oldest first.
  std::vector<int> in_file;                    // The same: which of them the owner's main file has; -1: none.
  std::optional<HandOver> hand_over;

  std::vector<Version>& VersionsOf(uint32_t page) {
    if (versions.size() < page) versions.resize(page);
    return versions[page - 1];
  }
  // The newest with that content; -1: it was never committed.
  int Find(uint32_t page, uint64_t hash) const;
  // The newest that was committed before this owner's time; -1: none.
  int NewestBefore(uint32_t page, uint64_t epoch) const;
  int& InFile(uint32_t page) {
    if (in_file.size() < page) in_file.resize(page, -1);
    return in_file[page - 1];
  }
};

class ClusterRecord {
 public:
  // `disk_of` gives the disk of a host.
  explicit ClusterRecord(std::function<const DiskImage&(const std::string&)> disk_of)
      : disk_of_(std::move(disk_of)) {}

  struct Change {
    std::string tenant;
    std::optional<TenantRecord> before;  // None: it is new.
    bool gone = false;
  };
  // The catalog's file on the host has become durable: what is different now. The records are up to date.
  std::vector<Change> ReadCatalog(const std::string& host);
  // Null: the catalog has none of that name.
  TenantRecord* Find(const std::string& tenant);

  // Whether the host still has the file of a tenant that had the name before.
  bool HasFormer(const std::string& host, const std::string& tenant) const;
  void ForgetFormer(const std::string& host, const std::string& tenant) { former_.erase({host, tenant}); }

  // What has been committed in the host's WAL of a tenant since the last call.
  std::vector<WalImage::Commit> ReadWal(const std::string& host, const std::string& tenant);
  WalImage& WalOf(const std::string& host, const std::string& tenant) { return wals_[{host, tenant}]; }
  void ForgetWal(const std::string& host, const std::string& tenant) { wals_.erase({host, tenant}); }
  void Commit(TenantRecord& record, uint64_t epoch, std::string_view wal, const WalImage::Commit& commit);

  // The owner is now `to`, whose pages are those that its map has.
  void HandOverTo(const std::string& tenant, const TenantRecord& before);
  // The host went down: what it had written and not synced may be lost, and with it versions that nobody has seen.
  void Reload(const std::string& host);

  // "" where there is no such file.
  std::string_view Content(const std::string& host, const std::string& path) const;
  std::string_view Durable(const std::string& host, const std::string& path) const;

 private:
  void Begin(const std::string& tenant, TenantRecord& record);
  void End(const std::string& tenant, const TenantRecord& record);
  // What the owner's main file and its map have.
  void ReadMain(const std::string& tenant, TenantRecord& record);
  void ReadMap(const std::string& tenant, TenantRecord& record);

  const std::function<const DiskImage&(const std::string&)> disk_of_;
  std::map<std::string, TenantRecord> tenants_;
  std::map<std::pair<std::string, std::string>, WalImage> wals_;  // Host and tenant.
  std::set<std::pair<std::string, std::string>> former_;          // Host and tenant.
  WalImage catalog_wal_;
};

}  // namespace tradewind::sim
