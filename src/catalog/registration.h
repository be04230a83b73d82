// The words of a node's registration in the catalog: what a cluster's identity is, and what a node is told that
// is not taken.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"

namespace tradewind::catalog {

// Who has a name.
struct NameHolder {
  std::string url;
  std::string folder;  // Empty when a version registered it that had no identities.
  int64_t since_ms = 0;
  int64_t tenants = 0;
};

// A move of the tenant to a node with this SQLite is refused.
Error SqliteOlder(const TenantRecord& tenant, const NodeRecord& destination);
Error NameTaken(const NodeName& name, const NameHolder& holder);
Error Forgotten(const Registration& registration);
Error NodeHasTenants(const NodeName& name, const std::vector<TenantRecord>& tenants);
Error NodeInMove(const NodeName& name, const MoveRecord& move);
Error OtherCluster(const Registration& registration, const std::string& cluster);

}  // namespace tradewind::catalog
