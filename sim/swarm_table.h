// The one table of the swarm's tenants. Nothing in it is unique, so that a statement that ran twice shows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sqlite/value.h"

namespace tradewind::sim {

inline constexpr int64_t kLetters = 26;
// The filler repeats a letter that follows from the id.
inline constexpr std::string_view kInsert = "INSERT INTO note VALUES (?, ?, ?)";
inline constexpr std::string_view kReadAll =
    "SELECT id, tenant, length(filler), trim(filler, char(97 + id % 26)) = '' FROM note";
inline constexpr std::string_view kReadSession = "SELECT last_insert_rowid(), changes(), total_changes()";

inline sqlite::Statement Plain(std::string_view sql) {
  return {.sql = std::string(sql)};
}

inline std::vector<sqlite::Statement> MakeTable() {
  return {Plain("CREATE TABLE IF NOT EXISTS note (id INTEGER NOT NULL, tenant TEXT NOT NULL, filler TEXT)"),
          Plain("CREATE INDEX IF NOT EXISTS note_by_id ON note (id)")};
}

}  // namespace tradewind::sim
