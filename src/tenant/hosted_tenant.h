// A tenant at the node that serves it, as its moves and the table of a node's tenants see it, whatever its engine.
//
// Transactions and moves (I1). A new transaction starts only while the gate is open. Closed (Park), one that would
// start waits; then either the gate opens again (the move was given up) or the tenant has moved, and it fails with
// code TENANT_MOVED, for the gateway to run it at the new owner.
//
// This core's fibers only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"
#include "tenant/quotas.h"

namespace tradewind::tenant {

// Whether new transactions may start here. Held: only statements on their own, and what cannot write.
enum class Gate { kOpen, kHeld, kParked, kMoved };

struct TenantSize {
  uint32_t page_size = 0;
  uint32_t page_count = 0;
};

class HostedTenant {
 public:
  virtual ~HostedTenant() = default;
  virtual const TenantName& name() const = 0;
  // As the catalog's record has it.
  virtual std::string_view engine() const = 0;
  // Of what is committed, as far as is known. Does not suspend.
  virtual std::optional<TenantSize> Size() const { return std::nullopt; }
  // From the next statement on; 0 is none. Does not suspend.
  virtual void SetQuotas(const Quotas&) {}

  // -- Its moves
  virtual Gate gate() const = 0;
  // From its return no new transaction starts. Does not suspend.
  virtual void Park() = 0;
  virtual void Unpark() = 0;
  virtual void SetMoved() = 0;
  // Suspends until no transaction is open that may still write, and then, without a suspension in between, holds
  // back new ones of that kind. False: one was still open `grace` after the least that it waits, or `given_up` says
  // so; they are held back all the same. Requires: the gate is open.
  virtual bool AwaitQuiet(runtime::Duration grace, const std::function<bool()>& given_up) = 0;
  // Suspends until no transaction is open (true), or the deadline passes.
  virtual bool JoinTransactions(runtime::TimePoint deadline) = 0;
  // Suspends until no client has still to be told of a transaction that was rolled back here, or the deadline passes.
  virtual void AwaitRollbacks(runtime::TimePoint deadline) = 0;
  virtual size_t exports() const = 0;

  // -- The table of a node's tenants
  // Does most of what Close() would have to do, while it is in use. Suspends.
  virtual void PrepareToClose() {}
  // Ends everything that runs on it. `keep_log`: what a restart would apply to its files need not be applied now.
  // Suspends.
  virtual void Close(bool keep_log) = 0;
  // Whether nothing speaks against closing it for idleness.
  virtual bool IsIdle() const = 0;
  // Closes one that is idle. Who wants to use it says so by `wanted`, and it stays open if that is soon enough (it
  // fails with TENANT_WANTED). Suspends.
  virtual Result<void> CloseIdle(const std::function<bool()>& wanted) = 0;
  // Whoever waits for its CloseIdle() is in a hurry. Does not suspend.
  virtual void HurryClosing() {}
  // Whoever waits for another node because of it gets an error instead, now and later. Does not suspend.
  virtual void StopWaits() {}
  // What it would have to learn anew after it was closed: what was used lately, the latest first.
  virtual std::vector<PageNumber> RecentlyUsed() const { return {}; }
};

}  // namespace tradewind::tenant
