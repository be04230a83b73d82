// Calls of the admin API on their way to the node that they belong to. Any node takes any call; it carries
// out its own and sends the others on, as they are, with the header x-tradewind-forwarded. A call that bears
// it is never sent on again, so no call circles: when the thing is not here (any more), the answer says so,
// and the node that was asked first looks again.
//
// This core only.
#pragma once

#include <functional>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "cluster/catalog.h"
#include "net/http.h"
#include "node/context.h"
#include "runtime/core.h"

namespace tradewind::node {

class Directory;
class LocalTenants;
class TenantMaker;

// kUnavailable: the tenant is at another node by now, and nothing was done.
inline constexpr std::string_view kMovedAwayCode = "TENANT_MOVED_AWAY";
// kUnavailable: the node that the call belongs to got nothing of it.
inline constexpr std::string_view kPeerUnreachableCode = "PEER_UNREACHABLE";

// What another node answered, whatever its status; an Error is ours to answer.
using Answer = Result<net::HttpResponse>;

bool IsForwarded(const net::HttpRequest& request);

class Forwarding {
 public:
  Forwarding(const Context& context, Directory& directory, LocalTenants& tenants, TenantMaker& maker)
      : context_(context), directory_(directory), tenants_(tenants), maker_(maker) {}

  // Runs `here` if this is the node, else sends the call there. Fails with NODE_NOT_FOUND, PEER_UNREACHABLE,
  // or PEER_ANSWER_LOST (kTimeout: it may have been carried out). Suspends.
  Answer AtNode(const NodeName& to, const net::HttpRequest& request, runtime::Duration patience,
                const std::function<Answer()>& here);

  // The same at the tenant's owner, with the catalog's record, which names this node. Follows a tenant that
  // changes its owner meanwhile, for limits::kNodeCall. Fails also with TENANT_NOT_FOUND and
  // TENANT_MOVED_AWAY. Suspends.
  using AtHome = std::function<Answer(const cluster::TenantRecord&)>;
  Answer AtOwner(const TenantName& tenant, const net::HttpRequest& request, runtime::Duration patience,
                 const AtHome& here);

  // Sends the call to another node, once. Fails as AtNode does. Suspends.
  Answer Send(const NodeName& to, const net::HttpRequest& request, runtime::Duration patience);

 private:
  Answer TryAtOwner(const cluster::TenantRecord& record, const net::HttpRequest& request,
                    runtime::Duration patience, const AtHome& here);

  const Context& context_;
  Directory& directory_;
  LocalTenants& tenants_;
  TenantMaker& maker_;
};

}  // namespace tradewind::node
