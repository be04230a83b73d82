// For unit tests: a core with virtual time over real files, whose syncs and reads a test can hold back or
// make fail.
//
// Time stands still but for a tick at every look at the clock, which stands for computing, and jumps
// to the next timer when nothing is ready. So a test of a ten-second deadline takes no time, and every run is
// the same.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "runtime/core.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "runtime/real_disk.h"
#include "runtime/test_folder.h"
#include "runtime/timer_queue.h"

namespace tradewind::runtime {

// What a test does to the syncs of files, or to their reads.
struct CallControl {
  bool held = false;  // Calls wait for Release() or ReleaseOne().
  bool failing = false;
  size_t done = 0;
  size_t waiting = 0;
  WaitQueue released = {};

  void Release() {
    held = false;
    released.NotifyAll();
  }
  // The call that has waited longest goes on.
  void ReleaseOne() { released.NotifyOne(); }

  Result<void> Pass(const char* what) {
    if (held) {
      ++waiting;
      released.Wait();
      --waiting;
    }
    if (failing) return Fail(ErrorKind::kIo, "DISK_IO", std::string("the test makes this ") + what + " fail");
    ++done;
    return {};
  }
};

class ControlledFile final : public File {
 public:
  ControlledFile(std::unique_ptr<File> file, CallControl& syncs, CallControl& reads, CallControl& write_backs,
                 const bool& disk_full)
      : file_(std::move(file)),
        syncs_(syncs),
        reads_(reads),
        write_backs_(write_backs),
        disk_full_(disk_full) {}
  Result<size_t> Read(uint64_t offset, MutableBytes into) override {
    TW_TRY(reads_.Pass("read"));
    return file_->Read(offset, into);
  }
  Result<void> Write(uint64_t offset, Bytes bytes) override {
    if (disk_full_) {
      TW_TRY_ASSIGN(const uint64_t size, file_->Size());
      if (offset + bytes.size() > size)
        return Fail(ErrorKind::kTooLarge, "DISK_FULL", "the test has filled the disk");
    }
    return file_->Write(offset, bytes);
  }
  Result<void> Truncate(uint64_t size) override { return file_->Truncate(size); }
  Result<uint64_t> Size() override { return file_->Size(); }
  Result<void> Sync() override {
    TW_TRY(syncs_.Pass("sync"));
    return file_->Sync();
  }
  Result<void> WriteBack(std::span<const Range> ranges) override {
    TW_TRY(write_backs_.Pass("write-back"));
    return file_->WriteBack(ranges);
  }
  Result<void> Lock(Range range) override { return file_->Lock(range); }

 private:
  std::unique_ptr<File> file_;
  CallControl& syncs_;
  CallControl& reads_;
  CallControl& write_backs_;
  const bool& disk_full_;
};

class ControlledDisk final : public Disk {
 public:
  ControlledDisk(Core& core, CallControl& syncs, CallControl& reads, CallControl& write_backs,
                 const bool& disk_full)
      : disk_(MakeRealDisk(core)),
        syncs_(syncs),
        reads_(reads),
        write_backs_(write_backs),
        disk_full_(disk_full) {}
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    TW_TRY_ASSIGN(auto file, disk_->Open(path, mode));
    return std::unique_ptr<File>(
        new ControlledFile(std::move(file), syncs_, reads_, write_backs_, disk_full_));
  }
  Result<bool> Exists(const std::string& path) override { return disk_->Exists(path); }
  Result<void> Remove(const std::string& path) override { return disk_->Remove(path); }
  Result<void> Rename(const std::string& from, const std::string& to) override {
    return disk_->Rename(from, to);
  }
  Result<void> CreateFolders(const std::string& path) override { return disk_->CreateFolders(path); }
  Result<std::vector<std::string>> List(const std::string& path) override { return disk_->List(path); }
  Result<void> SyncDirectory(const std::string& path) override { return disk_->SyncDirectory(path); }
  Result<uint64_t> FreeBytes(const std::string& path) override { return disk_->FreeBytes(path); }

 private:
  std::unique_ptr<Disk> disk_;
  CallControl& syncs_;
  CallControl& reads_;
  CallControl& write_backs_;
  const bool& disk_full_;
};

class TestCore final : public Core {
 public:
  TestCore() : disk_(*this, syncs, reads, write_backs, disk_full) {}

  CallControl syncs;
  CallControl reads;
  CallControl write_backs;
  bool disk_full = false;  // No file grows.
  // What a look at the clock takes; longer ones make a busy minute short.
  Duration tick = std::chrono::microseconds(1);

  // Runs `body` as a fiber until it has returned, and then whatever is still ready.
  void Run(std::function<void()> body) {
    bool returned = false;
    Spawn("test", [&] {
      body();
      returned = true;
    });
    while (!returned || HasReady()) {
      const auto next = timers_.next();
      if (next && (*next <= now_ || !HasReady())) {
        now_ = std::max(now_, *next);
        Enqueue(timers_.Pop());
        continue;
      }
      if (!HasReady())
        for (const std::string& name : fiber_names())
          std::fprintf(stderr, "waits for ever: %s\n", name.c_str());
      TW_CHECK(HasReady(), "every fiber of the test waits");
      RunTurn();
    }
  }

  const std::string& folder() const { return folder_.path(); }

  void Post(std::function<void()> task) override { Enqueue(std::move(task)); }
  TimePoint Now() const override { return now_ += tick; }
  TimePoint TurnTime() const override { return now_; }
  int64_t UnixMilliseconds() const override {
    return 1'700'000'000'000 +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
  }
  TimerId StartTimer(TimePoint at, std::function<void()> task) override {
    return timers_.Start(at, std::move(task));
  }
  void CancelTimer(TimerId id) override { timers_.Cancel(id); }
  void RunOffCore(std::function<void()> work) override {
    work();
    if (CurrentFiber()) Yield();
  }
  void FillRandom(MutableBytes bytes) override {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_ = random_ * 6364136223846793005u + 1);
  }
  Network& network() override { CheckFailed("network()", __FILE__, __LINE__, "this core has no network"); }
  Disk& disk() override { return disk_; }

 private:
  mutable TimePoint now_{};
  uint64_t random_ = 1;
  TimerQueue timers_;
  ControlledDisk disk_;
  const TestFolder folder_;
};

}  // namespace tradewind::runtime
