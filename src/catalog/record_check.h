// What a record of the catalog can hold. Whatever comes out of a file or from another node is asked before it is
// believed, and what goes into the file before it is written: so a node never finds its own catalog damaged
// because somebody said something odd to it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"
#include "catalog/catalog.h"

namespace tradewind::catalog {

// Epochs start at 1 and are far from the end of what JSON and SQLite keep exactly.
bool IsSound(Epoch epoch);
// A moment from 1970 up to the year 10000.
bool IsSoundTime(int64_t unix_ms);
// A short text of printable ASCII, or none.
bool IsSoundText(std::string_view text);

// The name of a field that cannot be; empty when there is none.
std::string_view UnsoundField(const NodeRecord& node);
std::string_view UnsoundField(const TenantRecord& tenant);
std::string_view UnsoundField(const MoveRecord& move);
std::string_view UnsoundField(const Registration& registration);

}  // namespace tradewind::catalog
