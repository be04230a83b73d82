// Logging, on stderr through spdlog; one line an event. Results of commands go to stdout, never through here. log.cc
// alone reads spdlog: what it puts into each file that logs takes longer to compile than most of these files.
#pragma once

#include <fmt/core.h>

#include <string_view>

namespace tradewind::log {

enum class Level { kInfo, kWarn, kError };

// Without memory for the line it says that instead.
void Write(Level level, fmt::string_view format, fmt::format_args arguments);

template <typename... Arguments>
void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  Write(Level::kInfo, format, fmt::make_format_args(arguments...));
}
template <typename... Arguments>
void warn(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  Write(Level::kWarn, format, fmt::make_format_args(arguments...));
}
template <typename... Arguments>
void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  Write(Level::kError, format, fmt::make_format_args(arguments...));
}

}  // namespace tradewind::log
