// How an Error looks to a Hrana client: the one place that maps kinds and codes to the protocol and to HTTP
// statuses.
#pragma once

#include <string>

#include "base/result.h"

namespace tradewind::hrana {

// {"message": ..., "code": ...}. The code is the error's own, or one for its kind: it is always a string. One of
// SQLite's extended codes goes into "extended_code" beside its base code.
// What to do next joins the message, since the protocol has no place for it.
void AppendError(std::string& out, const Error& error);

// The failure of a whole HTTP request, after which the stream is no longer valid.
struct HttpFailure {
  int status = 500;
  std::string content_type;
  std::string body;
};
// 400: {"message", "code"} (clients read them), except for a bad baton, which is plain text; other statuses:
// {"error", "code"}.
HttpFailure ToHttpFailure(const Error& error);

// The codes that this protocol gives a meaning of its own.
inline constexpr std::string_view kStreamExpired = "STREAM_EXPIRED";
inline constexpr std::string_view kBatonInvalid = "BATON_INVALID";
inline constexpr std::string_view kTooManyStreams = "TOO_MANY_STREAMS";
inline constexpr std::string_view kTooManyRequests = "TOO_MANY_REQUESTS";
inline constexpr std::string_view kBusySnapshot = "SQLITE_BUSY_SNAPSHOT";
inline constexpr std::string_view kResponseTooLarge = "RESPONSE_TOO_LARGE";
inline constexpr std::string_view kSqlStoreTooMany = "SQL_STORE_TOO_MANY";
inline constexpr std::string_view kSqlInputError = "SQL_INPUT_ERROR";

}  // namespace tradewind::hrana
