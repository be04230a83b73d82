// What a tenant may have of its node, as far as somebody has said: bounds of its own, kept in the catalog beside it, and
// those of the node (serve --quota-…) for what it has none of. Beyond them are the bounds that every tenant has
// (docs/bounds.md).
//
//   size            of its main file, in bytes: a commit that would make it larger fails with SQLITE_FULL
//   memory          what SQLite holds for it, in bytes: a statement that needs more fails with SQLITE_NOMEM
//   statement time  how long a statement may run: STATEMENT_TIMEOUT
//   streams         that may be open at a time: TOO_MANY_STREAMS
//   requests        that may begin a second: TOO_MANY_REQUESTS
//   cpu             its part of its core: what needs more waits, and TOO_MANY_REQUESTS (core_share.h)
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::tenant {

// Absent: the node's, or none. 0: none, whatever the node says.
struct Quotas {
  std::optional<uint64_t> size_bytes = {};
  std::optional<uint64_t> memory_bytes = {};
  std::optional<uint64_t> statement_ms = {};
  std::optional<uint64_t> streams = {};
  std::optional<uint64_t> requests_per_s = {};
  std::optional<uint64_t> cpu_percent = {};

  bool empty() const { return *this == Quotas{}; }
  auto operator<=>(const Quotas&) const = default;
};

// Less would leave a tenant that cannot be used.
inline constexpr uint64_t kLeastQuotaBytes = 64u << 10;
inline constexpr uint64_t kLeastQuotaMemory = 4u << 20;

// Sets the field of that name, or has it absent. Fails with QUOTA_INVALID where there is none.
Result<void> Change(Quotas& quotas, std::string_view field, std::optional<uint64_t> value);
// What is not absent in `changes` replaces what `quotas` has.
Quotas Merged(Quotas quotas, const Quotas& changes);

// As JSON, {"size_bytes": 1000000, "streams": 4}, with what is not absent; "" where that is nothing.
std::string ToText(const Quotas& quotas);
// Fields that a later version may have are left out. Fails with QUOTA_INVALID (kInvalid).
Result<Quotas> ParseQuotas(std::string_view text);
// Fails with QUOTA_INVALID where one is too small to be of use, or more than there is.
Result<void> Check(const Quotas& quotas);

// What the tenants of a core have. This core only.
class QuotaTable {
 public:
  // Of tenants that have none of their own.
  explicit QuotaTable(const Quotas& of_node = {}) : of_node_(of_node) {}

  // All that there are of their own.
  void Set(std::map<TenantName, Quotas> own) { own_ = std::move(own); }
  void Set(const TenantName& tenant, const Quotas& own);
  // What counts for the tenant: 0 is none.
  Quotas Of(const TenantName& tenant) const;

 private:
  const Quotas of_node_;
  std::map<TenantName, Quotas> own_;
};

// How many requests of each tenant may begin. This core only.
class RequestRates {
 public:
  // Whether one may begin now, which it does then: as many as a second's at once, and so many a second from then on.
  bool Take(const TenantName& tenant, uint64_t per_second, runtime::TimePoint now);
  size_t size() const { return left_.size(); }

 private:
  struct Left {
    double requests = 0;
    runtime::TimePoint at{};
  };
  std::map<TenantName, Left> left_;  // Those that have not as many left as they may have.
};

}  // namespace tradewind::tenant
