#include "mariadb/programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "base/limits.h"
#include "runtime/process.h"

namespace tradewind::mariadb {
namespace {

Result<std::string> FindProgram(const std::string& name, const std::string& package,
                                const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    std::string path = folder + "/" + name;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return Fail(ErrorKind::kRefused, "MARIADB_NOT_INSTALLED",
              fmt::format("the program {} of MariaDB {} or newer is on no path of this machine", name,
                          kOldestVersion.ToString()),
              fmt::format("install the package {} (Debian: apt-get install {}) and start the node again",
                          package, package));
}

Result<Version> VersionOf(runtime::Core& core, const std::string& program, const std::string& package) {
  TW_TRY_ASSIGN(const auto run, runtime::RunProgram(core, {program, "--no-defaults", "--version"}, "",
                                                    core.Now() + limits::kInstanceAnswer));
  const auto version = Version::Find(run.output);
  if (run.status != 0 || !version)
    return Fail(ErrorKind::kRefused, "MARIADB_UNUSABLE",
                fmt::format("{} --version ended with {} and said: {}", program, run.status, run.output),
                fmt::format("install the package {} again", package));
  if (*version < kOldestVersion)
    return Fail(ErrorKind::kRefused, "MARIADB_TOO_OLD",
                fmt::format("{} is of version {}, and {} is the oldest that instances can be of", program,
                            version->ToString(), kOldestVersion.ToString()),
                fmt::format("install a newer {} (Debian 12 has one)", package));
  return *version;
}

}  // namespace

std::string Version::ToString() const {
  return fmt::format("{}.{}.{}", major, minor, patch);
}

std::optional<Version> Version::Find(std::string_view text) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9') continue;
    Version version;
    const char* next = text.data() + at;
    const char* const end = text.data() + text.size();
    bool whole = true;
    for (int* part : {&version.major, &version.minor, &version.patch}) {
      if (part != &version.major) {
        whole = next != end && *next == '.';
        if (!whole) break;
        ++next;
      }
      const auto read = std::from_chars(next, end, *part);
      whole = read.ec == std::errc() && *part >= 0;
      if (!whole) break;
      next = read.ptr;
    }
    if (whole) return version;
  }
  return std::nullopt;
}

std::vector<std::string> ProgramFolders() {
  std::vector<std::string> folders;
  const char* const path = std::getenv("PATH");
  for (std::string_view rest = path ? path : ""; !rest.empty();) {
    const size_t end = rest.find(':');
    if (end > 0) folders.emplace_back(rest.substr(0, end));
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
  }
  folders.insert(folders.end(),
                 {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"});
  return folders;
}

Result<ServerPrograms> FindServerPrograms(runtime::Core& core, const std::vector<std::string>& folders) {
  const std::string package = "mariadb-server-core";
  ServerPrograms programs;
  TW_TRY_ASSIGN(programs.mariadbd, FindProgram("mariadbd", package, folders));
  TW_TRY_ASSIGN(programs.install_db, FindProgram("mariadb-install-db", package, folders));
  TW_TRY_ASSIGN(programs.version, VersionOf(core, programs.mariadbd, package));
  return programs;
}

Result<BackupPrograms> FindBackupPrograms(runtime::Core& core, const ServerPrograms& server,
                                          const std::vector<std::string>& folders) {
  const std::string package = "mariadb-backup";
  BackupPrograms programs;
  TW_TRY_ASSIGN(programs.backup, FindProgram("mariadb-backup", package, folders));
  TW_TRY_ASSIGN(programs.mbstream, FindProgram("mbstream", package, folders));
  TW_TRY_ASSIGN(const Version version, VersionOf(core, programs.backup, package));
  if (version != server.version)
    return Fail(ErrorKind::kRefused, "MARIADB_VERSIONS_DIFFER",
                fmt::format("{} is of version {}, and {} of {}", programs.backup, version.ToString(),
                            server.mariadbd, server.version.ToString()),
                "install the packages mariadb-backup and mariadb-server-core of one version");
  return programs;
}

Result<std::string> FindClientProgram(runtime::Core& core, const std::vector<std::string>& folders) {
  const std::string package = "mariadb-client-core";
  TW_TRY_ASSIGN(std::string program, FindProgram("mariadb", package, folders));
  TW_TRY(VersionOf(core, program, package));
  return program;
}

Result<std::string> FindDumpProgram(runtime::Core& core, const std::vector<std::string>& folders) {
  const std::string package = "mariadb-client";
  TW_TRY_ASSIGN(std::string program, FindProgram("mariadb-dump", package, folders));
  TW_TRY(VersionOf(core, program, package));
  return program;
}

}  // namespace tradewind::mariadb
