// A tenant as the admin API shows it. Included by .cc files only: it brings Boost.JSON.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "runtime/disk.h"
#include "tenant/hosted_tenant.h"

namespace tradewind::admin {

using tenant::TenantSize;

// Of the main file of an SQLite tenant that need not be open: what the last checkpoint left. None when the file
// cannot be read; a tenant that was never used has none. Suspends.
std::optional<TenantSize> SizeOnDisk(runtime::Disk& disk, const std::string& path);

// Sizes are null where they are not known.
boost::json::object TenantJson(const catalog::TenantRecord& record, const std::optional<TenantSize>& size);

}  // namespace tradewind::admin
