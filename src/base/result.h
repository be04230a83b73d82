// Errors as values. An Error says what went wrong for three readers: a program (code), a person (message),
// and the person who has to act now (action). Exceptions end at the library that throws them.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace tradewind {

// What a caller can do about an error; HTTP statuses and exit codes are derived from it in one place each.
enum class ErrorKind {
  kInvalid,      // The request is wrong and stays wrong.
  kNotFound,     // The thing named does not exist.
  kExists,       // The thing to be made exists already.
  kRefused,      // The state of the thing forbids it now.
  kUnavailable,  // Not now: a retry may succeed.
  kTimeout,      // A deadline passed; the outcome is unknown unless the code says otherwise.
  kUnauthorized,
  kTooLarge,  // A limit of base/limits.h or of the tenant.
  kIo,        // A disk or network call failed.
  kCorrupt,   // Stored or received bytes are not what was written.
  kInternal,  // A defect of ours.
};

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string code;     // Stable, UPPER_SNAKE_CASE, e.g. "TENANT_NOT_FOUND", "SQLITE_CONSTRAINT".
  std::string message;  // One sentence for a person, naming the thing concerned.
  std::string action;   // What to do next; may be empty when the message says it.
};

// The value of a call that can fail, or the Error.
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(tl::unexpected<Error> error) : tl::expected<T, Error>(std::move(error)) {}
};

inline tl::unexpected<Error> Fail(ErrorKind kind, std::string code, std::string message,
                                  std::string action = {}) {
  return tl::unexpected<Error>(Error{kind, std::move(code), std::move(message), std::move(action)});
}
inline tl::unexpected<Error> Fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// "message; action" for logs and terminals.
std::string Describe(const Error& error);
std::string_view KindName(ErrorKind kind);

}  // namespace tradewind

#define TW_CONCAT_INNER(a, b) a##b
#define TW_CONCAT(a, b) TW_CONCAT_INNER(a, b)

// Returns the error of `expression` from the calling function, if it has one.
#define TW_TRY(expression)                                      \
  do {                                                          \
    if (auto tw_result = (expression); !tw_result) [[unlikely]] \
      return ::tradewind::Fail(std::move(tw_result).error());   \
  } while (false)

// Declares `declaration` from the value of `expression`, or returns its error: TW_TRY_ASSIGN(auto file,
// Open(p));
#define TW_TRY_ASSIGN(declaration, expression)                                    \
  auto TW_CONCAT(tw_result_, __LINE__) = (expression);                            \
  if (!TW_CONCAT(tw_result_, __LINE__)) [[unlikely]]                              \
    return ::tradewind::Fail(std::move(TW_CONCAT(tw_result_, __LINE__)).error()); \
  declaration = std::move(*TW_CONCAT(tw_result_, __LINE__))
