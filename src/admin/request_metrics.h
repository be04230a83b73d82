// What GET /metrics says of the requests of clients, and of who sent them.
#pragma once

#include <cstddef>
#include <vector>

#include "net/metrics.h"
#include "pace/request_totals.h"

namespace tradewind::admin {

// Of at most so many tenants, those that used the node most.
std::vector<net::MetricSample> RequestMetrics(const pace::RequestTotals& totals, size_t tenants);

}  // namespace tradewind::admin
