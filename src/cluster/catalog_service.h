// The side of the node that hosts the catalog: answers what remote_catalog.h asks. How the two strings travel
// is the node's matter.
//
//   operation   register-node, set-draining, nodes, create-tenant, tenant, tenants, tenant-counts,
//               delete-tenant, swap, fence, begin-move, set-move-state, save-receipt, set-move-options,
//               move, moves, live-moves
//   request     a JSON object with the operation's arguments by name
//   answer      {"result": …} or {"error": {"kind", "code", "message", "action"}}
#pragma once

#include <string>
#include <string_view>

#include "cluster/catalog.h"

namespace tradewind::cluster {

// Always gives an answer, also to a request that makes no sense (OPERATION_UNKNOWN, CATALOG_MESSAGE).
// Suspends.
std::string AnswerCatalogCall(Catalog& catalog, std::string_view operation, std::string_view request);

}  // namespace tradewind::cluster
