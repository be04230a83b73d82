// What a client was let in for: a tenant, and what it may do there. Whoever opens a stream or goes on with one shows it.
#pragma once

#include "base/ids.h"
#include "tenant/rights.h"

namespace tradewind::gateway {

struct Permit {
  TenantName tenant;
  tenant::Rights rights;
};

}  // namespace tradewind::gateway
