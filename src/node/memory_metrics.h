// What the process holds and what it refused (base/memory_pool.h), for GET /metrics.
#pragma once

#include <vector>

#include "node/metrics.h"

namespace tradewind::node {

std::vector<MetricSample> MemoryMetrics();

}  // namespace tradewind::node
