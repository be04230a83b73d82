// A real core whose disk keeps syncs waiting, or fails them, when a unit test says so.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::catalog {

// What happens to the syncs of every file of a GatedCore.
struct SyncGate {
  bool open = true;
  bool failing = false;
  size_t waiting = 0;
  size_t begun = 0;
  runtime::WaitQueue changed;

  void Open() {
    open = true;
    changed.NotifyAll();
  }
  void AwaitSync() {
    runtime::WaitFor(changed, [this] { return waiting > 0; });
  }
};

class GatedFile final : public runtime::File {
 public:
  GatedFile(std::unique_ptr<runtime::File> file, SyncGate& gate) : file_(std::move(file)), gate_(gate) {}
  Result<size_t> Read(uint64_t offset, MutableBytes into) override { return file_->Read(offset, into); }
  Result<void> Write(uint64_t offset, Bytes bytes) override { return file_->Write(offset, bytes); }
  Result<void> Truncate(uint64_t size) override { return file_->Truncate(size); }
  Result<uint64_t> Size() override { return file_->Size(); }
  Result<void> Sync() override {
    ++gate_.begun;
    ++gate_.waiting;
    gate_.changed.NotifyAll();
    runtime::WaitFor(gate_.changed, [this] { return gate_.open; });
    --gate_.waiting;
    if (gate_.failing) return Fail(ErrorKind::kIo, "DISK_BROKEN", "the disk is broken");
    return file_->Sync();
  }

 private:
  std::unique_ptr<runtime::File> file_;
  SyncGate& gate_;
};

class GatedDisk final : public runtime::Disk {
 public:
  GatedDisk(runtime::Disk& disk, SyncGate& gate) : disk_(disk), gate_(gate) {}
  Result<std::unique_ptr<runtime::File>> Open(const std::string& path, runtime::OpenMode mode) override {
    TW_TRY_ASSIGN(auto file, disk_.Open(path, mode));
    return std::make_unique<GatedFile>(std::move(file), gate_);
  }
  Result<bool> Exists(const std::string& path) override { return disk_.Exists(path); }
  Result<void> Remove(const std::string& path) override { return disk_.Remove(path); }
  Result<void> Rename(const std::string& from, const std::string& to) override {
    return disk_.Rename(from, to);
  }
  Result<void> CreateFolders(const std::string& path) override { return disk_.CreateFolders(path); }
  Result<std::vector<std::string>> List(const std::string& path) override { return disk_.List(path); }
  Result<void> SyncDirectory(const std::string& path) override { return disk_.SyncDirectory(path); }
  Result<uint64_t> FreeBytes(const std::string& path) override { return disk_.FreeBytes(path); }

 private:
  runtime::Disk& disk_;
  SyncGate& gate_;
};

// Everything but the disk is the real core's; fibers are started on that one.
class GatedCore final : public runtime::Core {
 public:
  GatedCore(runtime::RealCore& core, SyncGate& gate) : core_(core), disk_(core.disk(), gate) {}
  void Post(std::function<void()> task) override { core_.Post(std::move(task)); }
  runtime::TimePoint Now() const override { return core_.Now(); }
  int64_t UnixMilliseconds() const override { return core_.UnixMilliseconds(); }
  TimerId StartTimer(runtime::TimePoint at, std::function<void()> task) override {
    return core_.StartTimer(at, std::move(task));
  }
  void CancelTimer(TimerId id) override { core_.CancelTimer(id); }
  void RunOffCore(std::function<void()> work) override { core_.RunOffCore(std::move(work)); }
  void FillRandom(MutableBytes bytes) override { core_.FillRandom(bytes); }
  runtime::Network& network() override { return core_.network(); }
  runtime::Disk& disk() override { return disk_; }

 private:
  runtime::RealCore& core_;
  GatedDisk disk_;
};

}  // namespace tradewind::catalog
