// The main file of a database, before SQLite sees it: what a new one holds, and whether an old one is still
// there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/disk.h"

namespace tradewind::sqlite {

// The file of a database is missing, empty, or shorter than it must be.
inline constexpr std::string_view kFileGoneCode = "DATABASE_FILE_GONE";  // kCorrupt.

// Writes an empty database with a write-ahead log into an empty file, as SQLite would. Does not sync it. So
// a database that was made has bytes from its first moment on, and an empty file is always a lost one.
Result<void> WriteEmptyDatabase(runtime::File& file);

// As its header says; 0 when it has none. Suspends.
Result<uint32_t> PageSizeOf(runtime::File& file);

// Fails with DATABASE_FILE_GONE when the main file at `path` cannot be all of the database that was there: it
// is missing, or empty, or shorter than `least_bytes` or than its own header says while there is no WAL that
// may hold the rest. To be asked before a connection is opened: SQLite makes a new database of an empty main
// file, and deletes the WAL beside it, which may hold all that is left. Suspends.
Result<void> CheckDatabaseFile(runtime::Disk& disk, const std::string& path, uint64_t least_bytes = 1);
// The same of a file that was made, and perhaps not synced before a loss of power: it may have its size and hold zeros.
Result<void> CheckMadeDatabase(runtime::Disk& disk, const std::string& path);
// Such a file, that nobody has opened, is durable with its name when this returns. Suspends.
Result<void> MakeDurable(runtime::Disk& disk, const std::string& path);

// Whether beside the main file at `path` lies a WAL that may hold what the file lacks: one that begins as SQLite's
// do. (That of a tenant that was closed for idleness does not, commit_log.h.) Suspends.
Result<bool> MayWalHoldMore(runtime::Disk& disk, const std::string& path);

}  // namespace tradewind::sqlite
