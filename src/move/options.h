// How a move is to be made: what its operator chose. Kept with the move in the catalog, so that whoever
// takes the move up after a restart goes on as it was asked for.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"
#include "pace/objective.h"
#include "runtime/core.h"

namespace tradewind::move {

enum class Method {
  kZephyr,       // The tenant is served all the time (docs/move.md).
  kStopAndCopy,  // The baseline: new transactions wait while everything is copied.
};
inline constexpr std::array<std::string_view, 2> kMethodNames = {"zephyr", "stop-and-copy"};

// What is sent before the hand-over, besides the wireframe.
enum class WarmUp {
  kNone,  // Nothing: the destination owns within milliseconds (Zephyr).
  kHot,   // What was read or written lately, at most limits::kHotBytes.
  kAll,   // Everything (Slacker's snapshot); what is written meanwhile goes again or is pulled.
};
inline constexpr std::array<std::string_view, 3> kWarmUpNames = {"none", "hot", "all"};

std::string_view NameOf(Method method);
std::string_view NameOf(WarmUp warm_up);
std::optional<Method> ParseMethod(std::string_view name);
std::optional<WarmUp> ParseWarmUp(std::string_view name);

// How fast: at a fixed rate, or as fast as latency allows (docs/pacing.md).
struct Pace {
  std::optional<uint64_t> rate_bytes_per_s = {};  // 0: no limit. Without a value latency decides,
  std::optional<pace::Objective> setpoint = {};   // which is to stay at this; by default at what is usual.
  bool follows_latency() const { return !rate_bytes_per_s.has_value(); }
};

struct MoveOptions {
  Method method = Method::kZephyr;
  WarmUp warm_up = WarmUp::kNone;
  Pace pace;
  int64_t finish_by_ms = 0;  // Unix time by which the move is wanted to be over; 0: whenever.
  // For an engine whose source is whole after the swap: how long it is kept current there, so that to go back is a moment.
  std::chrono::milliseconds keep_source{0};
  bool compress = false;  // What is sent, with zstd, for an engine that can.
  runtime::Duration open_writer_grace = limits::kOpenWriterGrace;
};

// The text that the catalog keeps: a JSON object. The grace is not in it.
std::string ToText(const MoveOptions& options);
// Fails with kCorrupt on anything that ToText did not write; an empty text gives the defaults.
Result<MoveOptions> ParseMoveOptions(std::string_view text);

}  // namespace tradewind::move
