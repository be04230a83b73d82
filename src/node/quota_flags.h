// What `serve` says of the quotas of tenants that have none of their own (tenant/quotas.h), as people write it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/result.h"
#include "tenant/quotas.h"

namespace tradewind::node {

// Empty or absent: there is none.
struct QuotaFlags {
  std::string size;
  std::string memory;
  std::string statement_time;
  std::optional<size_t> streams;
  std::optional<size_t> requests;
  std::string cpu;
};

// Fails with UNIT_INVALID and QUOTA_INVALID (kInvalid).
Result<tenant::Quotas> QuotasOf(const QuotaFlags& flags);

}  // namespace tradewind::node
