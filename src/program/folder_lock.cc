#include "program/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace tradewind::program {
namespace {

tl::unexpected<Error> Unusable(const std::string& folder, const std::string& why) {
  return Fail(ErrorKind::kIo, "DATA_FOLDER_UNUSABLE",
              fmt::format("the data folder {} cannot be written to: {}", folder, why),
              "name a folder with --data that this user may write to");
}

// The process id that the holder has left in the file; empty when there is none.
std::string Holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  std::string holder(text.data(), size > 0 ? static_cast<size_t>(size) : 0);
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder;
}

}  // namespace

Result<std::unique_ptr<FolderLock>> FolderLock::Take(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Unusable(folder, failed.message());
  const std::string path = folder + "/lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return Unusable(folder, std::strerror(errno));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    const std::string holder = Holder(descriptor);
    close(descriptor);
    if (error != EWOULDBLOCK) return Unusable(folder, std::strerror(error));
    return Fail(
        ErrorKind::kRefused, "DATA_FOLDER_IN_USE",
        fmt::format("the data folder {} is in use by process {}", folder, holder.empty() ? "?" : holder),
        "stop that process, or name another folder with --data");
  }
  const std::string process = std::to_string(getpid()) + "\n";
  if (ftruncate(descriptor, 0) != 0 ||
      pwrite(descriptor, process.data(), process.size(), 0) != static_cast<ssize_t>(process.size())) {
    const std::string why = std::strerror(errno);
    close(descriptor);
    return Unusable(folder, why);
  }
  return std::unique_ptr<FolderLock>(new FolderLock(descriptor));
}

FolderLock::~FolderLock() {
  close(descriptor_);
}

}  // namespace tradewind::program
