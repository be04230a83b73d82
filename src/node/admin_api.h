// The admin HTTP API, version 1: tenants, imports, exports, moves, nodes. The commands use it and nothing
// else.
//
// Every node answers every call: one that belongs to a certain node (the owner of a tenant, the sender of a
// move, the holder of a transfer) is sent there (forwarding.h). Errors are JSON, by api_error.h.
//
// This core only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/catalog.h"
#include "net/http.h"
#include "node/context.h"
#include "node/forwarding.h"
#include "node/move_calls.h"
#include "node/transfers.h"

namespace tradewind::node {

class Directory;
class Drain;
class LocalTenants;
class Moves;
class TenantMaker;

class AdminApi {
 public:
  // What it lets callers do things with. All of it must outlive it.
  struct Parts {
    Directory& directory;
    LocalTenants& tenants;
    Moves& moves;
    TenantMaker& maker;
    Drain& drain;
    Transfers& transfers;
    Forwarding& forwarding;
  };
  AdminApi(const Context& context, const Parts& parts)
      : context_(context), parts_(parts), move_calls_(context, parts.moves, parts.forwarding) {}

  // Whether the path is one of this API's.
  bool Handles(const net::HttpRequest& request) const;
  // Suspends.
  net::HttpResponse Handle(const net::HttpRequest& request);

 private:
  struct Call {
    const net::HttpRequest& request;
    std::string name;  // The segment of the path that stands for '*'.
  };
  struct Route {
    std::string_view method;
    std::string_view path;  // A segment '*' is a name.
    Answer (AdminApi::*run)(const Call&);
  };
  static const std::vector<Route>& Routes();
  static Result<void> CheckBody(const Route& route, const net::HttpRequest& request);

  Answer CreateTenant(const Call& call);
  Answer ListTenants(const Call& call);
  Answer ShowTenant(const Call& call);
  Answer SetTenant(const Call& call);
  Answer DeleteTenant(const Call& call);

  Answer BeginImport(const Call& call);
  Answer WriteImport(const Call& call);
  Answer CommitImport(const Call& call);
  Answer DropImport(const Call& call);
  Answer BeginExport(const Call& call);
  Answer ReadExport(const Call& call);
  Answer DropExport(const Call& call);

  Answer StartMove(const Call& call);
  Answer ListMoves(const Call& call);
  Answer ShowMove(const Call& call);
  Answer SetMove(const Call& call);
  Answer CancelMove(const Call& call);

  Answer ListNodes(const Call& call);
  Answer ForgetNode(const Call& call);
  Answer StartDrain(const Call& call);
  Answer ShowDrain(const Call& call);
  Answer Undrain(const Call& call);

  // Runs `here` on the node that holds the transfer that the call names.
  Answer AtHolder(const Call& call, runtime::Duration patience, const std::function<Answer()>& here);
  // The answer that shows a tenant of this node.
  net::HttpResponse ShowHere(int status, const cluster::TenantRecord& record);
  // Where a new tenant goes: to the node that was named, else to this one, unless it is being drained. Fails
  // with NODE_DRAINING, NO_NODE_TAKES_TENANTS. Suspends.
  Result<NodeName> HomeOf(const std::optional<NodeName>& wanted, const Call& call);

  const Context& context_;
  const Parts parts_;
  MoveCalls move_calls_;
};

}  // namespace tradewind::node
