// A latency that is to be held: which figure of it, and how much.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tradewind::pace {

enum class Signal { kP95, kP99, kMean };
inline constexpr std::array<std::string_view, 3> kSignalNames = {"p95", "p99", "mean"};

std::string_view NameOf(Signal signal);
std::optional<Signal> ParseSignal(std::string_view name);

struct Objective {
  Signal signal = Signal::kP95;
  double milliseconds = 0;
  bool operator==(const Objective&) const = default;
};

// "p95:5ms", "mean:800us"; a duration alone is a p95. Fails with kInvalid (OBJECTIVE_INVALID).
Result<Objective> ParseObjective(std::string_view text);
// What ParseObjective reads, such as "p95:5ms".
std::string ToText(const Objective& objective);

}  // namespace tradewind::pace
