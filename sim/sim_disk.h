// The disk of a simulated core: a DiskImage behind the interface of runtime/disk.h, with delays. See
// disk_image.h for what a crash leaves. After a crash of the core, everything fails with CRASHED. No more files are
// open at a time than the core has descriptors (runtime/descriptors.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/disk.h"

namespace tradewind::sim {

class DiskImage;
class SimCore;

class SimDisk final : public runtime::Disk {
 public:
  SimDisk(SimCore& core, std::shared_ptr<DiskImage> image);

  Result<std::unique_ptr<runtime::File>> Open(const std::string& path, runtime::OpenMode mode) override;
  Result<bool> Exists(const std::string& path) override;
  Result<void> Remove(const std::string& path) override;
  Result<void> Rename(const std::string& from, const std::string& to) override;
  Result<void> CreateFolders(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& path) override;
  Result<void> SyncDirectory(const std::string& path) override;
  Result<uint64_t> FreeBytes(const std::string& path) override;

 private:
  SimCore& core_;
  const std::shared_ptr<DiskImage> image_;
  const std::shared_ptr<uint64_t> open_files_ = std::make_shared<uint64_t>(0);
};

}  // namespace tradewind::sim
