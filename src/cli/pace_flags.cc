#include "cli/pace_flags.h"

#include <boost/json.hpp>
#include <chrono>

#include "base/units.h"
#include "pace/objective.h"

namespace tradewind::cli {

void AddPaceFlags(Command command, PaceFlags& flags) {
  command
      .AddOption("--rate", flags.rate,
                 "Send at this rate, such as 50MB/s, or none for no limit; default: "
                 "as fast as latency allows")
      .ValueName("RATE|none");
  command
      .AddOption("--setpoint", flags.setpoint,
                 "Keep the latency of both nodes at this: 5ms (a p95), p99:20ms or mean:2ms; default: the "
                 "tenant's own, or twice what is usual")
      .ValueName("LATENCY")
      .Excludes("--rate");
}

Result<void> AddPace(const PaceFlags& flags, boost::json::object& request) {
  if (flags.rate == "none") {
    request["rate_bytes_per_s"] = 0;
  } else if (!flags.rate.empty()) {
    TW_TRY_ASSIGN(const uint64_t rate, OfFlag("--rate", ParseRate(flags.rate)));
    request["rate_bytes_per_s"] = rate;
  }
  if (flags.setpoint == "default") {
    request["setpoint_ms"] = nullptr;
  } else if (!flags.setpoint.empty()) {
    TW_TRY_ASSIGN(const pace::Objective setpoint, OfFlag("--setpoint", pace::ParseObjective(flags.setpoint)));
    request["setpoint_ms"] = setpoint.milliseconds;
    request["signal"] = pace::NameOf(setpoint.signal);
  }
  if (!flags.finish_by.empty()) {
    TW_TRY_ASSIGN(const auto within, OfFlag("--finish-by", ParseDuration(flags.finish_by)));
    request["finish_within_s"] = std::chrono::duration<double>(within).count();
  }
  return {};
}

}  // namespace tradewind::cli
