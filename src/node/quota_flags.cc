#include "node/quota_flags.h"

#include <string>
#include <utility>

#include "base/units.h"

namespace tradewind::node {

Result<tenant::Quotas> QuotasOf(const QuotaFlags& flags) {
  tenant::Quotas quotas;
  if (!flags.size.empty()) {
    TW_TRY_ASSIGN(quotas.size_bytes, OfFlag("--quota-size", ParseSize(flags.size)));
  }
  if (!flags.memory.empty()) {
    TW_TRY_ASSIGN(quotas.memory_bytes, OfFlag("--quota-memory", ParseSize(flags.memory)));
  }
  if (!flags.statement_time.empty()) {
    TW_TRY_ASSIGN(quotas.statement_ms,
                  OfFlag("--quota-statement-time", ParseMilliseconds(flags.statement_time)));
  }
  quotas.streams = flags.streams;
  quotas.requests_per_s = flags.requests;
  if (!flags.cpu.empty()) {
    TW_TRY_ASSIGN(quotas.cpu_percent, OfFlag("--quota-cpu", ParsePercent(flags.cpu)));
  }
  for (const auto& [flag, number] :
       {std::pair{"--quota-size", quotas.size_bytes}, std::pair{"--quota-memory", quotas.memory_bytes},
        std::pair{"--quota-statement-time", quotas.statement_ms},
        std::pair{"--quota-cpu", quotas.cpu_percent}})
    if (number == uint64_t{0})
      return Fail(ErrorKind::kInvalid, "QUOTA_INVALID",
                  std::string(flag) + ": a quota of 0 would allow nothing", "leave it out for none");
  TW_TRY(tenant::Check(quotas));
  return quotas;
}

}  // namespace tradewind::node
