// Statements as deep and as wide as SQLite itself allows are taken, and find room on a fiber's stack.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "sqlite/connection.h"
#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

using SqliteLimits = DatabaseFixture;

std::string Repeat(const std::string& text, int times) {
  std::string out;
  for (; times > 0; --times) out += text;
  return out;
}
std::string Nest(const std::string& open, const std::string& middle, const std::string& close, int depth) {
  return Repeat(open, depth) + middle + Repeat(close, depth);
}

// How deep the stack below this frame was used by `body`. What lies there is overwritten before, and looked at after.
#if defined(__SANITIZE_ADDRESS__)
#define TW_UNCHECKED __attribute__((no_sanitize("address"), noinline))
#else
#define TW_UNCHECKED __attribute__((noinline))
#endif
constexpr size_t kPaintedBytes = limits::kFiberStackBytes - (1u << 20);
constexpr size_t kSpared = 64u << 10;  // The frames of the functions that paint and look.
constexpr uint64_t kPaint = 0xa5a5a5a5a5a5a5a5u;

TW_UNCHECKED void Paint(volatile uint64_t* top) {
  for (size_t i = kSpared / 8; i < kPaintedBytes / 8; ++i) *(top - i) = kPaint;
}
TW_UNCHECKED size_t UsedBelow(volatile uint64_t* top) {
  size_t used = kPaintedBytes / 8;
  while (used > kSpared / 8 && *(top - used + 1) == kPaint) --used;
  return used * 8;
}

TEST_F(SqliteLimits, AreNoLowerThanItsOwn) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (a, b, c)");
    Ask(connection, "INSERT INTO t VALUES (1, 2, 3)");
    EXPECT_EQ(Ask(connection, "SELECT 1" + Repeat("+1", 999)), "1000");
    EXPECT_EQ(Ask(connection, "SELECT " + Repeat("- ", 998) + "a FROM t"), "1");
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM (SELECT 1" + Repeat(" UNION ALL SELECT 2", 499) + ")"),
              "500");
#ifdef TRADEWIND_BUNDLED_SQLITE  // Debian's takes 127 arguments.
    EXPECT_EQ(Ask(connection, "SELECT length(concat('a'" + Repeat(", 'a'", 999) + "))"), "1000");
#endif
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t WHERE a = 1" + Repeat(" OR b = 7", 900)), "1");
    // Beyond them SQLite says what is too much.
    const auto deep = connection.Run({.sql = "SELECT 1" + Repeat("+1", 1000)});
    ASSERT_FALSE(deep);
    EXPECT_THAT(deep.error().message, testing::HasSubstr("maximum depth 1000"));
    const auto wide = connection.Run({.sql = "SELECT 1" + Repeat(" UNION ALL SELECT 2", 500)});
    ASSERT_FALSE(wide);
    EXPECT_THAT(wide.error().message, testing::HasSubstr("too many terms"));
  });
}

TEST_F(SqliteLimits, LeaveMoreThanHalfOfAFibersStack) {
  size_t deepest = 0;
  WithConnection([&](Connection& connection) {
    Ask(connection, "CREATE TABLE t (a, b, c)");
    Ask(connection, "INSERT INTO t VALUES (1, 2, 3)");
    Ask(connection, "CREATE VIEW v AS SELECT " + Nest("abs(", "a", ")", 800) + " AS x FROM t");
    const std::vector<std::pair<std::string, std::string>> around{{"(a BETWEEN b AND ", ")"},
                                                                  {"iif(a, b, ", ")"},
                                                                  {"coalesce(a, ", ")"},
                                                                  {"(1 + ", ")"},
                                                                  {"CASE WHEN a THEN ", " ELSE 2 END"},
                                                                  {"a IN (1, ", ")"},
                                                                  {"(a IN (1, b, ", "))"},
                                                                  {"CAST(", " AS text)"},
                                                                  {"(SELECT a + ", " FROM t)"},
                                                                  {"a IN (SELECT ", " FROM t)"},
                                                                  {"('x' LIKE ", ")"},
                                                                  {"(a, ", ") = (1, 2)"},
                                                                  {"json_extract(", ", '$')"},
                                                                  {"EXISTS(SELECT 1 FROM t WHERE ", ")"},
                                                                  {"max(1, ", ")"}};
    std::vector<std::string> statements{
        "SELECT * FROM v WHERE x", "SELECT 1" + Repeat(" UNION SELECT a FROM t", 499),
        "SELECT * FROM (SELECT 1" + Repeat(" EXCEPT SELECT a FROM t", 499) + ")"};
    for (const int depth : {800, 490, 320})
      for (const auto& [open, close] : around) {
        statements.push_back("SELECT " + Nest(open, "a", close, depth) + " FROM t");
        statements.push_back("SELECT a FROM t WHERE " + Nest(open, "a", close, depth) + " ORDER BY " +
                             Nest(open, "b", close, depth));
        statements.push_back(Nest("SELECT * FROM (", "SELECT * FROM t", ")", depth));
      }
    for (const std::string& sql : statements) {
      volatile uint64_t top = 0;
      Paint(&top);
      static_cast<void>(connection.Run({.sql = sql}));
      deepest = std::max(deepest, UsedBelow(&top));
    }
  });
  RecordProperty("deepest_bytes", static_cast<int>(deepest));
  EXPECT_GT(deepest, 256u << 10) << "the paint shows nothing";
  EXPECT_LT(deepest, limits::kFiberStackBytes / 2);
}

}  // namespace
}  // namespace tradewind::sqlite
