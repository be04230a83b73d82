// What the servers of a core's MariaDB tenants are doing, as metrics.
#pragma once

#include <set>
#include <vector>

#include "base/ids.h"
#include "net/metrics.h"
#include "tenant/local_tenants.h"

namespace tradewind::admin {

// `names`: those that may be of MariaDB. This core only.
std::vector<net::MetricSample> InstanceMetrics(const tenant::LocalTenants& tenants,
                                               const std::set<TenantName>& names);

}  // namespace tradewind::admin
