// Any bytes as SQL of a client, before SQLite sees it: a script must fall into statements that together are all of it.
#include "sql/sql_text.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  std::string_view sql(reinterpret_cast<const char*>(bytes), size);
  while (!sql.empty()) {
    TW_CHECK(sql::BlankLength(sql) <= sql.size(), "blanks end with the text");
    static_cast<void>(sql::FirstWord(sql));
    TW_CHECK(sql::ReadonlyBeginOf(sql).length <= sql.size(), "a statement ends with the text");
    static_cast<void>(sql::ClauseCount(sql));
    const auto extent = sql::FirstStatement(sql);
    TW_CHECK(extent.begin <= extent.end && extent.end <= extent.length && extent.length <= sql.size(),
             "a statement lies within its text");
    TW_CHECK(extent.length > 0, "a script comes to its end");
    sql.remove_prefix(extent.length);
  }
  return 0;
}
