// SQL text as a log may show it: what the statement does, and none of the values in it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tradewind::sql {

// The text without comments, with one blank where there were several, with ? for each number, string and blob, and with
// one of them for a list of such. At most `most` bytes, and ... then. Text between double quotes may be a string to
// SQLite, so it stays only where nothing but a name can stand.
std::string ShapeOf(std::string_view sql, size_t most);

}  // namespace tradewind::sql
