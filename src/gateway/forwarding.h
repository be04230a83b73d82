// Calls of the admin API on their way to the node that they belong to. Any node takes any call; it carries
// out its own and sends the others on, as they are, with the header x-tradewind-forwarded. A call that bears
// it is never sent on again, so no call circles: when the thing is not here (any more), the answer says so,
// and the node that was asked first looks again.
//
// Core 0 only.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"
#include "net/http.h"
#include "runtime/core.h"

namespace tradewind::gateway {

// kUnavailable: the tenant is at another node by now, and nothing was done.
inline constexpr std::string_view kMovedAwayCode = "TENANT_MOVED_AWAY";
// kUnavailable: the node that the call belongs to got nothing of it.
inline constexpr std::string_view kPeerUnreachableCode = "PEER_UNREACHABLE";

bool IsForwarded(const net::HttpRequest& request);

class Forwarding {
 public:
  // `note_if_lost` is told of a tenant that is this node's by the catalog, and not here: if its files were lost,
  // `tenants` know it from then on, and why it cannot be served.
  using NoteIfLost = std::function<void(const TenantName&)>;
  Forwarding(const catalog::Member& member, catalog::Directory& directory, NodeTenants& tenants,
             NoteIfLost note_if_lost)
      : member_(member), directory_(directory), tenants_(tenants), note_if_lost_(std::move(note_if_lost)) {}

  // Runs `here` if this is the node, else sends the call there. Fails with NODE_NOT_FOUND, PEER_UNREACHABLE,
  // or PEER_ANSWER_LOST (kTimeout: it may have been carried out). Suspends.
  net::Answer AtNode(const NodeName& to, const net::HttpRequest& request, runtime::Duration patience,
                     const std::function<net::Answer()>& here);

  // The same at the tenant's owner, with the catalog's record, which names this node. Follows a tenant that
  // changes its owner meanwhile, for limits::kNodeCall. Fails also with TENANT_NOT_FOUND and
  // TENANT_MOVED_AWAY. Suspends.
  using AtHome = std::function<net::Answer(const catalog::TenantRecord&)>;
  net::Answer AtOwner(const TenantName& tenant, const net::HttpRequest& request, runtime::Duration patience,
                      const AtHome& here);

  // Sends the call to another node, once. Fails as AtNode does. Suspends.
  net::Answer Send(const NodeName& to, const net::HttpRequest& request, runtime::Duration patience);

 private:
  net::Answer TryAtOwner(const catalog::TenantRecord& record, const net::HttpRequest& request,
                         runtime::Duration patience, const AtHome& here);

  const catalog::Member& member_;
  catalog::Directory& directory_;
  NodeTenants& tenants_;
  const NoteIfLost note_if_lost_;
};

}  // namespace tradewind::gateway
