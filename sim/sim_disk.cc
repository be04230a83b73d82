#include "sim/sim_disk.h"

#include <chrono>
#include <utility>

#include "base/limits.h"
#include "runtime/descriptors.h"
#include "sim/disk_image.h"
#include "sim/sim_core.h"
#include "sim/sim_world.h"
#include "sim/watcher.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

namespace {

// A sync takes as long as an SSD's, and now and then as long as a busy one's.
void PauseAsASync(SimCore& core) {
  if (core.world().random().OneIn(16))
    core.Pause(1ms, 10ms);
  else
    core.Pause(10us, 300us);
}

class SimFile final : public runtime::File {
 public:
  SimFile(SimCore& core, std::shared_ptr<DiskImage> disk, std::shared_ptr<FileImage> image, std::string path,
          std::shared_ptr<uint64_t> open_files)
      : core_(core),
        disk_(std::move(disk)),
        image_(std::move(image)),
        path_(std::move(path)),
        open_files_(std::move(open_files)) {
    ++*open_files_;
  }
  ~SimFile() override { --*open_files_; }
  SimFile(const SimFile&) = delete;
  SimFile& operator=(const SimFile&) = delete;

  Result<size_t> Read(uint64_t offset, MutableBytes into) override;
  Result<void> Write(uint64_t offset, Bytes bytes) override;
  Result<void> Truncate(uint64_t size) override;
  Result<uint64_t> Size() override;
  Result<void> Sync() override;
  // What is on its way to the disk may get there or not, as it may without this: it only takes time.
  void StartWriteback() override { PauseAsASync(core_); }

 private:
  SimCore& core_;
  const std::shared_ptr<DiskImage> disk_;
  const std::shared_ptr<FileImage> image_;
  const std::string path_;
  const std::shared_ptr<uint64_t> open_files_;
};

Result<size_t> SimFile::Read(uint64_t offset, MutableBytes into) {
  // As if it were not cached, at times.
  if (core_.world().random().OneIn(16)) core_.Pause(20us, 200us);
  TW_TRY(core_.CheckAlive());
  const size_t got = image_->Read(offset, into);
  if (Watcher* const watcher = core_.world().watcher())
    watcher->OnRead(core_.host(), path_, offset, into.first(got));
  return got;
}

Result<void> SimFile::Write(uint64_t offset, Bytes bytes) {
  TW_TRY(core_.CheckAlive());
  const uint64_t end = offset + bytes.size();
  if (end > image_->size() && end - image_->size() > disk_->FreeBytes())
    return Fail(ErrorKind::kTooLarge, "DISK_FULL", "cannot write " + path_ + ": the simulated disk is full");
  image_->Write(offset, bytes);
  if (Watcher* const watcher = core_.world().watcher()) watcher->OnWrite(core_.host(), path_, offset, bytes);
  return {};
}

Result<void> SimFile::Truncate(uint64_t size) {
  TW_TRY(core_.CheckAlive());
  image_->Truncate(size);
  if (Watcher* const watcher = core_.world().watcher()) watcher->OnTruncate(core_.host(), path_, size);
  return {};
}

Result<uint64_t> SimFile::Size() {
  TW_TRY(core_.CheckAlive());
  return image_->size();
}

Result<void> SimFile::Sync() {
  PauseAsASync(core_);
  runtime::WaitFor(image_->sync_turn, [&] { return !image_->syncing(); });
  TW_TRY(core_.CheckAlive());
  image_->StartSync();
  PauseAsASync(core_);
  if (core_.world().TakesSyncFailure(core_.host())) {
    image_->FailSync(core_.world().random());
    image_->sync_turn.NotifyAll();
    core_.world().trace().Add(core_.world().now(), "failed sync", core_.host() + path_, image_->size());
    return Fail(ErrorKind::kIo, "DISK_IO", "cannot sync " + path_ + ": the simulated disk fails");
  }
  // Also when the process was killed meanwhile: the kernel goes on. After a loss of power this image is not
  // used any more.
  image_->FinishSync();
  image_->sync_turn.NotifyAll();
  if (Watcher* const watcher = core_.world().watcher(); watcher && !disk_->lost_power())
    watcher->OnSync(core_.host(), path_);
  TW_TRY(core_.CheckAlive());
  core_.world().trace().Add(core_.world().now(), "sync", core_.host() + path_, image_->size());
  return {};
}

}  // namespace

SimDisk::SimDisk(SimCore& core, std::shared_ptr<DiskImage> image) : core_(core), image_(std::move(image)) {}

Result<std::unique_ptr<runtime::File>> SimDisk::Open(const std::string& path, runtime::OpenMode mode) {
  const runtime::TimePoint deadline = core_.Now() + limits::kDescriptorWait;
  while (*open_files_ >= core_.descriptors().limit()) {
    if (core_.descriptors().AwaitRoom(deadline)) continue;
    return Fail(ErrorKind::kUnavailable, std::string(runtime::kTooManyFilesCode),
                "cannot open " + path + ": the simulated process has as many files open as it may");
  }
  TW_TRY(core_.CheckAlive());
  TW_TRY_ASSIGN(auto file, image_->Open(path, mode));
  return std::make_unique<SimFile>(core_, image_, std::move(file), path, open_files_);
}

Result<bool> SimDisk::Exists(const std::string& path) {
  TW_TRY(core_.CheckAlive());
  return image_->Exists(path);
}

Result<void> SimDisk::Remove(const std::string& path) {
  TW_TRY(core_.CheckAlive());
  if (Watcher* const watcher = core_.world().watcher()) watcher->OnRemove(core_.host(), path);
  return image_->Remove(path);
}

Result<void> SimDisk::Rename(const std::string& from, const std::string& to) {
  TW_TRY(core_.CheckAlive());
  if (Watcher* const watcher = core_.world().watcher()) watcher->OnRename(core_.host(), from, to);
  return image_->Rename(from, to);
}

Result<void> SimDisk::CreateFolders(const std::string& path) {
  TW_TRY(core_.CheckAlive());
  return image_->CreateFolders(path);
}

Result<std::vector<std::string>> SimDisk::List(const std::string& path) {
  TW_TRY(core_.CheckAlive());
  return image_->List(path);
}

Result<void> SimDisk::SyncDirectory(const std::string& path) {
  PauseAsASync(core_);
  TW_TRY(core_.CheckAlive());
  TW_TRY(image_->SyncDirectory(path));
  PauseAsASync(core_);
  TW_TRY(core_.CheckAlive());
  core_.world().trace().Add(core_.world().now(), "sync folder", core_.host() + path, 0);
  return {};
}

Result<uint64_t> SimDisk::FreeBytes(const std::string&) {
  TW_TRY(core_.CheckAlive());
  return image_->FreeBytes();
}

}  // namespace tradewind::sim
