#include "cli/exit_code.h"

#include <fmt/format.h>

#include <cstdio>

namespace tradewind::cli {

ExitCode ExitCodeOf(const Error& error) {
  if (error.code == kUnreachableCode || error.code == "CLUSTER_UNREACHABLE") return ExitCode::kUnreachable;
  if (error.code == kInterruptedCode) return ExitCode::kInterrupted;
  switch (error.kind) {
    case ErrorKind::kInvalid: return ExitCode::kUsage;
    case ErrorKind::kNotFound: return ExitCode::kNotFound;
    case ErrorKind::kExists:
    case ErrorKind::kRefused: return ExitCode::kRefused;
    case ErrorKind::kUnavailable:
    case ErrorKind::kTimeout:
    case ErrorKind::kUnauthorized:
    case ErrorKind::kTooLarge:
    case ErrorKind::kIo:
    case ErrorKind::kCorrupt:
    case ErrorKind::kInternal: return ExitCode::kFailed;
  }
  return ExitCode::kFailed;
}

ExitCode Report(const Error& error) {
  fmt::print(stderr, "tradewind: {}\n", error.message);
  if (!error.action.empty()) fmt::print(stderr, "  hint: {}\n", error.action);
  return ExitCodeOf(error);
}

tl::unexpected<Error> NotThereYet(std::string_view what) {
  return Fail(ErrorKind::kRefused, "NOT_THERE_YET", fmt::format("{} is not there yet", what));
}

}  // namespace tradewind::cli
