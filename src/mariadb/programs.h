// The programs of MariaDB on this machine. Nothing of them is linked or changed: they are Debian's, or whoever's.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const Version&) const = default;
  std::string ToString() const;
  // The first that stands in what a program says about itself: "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for ...".
  static std::optional<Version> Find(std::string_view text);
};
// The first with BACKUP STAGE, GTIDs and a redo log that changes its size while it is used.
inline constexpr Version kOldestVersion{10, 11, 0};

struct ServerPrograms {
  std::string mariadbd;
  std::string install_db;
  Version version = {};
};
struct BackupPrograms {
  std::string backup;
  std::string mbstream;
};

// Where programs are looked for: the folders of PATH, and those of system programs, which PATH often lacks.
std::vector<std::string> ProgramFolders();

// What an instance needs. kRefused: MARIADB_NOT_INSTALLED, MARIADB_TOO_OLD, each with the package and what to do;
// MARIADB_UNUSABLE where a program does not run. Suspends.
Result<ServerPrograms> FindServerPrograms(runtime::Core& core,
                                          const std::vector<std::string>& folders = ProgramFolders());
// What a move needs beside it. The same, and MARIADB_VERSIONS_DIFFER: a backup is of the server's own version or is no
// backup. Suspends.
Result<BackupPrograms> FindBackupPrograms(runtime::Core& core, const ServerPrograms& server,
                                          const std::vector<std::string>& folders = ProgramFolders());
// What reads a dump, and what makes one: `mariadb` and `mariadb-dump`. The errors of FindServerPrograms(). Suspends.
Result<std::string> FindClientProgram(runtime::Core& core,
                                      const std::vector<std::string>& folders = ProgramFolders());
Result<std::string> FindDumpProgram(runtime::Core& core,
                                    const std::vector<std::string>& folders = ProgramFolders());

}  // namespace tradewind::mariadb
