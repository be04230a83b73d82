// How large the tenants of a node are, as it tells the others for a list of all.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/tenant_json.h"
#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"

namespace tradewind::admin {

inline constexpr std::string_view kSizesPath = "/v1/internal/sizes";

// What is not known is left out: never a size that is not so.
using TenantSizes = std::map<TenantName, TenantSize>;

// Of the tenants of this node; none is opened for that. Core 0 only, as the next. Suspends.
TenantSizes SizesHere(gateway::NodeTenants& tenants);
// Of the tenants in the records, wherever they are: each node is asked once, all at the same time, and none is
// waited for longer than limits::kNodeProbe. Suspends.
TenantSizes SizesEverywhere(const catalog::Member& member, catalog::Directory& directory,
                            gateway::NodeTenants& tenants, const std::vector<catalog::TenantRecord>& records);

std::string EncodeSizes(const TenantSizes& sizes);
// Fails with SIZES_INVALID (kCorrupt).
Result<TenantSizes> DecodeSizes(std::string_view text);

}  // namespace tradewind::admin
