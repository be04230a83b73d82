// From results to the JSON of Hrana. Results are kept as text from here on: a gateway passes them through as
// they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hrana/request.h"
#include "sql/value.h"

namespace tradewind::hrana {

// A value as {"type": ..., "value"|"base64": ...}. An infinity or NaN becomes null: JSON has none, and a
// client that reads "float" expects a number.
void AppendValue(std::string& out, const sql::Value& value);

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

// For another node; DecodeRequest reads it. Stored SQL should have been resolved: ids mean nothing there.
std::string EncodeRequest(const StreamRequest& request);

}  // namespace tradewind::hrana
