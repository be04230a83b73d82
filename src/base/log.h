// Logging, on stderr through spdlog; one line an event, whatever is in it. Results of commands go to stdout, never through
// here. log.cc alone reads spdlog: what it puts into each file that logs takes longer to compile than most of these files.
//
//   text   [2026-11-30 02:00:00.123] [tradewind] [info] request id=ab-1 status=200
//   json   {"time":"2026-11-30T02:00:00.123+00:00","level":"info","event":"request","id":"ab-1","status":200}
//          (what is no event has its text as "message")
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

namespace tradewind::log {

enum class Level { kInfo, kWarn, kError };
enum class Format { kText, kJson };

// For the whole process; before it has a second thread.
void SetFormat(Format format);

struct Field {
  std::string_view name;
  std::variant<std::string_view, int64_t, double> value;
};
// Something that programs look for too: its name, and values with names of their own. Bytes that are no UTF-8 are written
// as '?'.
void Event(Level level, std::string_view event, std::initializer_list<Field> fields);

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
