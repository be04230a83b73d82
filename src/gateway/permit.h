// What a client was let in for: a tenant, and what it may do there. Whoever opens a stream or goes on with one shows it.
#pragma once

#include <optional>
#include <string_view>

#include "base/ids.h"
#include "tenant/rights.h"

namespace tradewind::gateway {

struct Permit {
  TenantName tenant;
  tenant::Rights rights;
};

// As one node tells another of rights, and back; none for any other text.
std::string_view NameOf(const tenant::Rights& rights);
std::optional<tenant::Rights> ParseRights(std::string_view name);

}  // namespace tradewind::gateway
