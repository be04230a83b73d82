#include "tenant/removed_files.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/path.h"
#include "runtime/call_on.h"
#include "runtime/disk.h"

namespace tradewind::tenant {

namespace {

constexpr std::chrono::milliseconds kPause{10};  // Between two pieces: some 600 MB/s.

}  // namespace

Result<void> RemovedFiles::Start() {
  runtime::Disk& disk = core_.disk();
  TW_TRY(disk.CreateFolders(folder_));
  TW_TRY(disk.SyncDirectory(FolderOf(folder_)));
  TW_TRY_ASSIGN(const std::vector<std::string> left, disk.List(folder_));
  queue_.assign(left.begin(), left.end());
  fibers_.Spawn("remove files", [this] { Loop(); });
  return {};
}

Result<void> RemovedFiles::Take(const std::string& path) {
  return runtime::CallOn(core_, [&] { return TakeHere(path); });
}

Result<void> RemovedFiles::TakeHere(const std::string& path) {
  runtime::Disk& disk = core_.disk();
  const auto file = disk.Open(path, runtime::OpenMode::kExisting);
  if (!file && file.error().kind == ErrorKind::kNotFound) return {};
  if (!file) return Fail(file.error());
  TW_TRY_ASSIGN(const uint64_t size, (*file)->Size());
  if (size <= kPieceBytes) return disk.Remove(path);
  std::string name;
  for (bool taken = true; taken;) {
    name = std::to_string(++next_name_);
    TW_TRY_ASSIGN(taken, disk.Exists(folder_ + "/" + name));
  }
  TW_TRY(disk.Rename(path, folder_ + "/" + name));
  queue_.push_back(name);
  changed_.NotifyAll();
  return {};
}

void RemovedFiles::Stop() {
  stopping_ = true;
  changed_.NotifyAll();
  fibers_.Join();
}

void RemovedFiles::Loop() {
  while (!stopping_) {
    if (queue_.empty()) {
      changed_.Wait();
      continue;
    }
    const std::string path = folder_ + "/" + queue_.front();
    if (Result<void> removed = CutAway(path); !removed)
      log::error("{} could not be removed: {}; the next start of the node tries again", path,
                 Describe(removed.error()));
    queue_.pop_front();
  }
}

Result<void> RemovedFiles::CutAway(const std::string& path) {
  TW_TRY_ASSIGN(const auto file, core_.disk().Open(path, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(uint64_t size, file->Size());
  while (size > kPieceBytes) {
    size -= kPieceBytes;
    Result<void> cut;
    core_.RunOffCore([&] { cut = file->Truncate(size); });
    TW_TRY(cut);
    if (stopping_) return {};
    runtime::SleepFor(kPause);
    if (stopping_) return {};
  }
  return core_.disk().Remove(path);
}

}  // namespace tradewind::tenant
