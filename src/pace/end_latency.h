// What one end of a move tells the other about the latency of its requests (POST /v1/internal/latency).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "pace/sensor.h"

namespace tradewind::pace {

struct EndLatency {
  Reading now;              // All tenants of the node together, over the last seconds.
  double usual_p95_ms = 0;  // Without moves; 0 when it is not known.
  Activity activity;
  std::map<TenantName, Reading> tenants;  // Those that were asked for, as `now`.
};

struct LatencyCall {
  std::vector<TenantName> tenants;
  // Only requests that have arrived within this time; none: as far back as a sensor looks. The clocks of two nodes
  // do not agree, but spans do.
  std::optional<runtime::Duration> back = {};
};

// Reads the sensor of this node, which takes part in a move.
EndLatency ReadEnd(runtime::Core& core, Sensor& sensor, const LatencyCall& call);

std::string Encode(const LatencyCall& call);
// Both fail with kCorrupt (LATENCY_MESSAGE).
Result<LatencyCall> DecodeLatencyCall(std::string_view text);
std::string Encode(const EndLatency& latency);
Result<EndLatency> DecodeEndLatency(std::string_view text);

}  // namespace tradewind::pace
