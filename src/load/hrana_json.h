// Hrana's JSON as a client writes and reads it (HRANA_2_SPEC), on Boost.JSON. Pure functions; for .cc files
// only.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/value.h"

namespace tradewind::load {

// {"type":"execute","stmt":{...}}
boost::json::object ExecuteRequest(const sql::Statement& statement);
// A batch: BEGIN IMMEDIATE, each statement if the step before succeeded, COMMIT if all did, ROLLBACK if
// COMMIT did not.
boost::json::object TransactionRequest(const std::vector<sql::Statement>& statements);
// {"baton":...,"requests":[...]}; an empty baton opens a stream. With `then_close` a close request comes
// last.
std::string Pipeline(const std::string& baton, boost::json::array requests, bool then_close);

// The functions below fail with ANSWER_NOT_HRANA (kCorrupt) when the JSON does not have the shape that Hrana
// prescribes.
struct PipelineAnswer {
  std::string baton;  // Empty once the stream is closed.
  // For each request its result (null for a close), or its error.
  std::vector<Result<boost::json::value>> results;
};
Result<PipelineAnswer> ParsePipelineAnswer(std::string_view body);
Result<sql::StatementResult> ParseStatementResult(const boost::json::value& result);
// The steps of a batch in their order: a result, an error, or nothing for one that was skipped.
using StepOutcome = std::optional<Result<sql::StatementResult>>;
Result<std::vector<StepOutcome>> ParseBatchResult(const boost::json::value& result);

}  // namespace tradewind::load
