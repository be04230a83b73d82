// Logging, on stderr through spdlog; one line an event. Results of commands go to stdout, never through here.
#pragma once

#include <spdlog/spdlog.h>

namespace tradewind::log {
using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;
}  // namespace tradewind::log
