// The tables in the embedded catalog's file: how they are made and brought up to date, and what must be true of
// their rows. Every function runs within a transaction of the caller, which ends it with what they return.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/core.h"
#include "sql/value.h"

namespace tradewind::catalog {

inline constexpr std::string_view kCatalogFormatCode = "CATALOG_FORMAT";

inline constexpr std::string_view kTenantColumns =
    "SELECT name, engine, owner, epoch, created_at_ms, move, objective, sqlite, quotas FROM tenants";
inline constexpr std::string_view kMoveColumns =
    "SELECT id, tenant, source, destination, method, epoch_before, state, receipt, started_at_ms, "
    "ended_at_ms, options FROM moves";

inline constexpr std::string_view kNodeColumns = "SELECT name, url, draining, sqlite FROM nodes";

// Runs one statement on the file.
using CatalogQuery =
    std::function<Result<std::vector<std::vector<sql::Value>>>(std::string_view, std::vector<sql::Value>)>;

// Makes the tables of an empty file, or brings those of an earlier version up to date. Fails with CATALOG_FORMAT
// (kCorrupt) when a later version wrote them, and with CATALOG_CORRUPT.
Result<void> PrepareTables(runtime::Core& core, const CatalogQuery& run, const std::string& path);

// Fails with CATALOG_CORRUPT when a row holds what no row can, or rows contradict each other.
Result<void> CheckRows(const CatalogQuery& run);

// CATALOG_CORRUPT when there is not just one.
Result<std::string> ClusterIdIn(const CatalogQuery& run);

}  // namespace tradewind::catalog
