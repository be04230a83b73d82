// Where a gateway believes each tenant to be. It may be behind the catalog, never ahead, and never goes back
// to a lower epoch: an answer that was overtaken on its way cannot undo a newer one. A wrong guess costs a
// forwarded request, no more.
//
// This core only. Nothing here suspends.
#pragma once

#include <cstddef>
#include <optional>
#include <unordered_map>

#include "base/ids.h"
#include "catalog/catalog.h"

namespace tradewind::catalog {

class LocationCache {
 public:
  explicit LocationCache(size_t most_entries);

  std::optional<Ownership> Find(const TenantName& tenant) const;
  // True when this was newer than what was known. A full cache starts over: the catalog is asked again then.
  bool Learn(const TenantName& tenant, const Ownership& ownership);
  // The tenant is gone from the catalog. What was learned meanwhile at a higher epoch (it was made again)
  // stays.
  void Forget(const TenantName& tenant, Epoch known);

 private:
  size_t most_entries_;
  std::unordered_map<TenantName, Ownership> known_;
};

}  // namespace tradewind::catalog
