#include "admin/instance_metrics.h"

#include "mariadb/hosted_instance.h"

namespace tradewind::admin {

// By metric, as the format wants it.
std::vector<net::MetricSample> InstanceMetrics(const tenant::LocalTenants& tenants,
                                               const std::set<TenantName>& names) {
  using Kind = net::MetricSample::Kind;
  struct Metric {
    const char* name;
    Kind kind;
    const char* help;
    double (*value)(const mariadb::HostedInstance&);
  };
  static constexpr Metric kMetrics[] = {
      {"tradewind_instance_up", Kind::kGauge, "Whether the tenant's server answers.",
       [](const mariadb::HostedInstance& instance) { return instance.answers() ? 1.0 : 0.0; }},
      {"tradewind_instance_writable", Kind::kGauge, "Whether the tenant's server takes writes.",
       [](const mariadb::HostedInstance& instance) { return instance.is_writable() ? 1.0 : 0.0; }},
      {"tradewind_instance_restarts_total", Kind::kCounter,
       "Starts of the tenant's server after it had died.",
       [](const mariadb::HostedInstance& instance) { return static_cast<double>(instance.restarts()); }},
      {"tradewind_instance_sessions", Kind::kGauge, "Sessions of clients at the tenant's server.",
       [](const mariadb::HostedInstance& instance) { return static_cast<double>(instance.visits()); }},
  };
  std::vector<net::MetricSample> samples;
  for (const Metric& metric : kMetrics) {
    for (const TenantName& name : names) {
      tenant::HostedTenant* const open = tenants.IfOpen(name);
      if (!open || open->engine() != mariadb::kMariadbEngine) continue;
      samples.push_back({metric.name,
                         metric.kind,
                         metric.help,
                         {{"tenant", name}},
                         metric.value(mariadb::AsInstance(*open))});
    }
  }
  return samples;
}

}  // namespace tradewind::admin
