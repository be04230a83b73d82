// The admin HTTP API, version 1: tenants, imports, exports, moves, nodes. The commands use it and nothing
// else.
//
// Every node answers every call: one that belongs to a certain node (the owner of a tenant, the sender of a
// move, the holder of a transfer) is sent there (forwarding.h). Errors are JSON, by api_error.h.
//
// Core 0 only: what comes in on another one is sent there.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/move_calls.h"
#include "admin/transfers.h"
#include "balance/drain.h"
#include "catalog/catalog.h"
#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/forwarding.h"
#include "gateway/node_tenants.h"
#include "net/http.h"
#include "net/routes.h"

namespace tradewind::mariadb {
struct TenantAccount;
}

namespace tradewind::admin {

class CoreChange;
class TenantMaker;
struct SetTenantRequest;

class AdminApi {
 public:
  // What it lets callers do things with. All of it must outlive it.
  struct Parts {
    catalog::Directory& directory;
    gateway::NodeTenants& tenants;
    TenantMaker& maker;
    CoreChange& core_change;
    balance::Drain& drain;
    Transfers& transfers;
    gateway::Forwarding& forwarding;
    // Null where another node has the catalog; then at this URL.
    catalog::EmbeddedCatalog* catalog = nullptr;
    std::string catalog_url = {};
  };
  AdminApi(const catalog::Member& member, const Parts& parts)
      : member_(member), parts_(parts), move_calls_(member, parts.tenants, parts.forwarding) {}

  // Adds all of /v1 but what nodes ask of one another, and of that the sizes of tenants. Handlers suspend.
  void AddRoutes(net::Routes& routes);

 private:
  using Call = net::Call;

  net::Answer CreateTenant(const Call& call);
  // A tenant that was just made here.
  net::Answer ShowMade(const catalog::TenantRecord& record);
  net::Answer ResetPassword(const Call& call);
  net::Answer ShowAccount(const catalog::TenantRecord& record, const mariadb::TenantAccount& account);
  net::Answer ListTenants(const Call& call);
  net::Answer ShowTenant(const Call& call);
  net::Answer SetTenant(const Call& call);
  net::Answer DeleteTenant(const Call& call);
  Result<catalog::TenantRecord> SetQuotas(const catalog::TenantRecord& record, const SetTenantRequest& set);

  net::Answer BeginImport(const Call& call);
  net::Answer WriteImport(const Call& call);
  net::Answer CommitImport(const Call& call);
  net::Answer DropImport(const Call& call);
  net::Answer BeginExport(const Call& call);
  net::Answer ReadExport(const Call& call);
  net::Answer BackUpCatalog(const Call& call);
  net::Answer DropExport(const Call& call);

  net::Answer StartMove(const Call& call);
  net::Answer ListMoves(const Call& call);
  net::Answer ShowMove(const Call& call);
  net::Answer SetMove(const Call& call);
  net::Answer CancelMove(const Call& call);

  net::Answer ListNodes(const Call& call);
  net::Answer ForgetNode(const Call& call);
  net::Answer StartDrain(const Call& call);
  net::Answer ShowDrain(const Call& call);
  net::Answer Undrain(const Call& call);

  // Runs `here` on the node that holds the transfer that the call names.
  net::Answer AtHolder(const Call& call, runtime::Duration patience,
                       const std::function<net::Answer()>& here);
  // What shows a tenant of this node; and the answer that does.
  boost::json::object ShowTenantHere(const catalog::TenantRecord& record);
  net::HttpResponse ShowHere(int status, const catalog::TenantRecord& record);
  // Where a new tenant goes: to the node that was named, else to this one, unless it is being drained. Fails
  // with NODE_DRAINING, NO_NODE_TAKES_TENANTS. Suspends.
  Result<NodeName> HomeOf(const std::optional<NodeName>& wanted, const Call& call);

  const catalog::Member& member_;
  const Parts parts_;
  MoveCalls move_calls_;
};

}  // namespace tradewind::admin
