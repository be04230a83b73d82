#include "pace/request_totals.h"

#include <algorithm>
#include <chrono>
#include <tuple>

namespace tradewind::pace {

void RequestTotals::Record(RequestKind kind, const TenantName& tenant, runtime::Duration took) {
  const double seconds = std::max(0.0, std::chrono::duration<double>(took).count());
  kinds_[static_cast<size_t>(kind)].Record(seconds);
  if (kind == RequestKind::kFromNode) return;
  auto found = tenants_.find(tenant);
  if (found == tenants_.end()) {
    if (tenants_.size() >= kMostTenants) ForgetLittleUsers();
    found = tenants_.try_emplace(tenant).first;
  }
  ++found->second.requests;
  found->second.seconds += seconds;
}

// Half of them at a time, so that a stream of names costs each little.
void RequestTotals::ForgetLittleUsers() {
  const auto kept = Top(kMostTenants / 2);
  tenants_.clear();
  tenants_.insert(kept.begin(), kept.end());
}

void RequestTotals::Add(const RequestTotals& other) {
  for (size_t kind = 0; kind < kinds_.size(); ++kind) kinds_[kind].Add(other.kinds_[kind]);
  for (const auto& [tenant, use] : other.tenants_) {
    tenants_[tenant].requests += use.requests;
    tenants_[tenant].seconds += use.seconds;
  }
}

std::vector<std::pair<TenantName, TenantUse>> RequestTotals::Top(size_t most) const {
  std::vector<std::pair<TenantName, TenantUse>> all(tenants_.begin(), tenants_.end());
  const auto end = all.begin() + static_cast<ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const auto& one, const auto& other) {
    return std::tie(one.second.seconds, one.second.requests, other.first) >
           std::tie(other.second.seconds, other.second.requests, one.first);
  });
  all.erase(end, all.end());
  return all;
}

}  // namespace tradewind::pace
