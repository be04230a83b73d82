#include "program/private_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

namespace tradewind::program {
namespace {

namespace files = std::filesystem;

constexpr mode_t kOfOthers = S_IRWXG | S_IRWXO;

tl::unexpected<Error> Exposed(const std::string& path, const std::string& why) {
  return Fail(ErrorKind::kRefused, "DATA_FOLDER_EXPOSED",
              fmt::format("other users have rights to {}, and they cannot be taken from them: {}", path, why),
              "give the folder to the user who runs the node (chown -R), or chmod -R go-rwx it");
}

// DATA/journal, DATA/journal.3, DATA/catalog.db-wal (node/node.h).
bool IsOfANode(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "node", "journal", "catalog.db", "drain", "lock", "tenants", "removed", "transfers", "templates"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view known) {
    return name.starts_with(known) &&
           (name.size() == known.size() || name[known.size()] == '.' || name[known.size()] == '-');
  });
}

// Through the name and not a descriptor: a file may be one that cannot be opened. Nobody else can put a link in its
// place, since the folder was narrowed before.
Result<void> Narrow(const std::string& path, Narrowed& narrowed) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return Exposed(path, std::strerror(errno));
  }
  if (S_ISLNK(status.st_mode) || (status.st_mode & kOfOthers) == 0) return {};
  if (chmod(path.c_str(), status.st_mode & 07777 & ~kOfOthers) != 0)
    return Exposed(path, std::strerror(errno));
  ++narrowed.entries;
  return {};
}

}  // namespace

void MakePrivateFiles() {
  umask(kOfOthers);
  // MariaDB's programs have no regard for the umask, but for these.
  setenv("UMASK", "0600", 1);
  setenv("UMASK_DIR", "0700", 1);
}

Result<Narrowed> KeepPrivate(const std::string& folder) {
  Narrowed narrowed;
  // The user's own name for it may be a link.
  std::error_code failed;
  const std::string root = files::canonical(folder, failed).string();
  if (failed) return Exposed(folder, failed.message());
  struct stat status {};
  if (stat(root.c_str(), &status) != 0) return Exposed(root, std::strerror(errno));
  bool is_alone = status.st_uid == geteuid();
  std::vector<std::string> own;
  for (files::directory_iterator entry(root, failed), end; !failed && entry != end; entry.increment(failed)) {
    const bool is_own = IsOfANode(entry->path().filename().string());
    is_alone &= is_own;
    if (is_own) own.push_back(entry->path().string());
  }
  if (failed) return Exposed(root, failed.message());
  if (is_alone)
    TW_TRY(Narrow(root, narrowed));
  else
    narrowed.shares_folder = (status.st_mode & kOfOthers) != 0;
  for (const std::string& path : own) {
    TW_TRY(Narrow(path, narrowed));
    if (!files::is_directory(files::symlink_status(path, failed))) continue;
    files::recursive_directory_iterator inside(path, failed);
    for (const files::recursive_directory_iterator end; !failed && inside != end; inside.increment(failed)) {
      TW_TRY(Narrow(inside->path().string(), narrowed));
      // An instance's folder lets nobody in, and its server may run, and make and remove files, while this looks.
      if (inside->path().extension() == ".mariadb") inside.disable_recursion_pending();
    }
    if (failed) return Exposed(path, failed.message());
  }
  return narrowed;
}

}  // namespace tradewind::program
