// A tenant changes the core of its node that it is pinned to: no bytes travel, it is closed on the one and opened on the
// other.
//
// What is durable when, and what a crash leaves (I1, I4, I5). Nothing of the tenant's files changes but that its log is
// copied into its main file, as at any checkpoint. One entry of the journal says the core: a crash before it is synced finds
// the tenant at the old core, after it at the new one, and at either it is the same tenant at the same epoch.
//
// In this order: what Close() would have to copy is copied while the tenant is in use; new transactions that may write are
// held back until the open ones have ended; then everything that begins waits, and what is open ends. Whatever has not
// within limits::kCoreChangeWait keeps the tenant where it is, and is not touched. Then the journal's entry; then what
// waits is told that the tenant has moved, and finds it at the new core (gateway/node_tenants.h), where it waits until the
// name's claim is given back: only then does the new core have it.
//
// Core 0 only.
#pragma once

#include <cstddef>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"
#include "move/journal.h"
#include "tenant/name_claims.h"

namespace tradewind::admin {

class CoreChange {
 public:
  // All of them outlive it.
  CoreChange(const catalog::Member& member, move::Journal& journal, tenant::NameClaims& claims,
             gateway::NodeTenants& tenants)
      : member_(member), journal_(journal), claims_(claims), tenants_(tenants) {}

  // Pins the tenant to this core, by its number. Fails with CORE_UNKNOWN (kInvalid), MOVE_IN_PROGRESS (kRefused),
  // TENANT_NOT_HERE, TENANT_BUSY (kUnavailable: a transaction or an export stayed open, and nothing has changed),
  // NAME_BUSY, or as the journal and the opening of the tenant do. Suspends.
  Result<void> PinTo(const TenantName& name, size_t core);

 private:
  Result<void> Quiet(gateway::CoreTenants& home, const TenantName& name);

  const catalog::Member& member_;
  move::Journal& journal_;
  tenant::NameClaims& claims_;
  gateway::NodeTenants& tenants_;
};

}  // namespace tradewind::admin
