// Which node has a tenant, as a gateway believes it and as the catalog says it.
//
// This core only.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/location_cache.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"
#include "net/http.h"
#include "runtime/core.h"

namespace tradewind::gateway {

class OwnerLocator {
 public:
  // Both outlive it.
  OwnerLocator(const catalog::Member& member, NodeTenants& tenants);

  // Where the tenant is, newer than what was tried and failed; waits for the catalog to say so until the deadline.
  // Fails with TENANT_NOT_FOUND, TENANT_MOVING, CLIENT_GONE, or as the catalog does. Suspends.
  Result<catalog::Ownership> Locate(const TenantName& tenant, Epoch newer_than, runtime::TimePoint deadline,
                                    net::Caller* caller = nullptr);
  // What was known up to this epoch led nowhere.
  void Forget(const TenantName& tenant, Epoch known) { locations_.Forget(tenant, known); }
  // Nothing is waited for from now on.
  void Stop() { stopping_ = true; }
  bool stopping() const { return stopping_; }

 private:
  const catalog::Member& member_;
  runtime::Core& core_;
  NodeTenants& tenants_;
  catalog::LocationCache locations_;
  bool stopping_ = false;
};

// For nobody: the stream ends with it.
tl::unexpected<Error> ClientGone();

}  // namespace tradewind::gateway
