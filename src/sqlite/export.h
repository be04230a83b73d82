// A plain copy of a tenant's database, made while it is in use.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "sqlite/connection.h"

namespace tradewind::sqlite {

// Writes what `from` sees to a new file at `path`: one plain SQLite file, not in WAL mode, durable. `from`
// holds a snapshot and is used for nothing else meanwhile; others go on reading and writing. Calls
// `on_progress` every limits::kExportPages pages, where it may suspend; its error ends the copy. Fails with
// kExists when there is a file already; on another failure nothing is left at `path`. Suspends.
Result<void> CopyToNewFile(Connection& from, const std::string& path,
                           const std::function<Result<void>()>& on_progress);

}  // namespace tradewind::sqlite
