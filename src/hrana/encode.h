// From results to the JSON of Hrana. Results are kept as text from here on: a gateway passes them through as
// they are.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hrana/request.h"
#include "sql/row_sink.h"
#include "sql/value.h"

namespace tradewind::hrana {

// A value as {"type": ..., "value"|"base64": ...}. An infinity or NaN becomes null: JSON has none, and a
// client that reads "float" expects a number.
void AppendValue(std::string& out, const sql::ValueView& value);

// {"cols", "rows", "affected_row_count", "last_insert_rowid", "rows_read", "rows_written",
// "query_duration_ms"}. False once it would be longer than `limit` bytes; `out` is then as before.
bool AppendStatementResult(std::string& out, const sql::StatementResult& result, size_t limit);

// {"params", "cols", "is_explain", "is_readonly"}.
void AppendDescription(std::string& out, const sql::Description& description);

// A whole stream result of a failed request: {"type": "error", "error": {"message", "code"}}.
std::string EncodeErrorResult(const Error& error);
// A whole stream result with nothing but its type: {"type": "ok", "response": {"type": type}}.
std::string EncodeEmptyResult(std::string_view type);

// The body that answers a pipeline. No baton: the stream is closed. Each result is given back as soon as it is in the
// body, so that there is little more than one of both at a time.
std::string EncodePipelineResponse(const std::optional<std::string>& baton, std::vector<std::string> results);

// The entries of a cursor, each a line of JSON with its line feed. What goes wrong with a step is its own; an error ends
// the cursor.
void AppendStepBegin(std::string& out, size_t step, const std::vector<sql::Column>& columns);
void AppendRow(std::string& out, std::span<const sql::ValueView> row);
void AppendStepEnd(std::string& out, const sql::StatementResult& result);
void AppendStepError(std::string& out, size_t step, const Error& error);
void AppendErrorEntry(std::string& out, const Error& error);
// The line that goes before them over HTTP.
std::string EncodeCursorStart(const std::optional<std::string>& baton);

// What HTTP version 1 answers, by the result of a request: {"result": ...}, or the error alone, which is false.
bool EncodeAlone(std::string& result);

// For another node; DecodeRequest reads it. Stored SQL should have been resolved: ids mean nothing there.
std::string EncodeRequest(const StreamRequest& request);

}  // namespace tradewind::hrana
