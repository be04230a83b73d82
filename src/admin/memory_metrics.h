// What the process holds and what it refused (base/memory_pool.h), for GET /metrics.
#pragma once

#include <vector>

#include "net/metrics.h"

namespace tradewind::admin {

std::vector<net::MetricSample> MemoryMetrics();

}  // namespace tradewind::admin
