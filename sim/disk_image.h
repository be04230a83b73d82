// What a simulated disk holds, and what of it a loss of power leaves.
//
// Files: what was written and not synced survives by sectors of 512 bytes, each or not, so pages are torn. A
// truncation survives or not as a whole; where it does not, neither does anything written past it since (a
// file system gives such writes new blocks, which belong to the file only once the truncation does). A size
// that grew survives, or not, or partly, and then what lies between is zero. Names: each unsynced creation,
// removal and rename of the disk survives or not by itself; a rename is atomic. What lies in a folder whose
// own name is lost is lost too.
//
// Nothing here suspends; sim_disk.h gives it time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "sim/random.h"

namespace tradewind::sim {

// The content of one file, with or without a name.
class FileImage {
 public:
  static constexpr uint64_t kSectorBytes = 512;

  FileImage() = default;
  // Starts with content that is durable.
  explicit FileImage(std::string content) : content_(content), durable_(std::move(content)) {}

  uint64_t size() const { return content_.size(); }
  // What the program sees, and what is certain to be there after a loss of power.
  const std::string& content() const { return content_; }
  const std::string& durable() const { return durable_; }
  size_t Read(uint64_t offset, MutableBytes into) const;
  void Write(uint64_t offset, Bytes bytes);
  void Truncate(uint64_t size);

  // A sync takes what is unsynced at its start, and makes it durable at its end. One at a time: `sync_turn`
  // is for waiting.
  void StartSync();
  void FinishSync();
  // It fails: any part of what it took is durable, and the rest is unsynced as before.
  void FailSync(Random& random);
  bool syncing() const { return in_sync_.has_value(); }
  runtime::WaitQueue sync_turn;

  std::string AfterPowerLoss(Random& random) const;

 private:
  // What separates a durable state from a later one.
  struct Changes {
    uint64_t size = 0;
    std::optional<uint64_t> truncated_to;  // The smallest size in between, when it was ever cut.
    std::vector<std::pair<uint64_t, std::string>> sectors;
  };
  Changes Unsynced() const;
  static void Apply(const Changes& changes, std::string& content);
  static void ApplyAtRandom(const Changes& changes, std::string& content, Random& random);

  std::string content_;
  std::string durable_;
  std::set<uint64_t> unsynced_sectors_;
  std::optional<uint64_t> truncated_to_;
  std::optional<Changes> in_sync_;
};

class DiskImage {
 public:
  Result<std::shared_ptr<FileImage>> Open(const std::string& path, runtime::OpenMode mode);
  bool Exists(const std::string& path) const;
  Result<void> Remove(const std::string& path);
  Result<void> Rename(const std::string& from, const std::string& to);
  Result<void> CreateFolders(const std::string& path);
  Result<std::vector<std::string>> List(const std::string& path) const;
  // Makes the names in the folder durable that are there now.
  Result<void> SyncDirectory(const std::string& path);

  void SetCapacity(uint64_t bytes) { capacity_ = bytes; }
  // Null: there is no such file. Of the second, a loss of power leaves the name for certain.
  const FileImage* Find(const std::string& path) const;
  const FileImage* FindDurable(const std::string& path) const;

  uint64_t UsedBytes() const;
  uint64_t FreeBytes() const;

  // The disk after a loss of power. This one is for what still has files of it open, and changes nothing any
  // more.
  std::shared_ptr<DiskImage> LosePower(Random& random);
  bool lost_power() const { return lost_power_; }

 private:
  // A null file is a folder. Sorted, so that everything that walks it is determined.
  using Names = std::map<std::string, std::shared_ptr<FileImage>>;
  struct NameChange {
    enum class Kind { kCreate, kRemove, kRename } kind;
    std::string path;
    std::string to;  // Of a rename.
    std::shared_ptr<FileImage> file;
  };
  static void Apply(const NameChange& change, Names& names);
  static bool IsReachable(const Names& names, const std::string& path);
  bool IsFolder(const std::string& path) const;
  void Change(NameChange change);

  Names names_;
  Names durable_names_;
  std::vector<NameChange> unsynced_;
  uint64_t capacity_ = uint64_t{1} << 40;
  bool lost_power_ = false;
};

}  // namespace tradewind::sim
