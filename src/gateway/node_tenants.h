// The tenants of this node, whichever of its cores has them: finds the core that a tenant is pinned to, and works there.
// What goes across are values; everything of a tenant is touched by its own core alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "gateway/stream_call.h"
#include "gateway/stream_service.h"
#include "move/journal.h"
#include "move/moves.h"
#include "move/receipt.h"
#include "net/http.h"
#include "net/routes.h"
#include "pace/sensor.h"
#include "runtime/call_on.h"
#include "runtime/core.h"
#include "tenant/local_tenants.h"
#include "tenant/tenant_cores.h"

namespace tradewind::gateway {

// What one core has of them. This core only.
struct CoreTenants {
  runtime::Core& core;
  tenant::LocalTenants& tenants;
  move::Moves& moves;
  StreamService& streams;
};

class NodeTenants {
 public:
  // The table outlives it.
  explicit NodeTenants(tenant::TenantCores& table) : table_(table) {}
  // The journal of the node, which says where what is not served is; before anything else is called.
  void SetJournal(const move::Journal& journal) { journal_ = &journal; }
  // What the next core has, in the order of their numbers; all of them before anything else is called.
  void Add(const CoreTenants& core) { cores_.push_back(core); }

  // -- On any core
  // The newest epoch at which this node serves the tenant, as far as this core knows; 0: it knows of none.
  Epoch EpochOf(const TenantName& tenant) const;
  // The core that serves it, as far as this core knows; none in a node of one core.
  std::optional<size_t> CoreOf(const TenantName& tenant) const;
  // The same; else as core 0 knows, which suspends. Where it was not found it may be at the core that core 0 has for it
  // (`again`).
  size_t CoreFor(const TenantName& tenant, bool again = false) const;
  // StreamService::Run() on the tenant's core. Suspends.
  Result<StreamAnswer> Run(const StreamCall& call, net::Caller* caller = nullptr);
  // StreamService::Close() there. Suspends.
  void Close(const StreamCall& call);
  // The core on which it takes part in a move. Suspends.
  std::optional<size_t> CoreThatMoves(const TenantName& tenant);
  // Adds the same two for another node's gateway, at kStreamsPath, to the routes of a core with this sensor.
  void AddRoutes(net::Routes& routes, pace::Sensor& sensor);

  // -- On core 0
  // The core to which a tenant is pinned, by its number: that which serves it, or has a copy of it; 0 for one that none
  // has. Does not suspend.
  size_t HomeOf(const TenantName& tenant) const;
  // The same, but for one that no core has that to which a move should bring it. Suspends.
  size_t HomeFor(const TenantName& tenant);
  // Runs `work(CoreTenants&)` there, and returns what it returned. Suspends.
  template <typename Work>
  auto At(const TenantName& tenant, Work work) {
    CoreTenants& home = cores_[HomeOf(tenant)];
    return runtime::CallOn(home.core, [&] { return work(home); });
  }
  // The same on a core by its number.
  template <typename Work>
  auto On(size_t core, Work work) {
    return runtime::CallOn(cores_[core].core, [&] { return work(cores_[core]); });
  }
  // The same on the core of which the moves know this one; on core 0 if none does. Suspends.
  template <typename Work>
  auto AtMove(const MoveId& move, Work work) {
    CoreTenants& home = cores_[CoreOfMove(move)];
    return runtime::CallOn(home.core, [&] { return work(home); });
  }
  // The same on each core, one after the other.
  template <typename Work>
  void OnEach(Work work) {
    for (CoreTenants& home : cores_) runtime::CallOn(home.core, [&] { work(home); });
  }
  // Whether it takes part in a move on any core (Moves::IsMoving). Suspends.
  bool IsMoving(const TenantName& tenant) { return CoreThatMoves(tenant).has_value(); }
  // The receipt, as JSON, of a move that any core sends and that has not ended; none: of no such move. Suspends.
  std::optional<std::string> LiveReceipt(const MoveId& move);
  // Whether any core knows the tenant (LocalTenants::Knows). Suspends.
  bool Knows(const TenantName& tenant);
  // Whether any serves it. Suspends.
  bool Has(const TenantName& tenant);
  // Those that any serves. Does not suspend.
  std::vector<TenantName> names() const;
  std::string PathOf(const TenantName& tenant) const { return cores_.front().tenants.PathOf(tenant); }
  // The table of the cores, and what is the same wherever the tenant is: its files.
  tenant::TenantCores& table() { return table_; }
  tenant::LocalTenants& files() { return cores_.front().tenants; }

 private:
  size_t AskHome(const TenantName& tenant) const;
  size_t CoreOfMove(const MoveId& move);
  // The first for which `is_it(CoreTenants&)` holds there. Suspends.
  template <typename Condition>
  std::optional<size_t> FirstCore(Condition is_it) {
    for (size_t core = 0; core < cores_.size(); ++core)
      if (runtime::CallOn(cores_[core].core, [&] { return is_it(cores_[core]); })) return core;
    return std::nullopt;
  }
  Result<StreamAnswer> RunAt(size_t core, const StreamCall& call, net::Caller* caller);
  bool IsServed(size_t core, const StreamCall& call);
  Result<StreamAnswer> GoOnAt(size_t core, const StreamCall& call, StreamAnswer done, net::Caller* caller);
  net::Answer Handle(const net::HttpRequest& request, pace::Sensor& sensor);

  tenant::TenantCores& table_;
  const move::Journal* journal_ = nullptr;
  std::vector<CoreTenants> cores_;
};

}  // namespace tradewind::gateway
