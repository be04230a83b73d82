// The side of the node that hosts the catalog: answers what remote_catalog.h asks. How the two strings travel
// is the node's matter.
//
//   operation   register-node, set-draining, nodes, create-tenant, tenant, tenants, quotas, set-quotas, tenant-counts,
//               delete-tenant, swap, fence, begin-move, set-move-state, save-receipt, set-move-options,
//               move, moves, live-moves
//   request     a JSON object with the operation's arguments by name
//   answer      {"result": …} or {"error": {"kind", "code", "message", "action"}}
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "net/http_client.h"
#include "net/routes.h"
#include "runtime/core.h"

namespace tradewind::catalog {

// Always gives an answer, also to a request that makes no sense (OPERATION_UNKNOWN, CATALOG_MESSAGE).
// Suspends.
std::string AnswerCatalogCall(Catalog& catalog, std::string_view operation, std::string_view request);

// Adds the calls of other nodes to the catalog of this one; null: it has none, and they are told so
// (NOT_THE_CATALOG). They are answered before the node serves: others need it to start.
void AddCatalogRoute(net::Routes& routes, Catalog* catalog);

// The catalog of the node at a URL. The client must outlive it.
std::unique_ptr<Catalog> CatalogAt(runtime::Core& core, net::HttpClient& client, std::string url);

}  // namespace tradewind::catalog
