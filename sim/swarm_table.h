// The one table of the swarm's tenants. Nothing in it is unique, so that a statement that ran twice shows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/random.h"
#include "sql/value.h"

namespace tradewind::sim {

inline constexpr int64_t kLetters = 26;
// The mark is DurabilityChecker's. The filler repeats a letter that follows from the id.
inline constexpr std::string_view kInsert = "INSERT INTO note VALUES (?, ?, ?, ?)";
inline constexpr std::string_view kReadAll =
    "SELECT id, tenant, length(filler), trim(filler, char(97 + id % 26)) = '' FROM note";
inline constexpr std::string_view kReadSession = "SELECT last_insert_rowid(), changes(), total_changes()";

sql::Statement Plain(std::string_view sql);
std::vector<sql::Statement> MakeTable();

// Of a filler; some rows are larger than a page.
uint64_t DrawLength(Random& random);

}  // namespace tradewind::sim
