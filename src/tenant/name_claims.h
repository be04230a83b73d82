// Who makes, deletes or begins to move the tenant of a name: one at a time, whichever core of the node has the tenant.
//
// A name is claimed before that first suspends, so no two touch one another's file or journal entry. A copy that comes
// here in a move waits until nobody has the claim, and then stands in the way of everyone else by its journal entry.
//
// Claims are taken on core 0, which has them all.
#pragma once

#include <set>
#include <utility>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::tenant {

class NameClaims {
 public:
  // `first`: core 0 of the node.
  explicit NameClaims(runtime::Core& first) : first_(first) {}

  // The right to make, delete or move the tenant of a name, until it goes away. Core 0 only.
  class Claim {
   public:
    Claim(Claim&& other) noexcept
        : claims_(std::exchange(other.claims_, nullptr)), name_(std::move(other.name_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim();

   private:
    friend class NameClaims;
    Claim(NameClaims& claims, TenantName name) : claims_(&claims), name_(std::move(name)) {}
    NameClaims* claims_;
    TenantName name_;
  };
  // Fails with NAME_BUSY (kUnavailable) when somebody else has it until the deadline. Core 0 only. Suspends.
  Result<Claim> ClaimName(const TenantName& name, runtime::TimePoint deadline);
  // Core 0 only.
  bool IsClaimed(const TenantName& name) const;
  // Suspends while anybody has it, at most until the deadline. On any core.
  void AwaitClaim(const TenantName& name, runtime::TimePoint deadline);

 private:
  runtime::Core& first_;
  std::set<TenantName> claimed_;
  runtime::WaitQueue ended_;
};

}  // namespace tradewind::tenant
