#include "gateway/owner_locator.h"

#include "base/limits.h"
#include "runtime/fiber.h"

namespace tradewind::gateway {

tl::unexpected<Error> ClientGone() {
  return Fail(ErrorKind::kIo, "CLIENT_GONE", "the client has gone, and its request and stream end");
}

OwnerLocator::OwnerLocator(const catalog::Member& member, NodeTenants& tenants)
    : member_(member), core_(member.core), tenants_(tenants), locations_(limits::kCachedLocations) {}

Result<catalog::Ownership> OwnerLocator::Locate(const TenantName& tenant, Epoch newer_than,
                                                runtime::TimePoint deadline, net::Caller* caller) {
  while (true) {
    if (caller && caller->gone()) return ClientGone();
    const Epoch local = tenants_.EpochOf(tenant);
    const auto known = locations_.Find(tenant);
    if (known && known->epoch > newer_than && known->epoch > local) return *known;
    if (local > newer_than) return catalog::Ownership{member_.self, local};
    auto record = member_.catalog.GetTenant(tenant);
    if (record) {
      locations_.Learn(tenant, record->ownership);
      if (record->ownership.epoch > newer_than) return record->ownership;
    } else if (record.error().kind == ErrorKind::kNotFound) {
      locations_.Forget(tenant, newer_than);
      return Fail(record.error());
    }
    if (core_.Now() >= deadline || stopping_) {
      if (!record) return Fail(record.error());
      return Fail(ErrorKind::kUnavailable, "TENANT_MOVING",
                  "tenant " + tenant + " is changing its node and that takes long", "try again");
    }
    runtime::SleepFor(limits::kLocatePause);
  }
}

}  // namespace tradewind::gateway
