// The records of the catalog as JSON, as they travel between nodes. Included by .cc files only: it brings
// Boost.JSON.
//
// Missing fields and fields of another type fail with CATALOG_MESSAGE (kCorrupt); fields that are not known
// are ignored, so that a newer node may send more. A node's "draining", a tenant's "objective" and a move's
// "options" may be missing: an older node does not send them. So may all but the node of a registration.
#pragma once

#include <boost/json.hpp>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"

namespace tradewind::catalog {

using JsonObject = boost::json::object;

JsonObject ToJson(const NodeRecord& node);
JsonObject ToJson(const Registration& registration);
JsonObject ToJson(const Membership& membership);
JsonObject ToJson(const TenantRecord& tenant);
JsonObject ToJson(const MoveRecord& move);
JsonObject ToJson(const Ownership& ownership);
JsonObject ToJson(const SwapOutcome& outcome);
JsonObject ToJson(const MoveOutcome& outcome);
JsonObject ToJson(const Error& error);

template <typename Record>
boost::json::array ToJson(const std::vector<Record>& records) {
  boost::json::array array;
  for (const Record& record : records) array.push_back(ToJson(record));
  return array;
}

Result<JsonObject> ParseObject(std::string_view text);
Result<std::string> TextField(const JsonObject& object, std::string_view name);
Result<bool> BooleanField(const JsonObject& object, std::string_view name);
Result<const JsonObject*> ObjectField(const JsonObject& object, std::string_view name);
Result<MoveState> StateField(const JsonObject& object, std::string_view name);

Result<void> FromJson(const JsonObject& object, NodeRecord& node);
Result<void> FromJson(const JsonObject& object, Registration& registration);
Result<void> FromJson(const JsonObject& object, Membership& membership);
Result<void> FromJson(const JsonObject& object, TenantRecord& tenant);
Result<void> FromJson(const JsonObject& object, MoveRecord& move);
Result<void> FromJson(const JsonObject& object, Ownership& ownership);
Result<void> FromJson(const JsonObject& object, SwapOutcome& outcome);
Result<void> FromJson(const JsonObject& object, MoveOutcome& outcome);
Result<void> FromJson(const JsonObject& object, Error& error);

tl::unexpected<Error> MessageCorrupt(std::string_view what);

}  // namespace tradewind::catalog
