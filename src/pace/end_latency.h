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

// The sensors of a node, one of each of its cores. Core 0 only.
class NodeSensors {
 public:
  // Of the next core, which the sensor outlives; all of them before anything is read.
  void Add(runtime::Core& core, Sensor& sensor) { sensors_.push_back({core, sensor}); }
  // Of all requests of the node, which takes part in a move. On a node of several cores this suspends.
  EndLatency Read(const LatencyCall& call) const;
  // The same of all together, back to as far as a sensor looks, for metrics.
  Reading ReadNow() const;

 private:
  struct OfCore {
    runtime::Core& core;
    Sensor& sensor;
  };
  EndLatency ReadOnly(const LatencyCall& call) const;
  // Of several cores, added up.
  SensorView View(const std::vector<TenantName>& tenants, bool in_move) const;

  std::vector<OfCore> sensors_;  // By core.
};

std::string Encode(const LatencyCall& call);
// Both fail with kCorrupt (LATENCY_MESSAGE).
Result<LatencyCall> DecodeLatencyCall(std::string_view text);
std::string Encode(const EndLatency& latency);
Result<EndLatency> DecodeEndLatency(std::string_view text);

}  // namespace tradewind::pace
