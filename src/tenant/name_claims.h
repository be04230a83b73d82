// Who makes, deletes or begins to move the tenant of a name: one at a time, whichever core of the node has the tenant.
//
// A name is claimed before anything of it is touched, so no two touch one another's file or journal entry. A copy that
// comes here in a move has the claim until its journal entry stands in the way of everyone else.
//
// Core 0 has them all; on any core.
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

  // The right to make, delete or move the tenant of a name, until it goes away: in a fiber, of any core of the node; on
  // another one than the first that suspends.
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
  // Fails with NAME_BUSY (kUnavailable) when somebody else has it until the deadline. Suspends.
  Result<Claim> ClaimName(const TenantName& name, runtime::TimePoint deadline);
  // Core 0 only.
  bool IsClaimed(const TenantName& name) const;
  // Suspends while anybody has it, at most until the deadline.
  void AwaitClaim(const TenantName& name, runtime::TimePoint deadline);

 private:
  runtime::Core& first_;
  std::set<TenantName> claimed_;
  runtime::WaitQueue ended_;
};

}  // namespace tradewind::tenant
