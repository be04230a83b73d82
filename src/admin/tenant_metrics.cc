#include "admin/tenant_metrics.h"

#include "runtime/descriptors.h"

namespace tradewind::admin {

std::vector<net::MetricSample> TenantMetrics(const tenant::LocalTenants& tenants, runtime::Core& core) {
  const auto sample = [](const char* name, net::MetricSample::Kind kind, const char* help, uint64_t value) {
    return net::MetricSample{name, kind, help, {}, static_cast<double>(value)};
  };
  using Kind = net::MetricSample::Kind;
  const tenant::LocalTenants::Counters& counters = tenants.counters();
  return {
      sample("tradewind_tenants", Kind::kGauge, "Tenants that this node has.", tenants.count()),
      sample("tradewind_open_tenants", Kind::kGauge, "Tenants that are open.", tenants.open_count()),
      sample("tradewind_open_tenants_bound", Kind::kGauge, "Tenants that may be open at a time.",
             tenants.most_open()),
      sample("tradewind_tenant_openings_total", Kind::kCounter, "Tenants that were opened.",
             counters.openings),
      sample("tradewind_tenant_closings_total", Kind::kCounter, "Tenants that were closed for idleness.",
             counters.closings),
      sample("tradewind_tenant_waits_total", Kind::kCounter,
             "Requests that waited for a tenant to close, or for room to open theirs.", counters.waits),
      sample("tradewind_descriptor_waits_total", Kind::kCounter,
             "Calls that were made again since no file descriptor was left.", core.descriptors().waits()),
  };
}

}  // namespace tradewind::admin
