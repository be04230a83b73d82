// What GET /metrics says of how long the turns of this node's core are (runtime/turn_watch.h).
#pragma once

#include <vector>

#include "net/metrics.h"
#include "runtime/core.h"

namespace tradewind::admin {

std::vector<net::MetricSample> TurnMetrics(const runtime::Core& core);

}  // namespace tradewind::admin
