// tradewind sql --tenants GLOB FILE: one migration for many tenants, each once.
//
// At each tenant the statements run in one transaction, and with them a row of `tradewind_migrations` (the file's name
// and the hash of its text) is inserted: a tenant has all of the migration and its row, or nothing of either. So a
// second run, after a failure, a crash of this program or an answer that was lost, goes on with the tenants that lack
// it, and one that has it is left alone. A tenant that has a migration of that name with another text is a failure:
// what was applied is never taken for something else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/client_command.h"

namespace tradewind::cli {

struct Migration {
  std::string name;  // What it is known by at the tenants.
  std::string hash;  // Of its text.
  std::vector<std::string> statements;
};

// Fails with SQL_NO_STATEMENT; with MIGRATION_HAS_TRANSACTION where a statement begins or ends a transaction, or cannot
// run in one (VACUUM), or has no effect in one (PRAGMA foreign_keys).
Result<Migration> MakeMigration(std::string name, std::string_view sql);

// "*" is any text, "?" any character, "[a-c]" one of these; the whole name must match.
bool MatchesGlob(const std::string& glob, const std::string& name);

struct MigrationOptions {
  std::string tenants;  // A glob.
  std::string file;
  uint32_t parallel = 8;  // Tenants at a time.
  bool dry_run = false;   // Say who lacks it; change nothing.
};

// Prints what became of it, with a line for each tenant that failed. Fails with TENANTS_NOT_MATCHED (kNotFound), with
// MIGRATION_INCOMPLETE when any tenant failed, with INTERRUPTED after Ctrl-C, which lets what has begun end. Suspends.
Result<void> RunMigration(ClientContext& context, const MigrationOptions& options);

}  // namespace tradewind::cli
