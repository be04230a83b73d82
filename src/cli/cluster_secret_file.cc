#include "cli/cluster_secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/path.h"
#include "cli/secret_file.h"
#include "runtime/file_descriptor.h"

namespace tradewind::cli {
namespace {

constexpr SecretFile kSecret{"CLUSTER_SECRET", "the cluster's secret", "--cluster-secret-file"};

tl::unexpected<Error> Unreadable(const std::string& what, const std::string& path) {
  return SecretUnreadable(what, path, kSecret);
}

// Makes one folder for this user alone; an existing one stays as it is.
bool MakeFolder(const std::string& path) {
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

bool MakeFolders(const std::string& path) {
  std::string made;
  for (const auto& part : std::filesystem::path(path)) {
    made = made.empty() ? part.string() : (std::filesystem::path(made) / part).string();
    if (!MakeFolder(made)) return false;
  }
  return true;
}

std::optional<std::string> AbsoluteFromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  if (!value || value[0] != '/') return std::nullopt;
  return value;
}

// Whether it can hold the file: it is there or can be made, and takes a file.
bool CanHold(const std::string& folder) {
  std::string existing = folder;
  while (existing.size() > 1 && access(existing.c_str(), F_OK) != 0) existing = FolderOf(existing);
  return access(existing.c_str(), W_OK | X_OK) == 0;
}

Result<void> WriteWhole(int descriptor, std::string_view text, const std::string& path) {
  if (write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      fsync(descriptor) != 0)
    return Unreadable("written", path);
  return {};
}

std::string NewSecret() {
  std::array<unsigned char, kSecretBytes> random{};
  std::string text;
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) return text;
  for (const unsigned char byte : random) text += fmt::format("{:02x}", byte);
  return text;
}

// The file is linked to its name when it is whole; another node's that was there first stays.
Result<void> Make(const std::string& path) {
  if (!MakeFolders(FolderOf(path))) return Unreadable("made", path);
  const std::string secret = NewSecret();
  if (secret.empty()) return Unreadable("made", path);
  // A name of its own: processes in two containers may have the same id.
  const std::string draft = path + "." + NewSecret().substr(0, 16);
  {
    const runtime::FileDescriptor file(
        open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) return Unreadable("made", path);
    if (auto written = WriteWhole(file.get(), secret + "\n", path); !written) {
      unlink(draft.c_str());
      return written;
    }
  }
  const bool linked = link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST;
  const int why = errno;
  unlink(draft.c_str());
  errno = why;
  if (!linked) return Unreadable("made", path);
  const runtime::FileDescriptor folder(open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || fsync(folder.get()) != 0) return Unreadable("made durable", path);
  return {};
}

}  // namespace

std::string DefaultClusterSecretPath() {
  std::string folder = fmt::format("/tmp/tradewind-{}", geteuid());
  if (const auto state = AbsoluteFromEnvironment("XDG_STATE_HOME"); state && CanHold(*state + "/tradewind"))
    folder = *state + "/tradewind";
  else if (const auto home = AbsoluteFromEnvironment("HOME");
           home && CanHold(*home + "/.local/state/tradewind"))
    folder = *home + "/.local/state/tradewind";
  return folder + "/cluster-secret";
}

Result<net::ClusterSecret> ReadClusterSecret(const std::string& path) {
  TW_TRY_ASSIGN(std::string text, ReadSecretFile(path, kSecret));
  return net::ClusterSecret(std::move(text));
}

Result<net::ClusterSecret> ReadOrMakeClusterSecret(const std::string& path) {
  if (auto secret = ReadClusterSecret(path); secret || secret.error().code != "CLUSTER_SECRET_MISSING")
    return secret;
  TW_TRY(CheckSecretFolder(path, kSecret));
  TW_TRY(Make(path));
  return ReadClusterSecret(path);
}

void AddClusterSecretOption(Command command, std::string& path) {
  command
      .AddOption("--cluster-secret-file", path,
                 "What the nodes of the cluster know each other by, the same for all: 32 characters or "
                 "more, readable "
                 "for this user only; default: a file of this user, which its first node makes "
                 "(~/.local/state/tradewind/cluster-secret)")
      .FromEnvironment("TRADEWIND_CLUSTER_SECRET_FILE")
      .ValueName("FILE");
}

Result<net::ClusterSecret> LoadClusterSecret(const std::string& path) {
  return path.empty() ? ReadOrMakeClusterSecret(DefaultClusterSecretPath()) : ReadClusterSecret(path);
}

}  // namespace tradewind::cli
