#include "settled_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

namespace tradewind::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto kCalmSync = 3ms;
constexpr int kCalmSyncs = 100;
constexpr auto kCalmPatience = 20s;

// The number of the error that it met, or 0. Blocks.
int SyncAndAwaitCalm(const std::string& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return errno;
  int failed = syncfs(descriptor) == 0 ? 0 : errno;
  const auto patience = std::chrono::steady_clock::now() + kCalmPatience;
  for (int calm = 0; calm < kCalmSyncs && failed == 0;) {
    const auto began = std::chrono::steady_clock::now();
    if (began > patience) break;
    if (pwrite(descriptor, "calm", 4, 0) != 4 || fdatasync(descriptor) != 0) failed = errno;
    calm = std::chrono::steady_clock::now() - began < kCalmSync ? calm + 1 : 0;
  }
  close(descriptor);
  unlink(path.c_str());
  return failed;
}

}  // namespace

Result<void> SettleDisk(runtime::Core& core, const std::string& folder) {
  int failed = 0;
  core.RunOffCore([&] { failed = SyncAndAwaitCalm(folder + "/calm"); });
  if (failed == 0) return {};
  return Fail(ErrorKind::kIo, "DISK_UNUSABLE", folder + ": " + std::strerror(failed));
}

}  // namespace tradewind::bench
