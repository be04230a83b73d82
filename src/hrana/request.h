// What a client asks of its stream (Hrana 2 and 3), as plain structures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sql/value.h"

namespace tradewind::hrana {

// SQL given as text, or by the number under which the client has stored it (SqlStore). Never both; once
// resolved, a text.
struct SqlText {
  std::string sql;
  std::optional<int32_t> sql_id;
};

struct StatementRequest {
  sql::Statement statement;  // Without its SQL while sql_id is set.
  std::optional<int32_t> sql_id;
};

// Whether a step of a batch runs, by what became of earlier ones. A step that was skipped is neither ok nor
// an error.
struct Condition {
  enum class Kind { kOk, kError, kNot, kAnd, kOr, kIsAutocommit };
  Kind kind = Kind::kIsAutocommit;
  uint32_t step = 0;                  // kOk, kError; always an earlier step.
  std::vector<Condition> conditions;  // kNot (one), kAnd, kOr.
};

struct BatchStep {
  std::optional<Condition> condition;
  StatementRequest statement;
};

struct Close {};
struct Execute {
  StatementRequest statement;
};
struct Batch {
  std::vector<BatchStep> steps;
};
struct Sequence {
  SqlText sql;
};
struct DescribeSql {
  SqlText sql;
};
struct StoreSql {
  int32_t sql_id = 0;
  std::string sql;
};
struct CloseSql {
  int32_t sql_id = 0;
};
struct GetAutocommit {};

using StreamRequest =
    std::variant<Close, Execute, Batch, Sequence, DescribeSql, StoreSql, CloseSql, GetAutocommit>;

struct PipelineRequest {
  std::optional<std::string> baton;
  std::vector<StreamRequest> requests;
};

}  // namespace tradewind::hrana
