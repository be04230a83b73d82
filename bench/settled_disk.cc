#include "settled_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "cli/disk_calm.h"

namespace tradewind::bench {

namespace {

constexpr std::chrono::seconds kPatience{20};

// The number of the error that it met, or 0. Blocks.
int SyncFileSystem(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int failed = syncfs(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  return failed;
}

}  // namespace

Result<void> SettleDisk(runtime::Core& core, const std::string& folder) {
  int failed = 0;
  core.RunOffCore([&] { failed = SyncFileSystem(folder); });
  if (failed != 0) return Fail(ErrorKind::kIo, "DISK_UNUSABLE", folder + ": " + std::strerror(failed));
  const auto syncs = cli::WaitUntilCalm(core, folder, kPatience, [] { return false; });
  if (!syncs) return tl::unexpected(syncs.error());
  return {};
}

}  // namespace tradewind::bench
