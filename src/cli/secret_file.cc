#include "cli/secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/ascii.h"
#include "base/path.h"
#include "runtime/file_descriptor.h"

namespace tradewind::cli {
namespace {

constexpr size_t kSecretFileBytes = 4096;  // At most.

std::string CodeOf(const SecretFile& of, std::string_view what) {
  return fmt::format("{}_{}", of.code, what);
}

tl::unexpected<Error> Exposed(const std::string& path, const std::string& why, const std::string& action,
                              const SecretFile& of) {
  return Fail(ErrorKind::kRefused, CodeOf(of, "EXPOSED"),
              fmt::format("the file of {}, {}, may be known to others: {}", of.name, path, why), action);
}

}  // namespace

tl::unexpected<Error> SecretUnreadable(std::string_view what, const std::string& path, const SecretFile& of) {
  return Fail(ErrorKind::kIo, CodeOf(of, "UNREADABLE"),
              fmt::format("the file of {}, {}, cannot be {}: {}", of.name, path, what, std::strerror(errno)),
              fmt::format("let this user have it, or name another with {}", of.option));
}

// Nobody else may put another file in its place.
Result<void> CheckSecretFolder(const std::string& path, const SecretFile& of) {
  const std::string folder = FolderOf(path);
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return SecretUnreadable("reached", path, of);
  }
  const bool trusted = status.st_uid == geteuid() || status.st_uid == 0;
  // In a folder with the sticky bit others may add files, and not replace ours.
  const bool closed = (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (status.st_mode & S_ISVTX) != 0;
  if (trusted && closed) return {};
  return Exposed(
      path, fmt::format("others may write to the folder {}", folder),
      fmt::format("chmod go-w {}, or name a file in a folder of your own with {}", folder, of.option), of);
}

Result<std::string> ReadSecretFile(const std::string& path, const SecretFile& of) {
  const runtime::FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    if (errno != ENOENT) return SecretUnreadable("read", path, of);
    return Fail(
        ErrorKind::kNotFound, CodeOf(of, "MISSING"), "there is no file " + path,
        fmt::format("make one that only this user can read, with {} characters or more, the same for all "
                    "nodes: (umask 077; openssl rand -hex 32 > {})",
                    kSecretBytes, path));
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return SecretUnreadable("read", path, of);
  if (!S_ISREG(status.st_mode))
    return Fail(ErrorKind::kRefused, CodeOf(of, "INVALID"), path + " is no plain file",
                fmt::format("name a file with {}", of.option));
  if (status.st_uid != geteuid() && status.st_uid != 0)
    return Exposed(path, "it belongs to another user", "run as that user, or make a file of your own", of);
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return Exposed(path, "its mode lets others have it",
                   "make a new secret if others use this machine; then chmod 600 " + path, of);
  TW_TRY(CheckSecretFolder(path, of));
  std::array<char, kSecretFileBytes + 1> bytes{};
  const ssize_t size = read(file.get(), bytes.data(), bytes.size());
  if (size < 0) return SecretUnreadable("read", path, of);
  const bool too_long = static_cast<size_t>(size) == bytes.size();
  const std::string_view text = Trimmed({bytes.data(), static_cast<size_t>(size)});
  if (!too_long && text.size() >= kSecretBytes) return std::string(text);
  return Fail(
      ErrorKind::kRefused, CodeOf(of, "INVALID"),
      fmt::format(
          "what is in {} is too {} for {}: it has {} characters at least, in a file of {} bytes at most",
          path, too_long ? "long" : "short", of.name, kSecretBytes, kSecretFileBytes),
      "make another, the same for all nodes: openssl rand -hex 32");
}

}  // namespace tradewind::cli
