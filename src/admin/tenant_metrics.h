// The tenants of a node and how they open and close, for GET /metrics.
#pragma once

#include <vector>

#include "net/metrics.h"
#include "runtime/core.h"
#include "tenant/local_tenants.h"

namespace tradewind::admin {

std::vector<net::MetricSample> TenantMetrics(const tenant::LocalTenants& tenants, runtime::Core& core);

}  // namespace tradewind::admin
