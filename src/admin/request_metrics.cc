#include "admin/request_metrics.h"

#include <string>

namespace tradewind::admin {

// By metric, as the format wants it.
std::vector<net::MetricSample> RequestMetrics(const pace::RequestTotals& totals, size_t tenants) {
  using Kind = net::MetricSample::Kind;
  std::vector<net::MetricSample> samples;
  for (size_t kind = 0; kind < pace::kRequestKindNames.size(); ++kind)
    samples.push_back(
        net::HistogramSample("tradewind_request_seconds",
                             "Requests of clients, from arrival to answer; a cursor's up to its first piece.",
                             totals.Of(static_cast<pace::RequestKind>(kind)),
                             {{"kind", std::string(pace::kRequestKindNames[kind])}}));
  const auto top = totals.Top(tenants);
  for (const auto& [tenant, use] : top)
    samples.push_back({"tradewind_tenant_requests_total",
                       Kind::kCounter,
                       "Requests of the tenants that used this node most.",
                       {{"tenant", tenant}},
                       static_cast<double>(use.requests)});
  for (const auto& [tenant, use] : top)
    samples.push_back({"tradewind_tenant_request_seconds_total",
                       Kind::kCounter,
                       "What the requests of the tenants that used this node most took together.",
                       {{"tenant", tenant}},
                       use.seconds});
  return samples;
}

}  // namespace tradewind::admin
