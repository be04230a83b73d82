// What one end of a move tells the other about the latency of its requests (POST /v1/internal/latency).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "pace/sensor.h"

namespace tradewind::node {

struct EndLatency {
  pace::Reading now;    // All tenants of the node together, over the last second or more.
  pace::Reading usual;  // And over the last fifteen.
  std::map<TenantName, pace::Reading> tenants;  // Those that were asked for.
};

// Reads the sensor of this node.
EndLatency ReadEnd(pace::Sensor& sensor, const std::vector<TenantName>& tenants);

std::string EncodeLatencyCall(const std::vector<TenantName>& tenants);
// Both fail with kCorrupt (LATENCY_MESSAGE).
Result<std::vector<TenantName>> DecodeLatencyCall(std::string_view text);
std::string Encode(const EndLatency& latency);
Result<EndLatency> DecodeEndLatency(std::string_view text);

}  // namespace tradewind::node
