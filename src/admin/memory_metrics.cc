#include "admin/memory_metrics.h"

#include <string>

#include "base/memory_pool.h"

namespace tradewind::admin {

namespace {

void Add(std::vector<net::MetricSample>& samples, const std::string& prefix, const std::string& what,
         const Pool& pool) {
  using Kind = net::MetricSample::Kind;
  const auto number = [](uint64_t value) { return static_cast<double>(value); };
  samples.push_back(
      {prefix + "_limit_bytes", Kind::kGauge, "Bound of " + what + ".", {}, number(pool.bound())});
  samples.push_back(
      {prefix + "_used_bytes", Kind::kGauge, "In use of " + what + ".", {}, number(pool.used())});
  samples.push_back({prefix + "_peak_bytes",
                     Kind::kGauge,
                     "The most that was in use of " + what + ".",
                     {},
                     number(pool.peak())});
  samples.push_back({prefix + "_refused_total",
                     Kind::kCounter,
                     "How often somebody was refused more of " + what + ".",
                     {},
                     number(pool.refused())});
}

}  // namespace

std::vector<net::MetricSample> MemoryMetrics() {
  std::vector<net::MetricSample> samples;
  Add(samples, "tradewind_memory", "the memory that is counted", Memory());
  Add(samples, "tradewind_temporary", "the room for temporary files", TemporarySpace());
  for (size_t kind = 0; kind < kMemoryKindNames.size(); ++kind)
    samples.push_back({"tradewind_memory_bytes",
                       net::MetricSample::Kind::kGauge,
                       "Memory that is counted, by what it is for.",
                       {{"kind", kMemoryKindNames[kind]}},
                       static_cast<double>(MemoryOf(static_cast<MemoryKind>(kind)).load())});
  return samples;
}

}  // namespace tradewind::admin
