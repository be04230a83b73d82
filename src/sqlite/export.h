// A plain copy of a tenant's database, made while it is in use.
#pragma once

#include <string>

#include "base/result.h"
#include "sqlite/connection.h"

namespace tradewind::sqlite {

// Writes what `from` sees at one moment to a new file at `path`: one plain SQLite file, not in WAL mode,
// durable. `from` must be in autocommit and is used for nothing else meanwhile; others go on reading and
// writing. Fails with kExists when there is a file already; on another failure nothing is left at `path`.
// Suspends, also between pages, so that the core serves others.
Result<void> CopyToNewFile(Connection& from, const std::string& path);

}  // namespace tradewind::sqlite
