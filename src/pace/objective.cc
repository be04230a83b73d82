#include "pace/objective.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "base/units.h"

namespace tradewind::pace {

std::string_view NameOf(Signal signal) {
  return kSignalNames[static_cast<size_t>(signal)];
}

std::optional<Signal> ParseSignal(std::string_view name) {
  const auto found = std::find(kSignalNames.begin(), kSignalNames.end(), name);
  if (found == kSignalNames.end()) return std::nullopt;
  return static_cast<Signal>(found - kSignalNames.begin());
}

Result<Objective> ParseObjective(std::string_view text) {
  Objective objective;
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto signal = ParseSignal(text.substr(0, colon));
    if (!signal)
      return Fail(ErrorKind::kInvalid, "OBJECTIVE_INVALID",
                  fmt::format("'{}' is no figure of latency", text.substr(0, colon)),
                  fmt::format("give one of {}, as in p95:5ms", fmt::join(kSignalNames, ", ")));
    objective.signal = *signal;
    text.remove_prefix(colon + 1);
  }
  const auto duration = ParseDuration(std::string(text));
  if (!duration || duration->count() <= 0)
    return Fail(ErrorKind::kInvalid, "OBJECTIVE_INVALID", fmt::format("'{}' is no latency", text),
                "give a duration above 0, as in 5ms or p99:20ms");
  objective.milliseconds = std::chrono::duration<double, std::milli>(*duration).count();
  return objective;
}

std::string ToText(const Objective& objective) {
  return fmt::format("{}:{}ms", NameOf(objective.signal), objective.milliseconds);
}

}  // namespace tradewind::pace
