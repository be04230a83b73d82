// What a statement returned, as text for a person or JSON for a program.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "sql/value.h"

namespace tradewind::cli {

// How the prompt shows rows.
enum class RowMode { kTable, kList, kCsv, kJson, kLine };
// "table", "list", "csv", "json", "line".
std::optional<RowMode> ParseRowMode(std::string_view name);

// The rows of a result, each line with its end; empty for a statement that has no columns. kJson is one array of
// objects; integers stay exact.
std::string RowsText(const sql::StatementResult& result, RowMode mode);

// {columns, rows, affected_row_count, last_insert_rowid}
boost::json::value ResultJson(const sql::StatementResult& result);

}  // namespace tradewind::cli
