#include "tenant/name_claims.h"

#include "runtime/call_on.h"

namespace tradewind::tenant {

NameClaims::Claim::~Claim() {
  if (!claims_) return;
  runtime::CallOn(claims_->first_, [&] {
    claims_->claimed_.erase(name_);
    claims_->ended_.NotifyAll();
  });
}

Result<NameClaims::Claim> NameClaims::ClaimName(const TenantName& name, runtime::TimePoint deadline) {
  return runtime::CallOn(first_, [&]() -> Result<Claim> {
    if (!runtime::WaitForUntil(ended_, deadline, [&] { return !IsClaimed(name); }))
      return Fail(ErrorKind::kUnavailable, "NAME_BUSY",
                  "tenant " + name + " is being made, deleted or moved by somebody else", "try again");
    claimed_.insert(name);
    return Claim(*this, name);
  });
}

bool NameClaims::IsClaimed(const TenantName& name) const {
  first_.AssertHere();
  return claimed_.contains(name);
}

void NameClaims::AwaitClaim(const TenantName& name, runtime::TimePoint deadline) {
  runtime::CallOn(first_, [&] { runtime::WaitForUntil(ended_, deadline, [&] { return !IsClaimed(name); }); });
}

}  // namespace tradewind::tenant
