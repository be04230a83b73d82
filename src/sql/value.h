// SQL values, statements and results, free of sqlite3.h so that every layer above can use them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/memory_pool.h"

namespace tradewind::sql {

struct Blob {
  std::string bytes;
  auto operator<=>(const Blob&) const = default;
};

using Value = std::variant<std::monostate, int64_t, double, std::string, Blob>;  // monostate is NULL

struct Statement {
  std::string sql;                    // One statement; text after it must be white space or comments.
  std::vector<Value> arguments = {};  // For ?1, ?2, ... in order.
  std::vector<std::pair<std::string, Value>> named_arguments =
      {};                 // Names with or without their ':', '@' or '$'.
  bool want_rows = true;  // false drops the rows (the statement still runs to its end).
};

struct Column {
  std::string name;
  std::optional<std::string> declared_type;
};

struct StatementResult {
  std::vector<Column> columns;
  std::vector<std::vector<Value>> rows;
  uint64_t affected_row_count = 0;  // 0 for SELECT and DDL.
  std::optional<int64_t> last_insert_rowid;
  uint64_t rows_read = 0;
  uint64_t rows_written = 0;
  double duration_ms = 0;
  MemoryCharge held{MemoryKind::kAnswers};  // What the rows take, and what is made of them.
};

struct Parameter {
  std::optional<std::string> name;
};

struct Description {
  std::vector<Parameter> parameters;
  std::vector<Column> columns;
  bool is_explain = false;
  bool is_readonly = false;
};

}  // namespace tradewind::sql
