#include "node/quota_flags.h"

#include <algorithm>
#include <chrono>

#include "base/units.h"

namespace tradewind::node {

Result<tenant::Quotas> QuotasOf(const QuotaFlags& flags) {
  tenant::Quotas quotas;
  if (!flags.size.empty()) {
    TW_TRY_ASSIGN(quotas.size_bytes, ParseSize(flags.size));
  }
  if (!flags.memory.empty()) {
    TW_TRY_ASSIGN(quotas.memory_bytes, ParseSize(flags.memory));
  }
  if (!flags.statement_time.empty()) {
    TW_TRY_ASSIGN(const auto time, ParseDuration(flags.statement_time));
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time);
    quotas.statement_ms = static_cast<uint64_t>(std::max<int64_t>(1, milliseconds.count()));
  }
  quotas.streams = flags.streams;
  quotas.requests_per_s = flags.requests;
  if (!flags.cpu.empty()) {
    TW_TRY_ASSIGN(quotas.cpu_percent, ParsePercent(flags.cpu));
  }
  TW_TRY(tenant::Check(quotas));
  return quotas;
}

}  // namespace tradewind::node
