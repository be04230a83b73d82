#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <new>

namespace tradewind::log {

static spdlog::level::level_enum LevelOf(Level level) {
  switch (level) {
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarn: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

void Write(Level level, fmt::string_view format, fmt::format_args arguments) {
  const spdlog::level::level_enum to = LevelOf(level);
  if (!spdlog::should_log(to)) return;
  try {
    spdlog::log(to, spdlog::string_view_t(fmt::vformat(format, arguments)));
  } catch (const std::bad_alloc&) {
    spdlog::log(to, spdlog::string_view_t("there was no memory to say what happened"));
  }
}

}  // namespace tradewind::log
