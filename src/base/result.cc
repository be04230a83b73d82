#include "base/result.h"

namespace tradewind {

std::string Describe(const Error& error) {
  std::string text = error.code + ": " + error.message;
  if (!error.action.empty()) text += "; " + error.action;
  return text;
}

std::string_view KindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid: return "invalid";
    case ErrorKind::kNotFound: return "not_found";
    case ErrorKind::kExists: return "exists";
    case ErrorKind::kRefused: return "refused";
    case ErrorKind::kUnavailable: return "unavailable";
    case ErrorKind::kTimeout: return "timeout";
    case ErrorKind::kUnauthorized: return "unauthorized";
    case ErrorKind::kTooLarge: return "too_large";
    case ErrorKind::kIo: return "io";
    case ErrorKind::kCorrupt: return "corrupt";
    case ErrorKind::kInternal: return "internal";
  }
  return "internal";
}

}  // namespace tradewind
