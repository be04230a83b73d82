// Assertions that stay on in release builds, for what cannot happen unless our own code is wrong.
#pragma once

namespace tradewind {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line, const char* why);
}  // namespace tradewind

// Ends the process with a message when `condition` is false: continuing would risk data.
#define TW_CHECK(condition, why)                                     \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::tradewind::CheckFailed(#condition, __FILE__, __LINE__, why); \
  } while (false)
