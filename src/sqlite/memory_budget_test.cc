#include "sqlite/memory_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

using testing::StartsWith;

class MemoryBudgetTest : public DatabaseFixture {};

// Tables that double each other.
std::string Doubling(int times) {
  std::string sql = "WITH c0 (x) AS (SELECT 1)";
  for (int at = 1; at <= times; ++at) {
    const std::string before = "c" + std::to_string(at - 1);
    sql += ", c" + std::to_string(at) + " (x) AS (SELECT x FROM " + before + " UNION ALL SELECT x FROM " +
           before + ")";
  }
  return sql + " SELECT count(*) FROM c" + std::to_string(times);
}

TEST_F(MemoryBudgetTest, AStatementThatExplodesWhenItIsCompiledIsRefused) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, Doubling(8)), "256");
    for (const int times : {24, 200})
      EXPECT_THAT(Ask(connection, Doubling(times)), StartsWith("SQL_TOO_COMPLEX")) << times;
    EXPECT_EQ(CodeOf(connection.Describe(Doubling(24))), "SQL_TOO_COMPLEX");
    EXPECT_EQ(Ask(connection, Doubling(8)), "256");
  });
}

TEST_F(MemoryBudgetTest, ViewsThatDoubleEachOtherOrAreAChainAreRefused) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE VIEW d0 AS SELECT 1 AS x"), "");
    EXPECT_EQ(Ask(connection, "CREATE VIEW e0 AS SELECT 1 AS x"), "");
    for (int at = 1; at <= 24; ++at) {
      const std::string was = std::to_string(at - 1);
      for (const char* name : {"d", "e"})
        EXPECT_EQ(Ask(connection, "CREATE VIEW " + (name + std::to_string(at)) + " AS SELECT x FROM d" + was +
                                      " UNION ALL SELECT x FROM e" + was),
                  "");
    }
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM d8"), "256");
    EXPECT_FALSE(connection.Run({.sql = "SELECT count(*) FROM d24"}));
    EXPECT_EQ(Ask(connection, "CREATE VIEW v0 AS SELECT 1 AS x"), "");
    for (int at = 1; at < 1'500; ++at)
      ASSERT_EQ(Ask(connection, "CREATE VIEW v" + std::to_string(at) + " AS SELECT DISTINCT x FROM v" +
                                    std::to_string(at - 1) + " LIMIT 5"),
                "");
    EXPECT_EQ(Ask(connection, "SELECT x FROM v100"), "1");
    EXPECT_THAT(Ask(connection, "SELECT x FROM v1499"), StartsWith("SQL_TOO_COMPLEX"));
    EXPECT_EQ(Ask(connection, "SELECT x FROM v100"), "1");
  });
}

TEST_F(MemoryBudgetTest, ALongTextMayTakeMore) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (a, b, c)"), "");
    std::string sql = "INSERT INTO t VALUES (1,2,3)";
    for (int row = 1; row < 100'000; ++row) sql += ",(1,2,3)";
    EXPECT_EQ(Ask(connection, sql), "");
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "100000");
  });
}

TEST_F(MemoryBudgetTest, WhatAStatementKeepsInMemoryIsBoundedAndWhatItDidIsUndone) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (v)"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (1)"), "");
    const std::string rows =
        "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000) SELECT ";
    const std::string statements[] = {
        rows + "count(DISTINCT zeroblob(20000000 + x)) FROM c",
        rows + "zeroblob(20000000 + x) AS b FROM c ORDER BY b LIMIT 1 OFFSET 100",
        "INSERT INTO t SELECT 2 FROM (" + rows + "zeroblob(20000000 + x) AS b FROM c ORDER BY b)"};
    for (const std::string& sql : statements) {
      EXPECT_THAT(Ask(connection, sql), StartsWith("STATEMENT_TOO_LARGE")) << sql;
      EXPECT_TRUE(connection.autocommit());
      EXPECT_EQ(Ask(connection, "SELECT * FROM t"), "1");
    }
    EXPECT_EQ(Ask(connection, "BEGIN"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (3)"), "");
    EXPECT_THAT(Ask(connection, statements[2]), StartsWith("STATEMENT_TOO_LARGE"));
    Ask(connection, "ROLLBACK");
    EXPECT_EQ(Ask(connection, "SELECT * FROM t"), "1");
    EXPECT_EQ(Ask(connection, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (2)"), "");
  });
}

}  // namespace
}  // namespace tradewind::sqlite
