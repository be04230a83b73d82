// What an SQLite file must be before it becomes a tenant.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::admin {

// Checks that the file is a whole and sound SQLite database (header, page size, length, quick_check) and
// makes of it what a tenant's file is: in WAL mode, durable, with no other file beside it. Fails with
// NOT_A_DATABASE or DATABASE_DAMAGED (kInvalid), as the disk does, or as `keep_going`, which is asked now and
// then. On failure the file is of no use. Suspends.
Result<void> CheckImport(runtime::Core& core, const std::string& path,
                         const std::function<Result<void>()>& keep_going);

}  // namespace tradewind::admin
