// How a command ends, as scripts see it, and the sentence that goes with a failure.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tradewind::cli {

enum class ExitCode {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kRefused = 4,        // By the state of the thing, or because the program has no such ability yet.
  kUnreachable = 5,    // No answer from the cluster.
  kInterrupted = 130,  // 128 + SIGINT, as shells report it.
};

// The code of errors that mean that no node answered: of kUnavailable this, and a node's CLUSTER_UNREACHABLE, are
// kUnreachable.
inline constexpr std::string_view kUnreachableCode = "NODE_UNREACHABLE";
// The code of a command that the user ended.
inline constexpr std::string_view kInterruptedCode = "INTERRUPTED";

ExitCode ExitCodeOf(const Error& error);

// "tradewind: MESSAGE" and "  hint: ACTION" on stderr; returns ExitCodeOf(error).
ExitCode Report(const Error& error);

// What the contract has and the program does not: kRefused, code NOT_THERE_YET.
tl::unexpected<Error> NotThereYet(std::string_view what);

}  // namespace tradewind::cli
