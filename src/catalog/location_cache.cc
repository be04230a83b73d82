#include "catalog/location_cache.h"

namespace tradewind::catalog {

LocationCache::LocationCache(size_t most_entries) : most_entries_(most_entries) {}

std::optional<Ownership> LocationCache::Find(const TenantName& tenant) const {
  const auto found = known_.find(tenant);
  if (found == known_.end()) return std::nullopt;
  return found->second;
}

bool LocationCache::Learn(const TenantName& tenant, const Ownership& ownership) {
  const auto found = known_.find(tenant);
  if (found != known_.end()) {
    if (ownership.epoch <= found->second.epoch) return false;
    found->second = ownership;
    return true;
  }
  if (known_.size() >= most_entries_) known_.clear();
  known_.emplace(tenant, ownership);
  return true;
}

void LocationCache::Forget(const TenantName& tenant, Epoch known) {
  const auto found = known_.find(tenant);
  if (found != known_.end() && found->second.epoch <= known) known_.erase(found);
}

}  // namespace tradewind::catalog
