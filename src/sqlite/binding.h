// How values go into a statement and come out of it.
#pragma once

#include <vector>

#include "base/result.h"
#include "sql/row_sink.h"
#include "sql/value.h"

struct sqlite3_stmt;

namespace tradewind::sqlite {

// Binds a statement's arguments without copying: they must stay until the bindings are cleared. A named
// argument wins over a positional one of the same parameter. Fails with ARGS_INVALID when a parameter has no
// argument (but for EXPLAIN) or an argument no parameter, as Hrana wants it.
Result<void> BindArguments(sqlite3_stmt* handle, const sql::Statement& statement);

std::vector<sql::Column> ColumnsOf(sqlite3_stmt* handle);
std::vector<sql::Value> CurrentRow(sqlite3_stmt* handle);
// The same without copies: they hold until the statement takes its next step.
void ViewCurrentRow(sqlite3_stmt* handle, std::vector<sql::ValueView>& row);
// What a row takes in memory and, roughly, in an answer.
size_t SizeOf(const std::vector<sql::Value>& row);
size_t SizeOf(const std::vector<sql::ValueView>& row);

}  // namespace tradewind::sqlite
