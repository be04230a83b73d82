// Which SQLite this is, and what clients expect of one of today.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <string>

#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

TEST(SqliteVersion, IsThatOfItsHeader) {
  EXPECT_STREQ(sqlite3_sourceid(), SQLITE_SOURCE_ID);
}

#ifdef TRADEWIND_BUNDLED_SQLITE
TEST(SqliteVersion, IsThePinnedOne) {
  EXPECT_STREQ(sqlite3_libversion(), "3.53.2");
  EXPECT_THAT(sqlite3_sourceid(),
              testing::EndsWith("d6e03d8c777cfa2d35e3b60d8ec3e0187f3e9f99d8e2ee9cac695fd6fcdf1a24"));
  EXPECT_EQ(sqlite3_threadsafe(), 2);
}

using SqliteOfToday = DatabaseFixture;

TEST_F(SqliteOfToday, AnswersWhatClientsAskForToday) {
  WithConnection([](Connection& connection) {
    const auto text = [&](const std::string& sql) { return Ask(connection, sql); };
    EXPECT_EQ(text("SELECT json(jsonb('{\"a\":[1,2]}'))"), "{\"a\":[1,2]}");
    EXPECT_EQ(text("SELECT concat('a', NULL, 1)"), "a1");
    EXPECT_EQ(text("SELECT concat_ws('-', 'a', NULL, 1)"), "a-1");
    EXPECT_EQ(text("SELECT string_agg(x, ',' ORDER BY x DESC) FROM (SELECT 'a' AS x UNION SELECT 'b')"),
              "b,a");
    EXPECT_EQ(text("SELECT CAST(unhex('61-62', '-') AS TEXT)"), "ab");
    EXPECT_EQ(text("SELECT if(1, 'yes', 'no')"), "yes");
    EXPECT_EQ(text("SELECT '{\"a\":5}' ->> '$.a'"), "5");
    EXPECT_EQ(text("SELECT \"no such column\""), "no such column") << "double-quoted strings stay on";
  });
}

TEST_F(SqliteOfToday, KeepsWhatDebiansHas) {
  WithConnection([](Connection& connection) {
    for (const char* sql :
         {"CREATE TABLE t(a)", "INSERT INTO t VALUES(1),(2),(3)", "DELETE FROM t ORDER BY a LIMIT 1",
          "UPDATE t SET a = 5 ORDER BY a DESC LIMIT 1", "CREATE VIRTUAL TABLE f USING fts5(x)",
          "CREATE VIRTUAL TABLE g USING fts4(x)", "CREATE VIRTUAL TABLE r USING rtree(i, a, b)"})
      EXPECT_EQ(Ask(connection, sql), "") << sql;
    EXPECT_EQ(Ask(connection, "SELECT group_concat(a) FROM t"), "2,5");
    EXPECT_EQ(Ask(connection, "SELECT soundex('Robert') || round(sqrt(2), 2)"), "R1631.41");
  });
}
#endif

}  // namespace
}  // namespace tradewind::sqlite
