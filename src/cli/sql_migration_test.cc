#include "cli/sql_migration.h"

#include <gtest/gtest.h>

namespace tradewind::cli {
namespace {

std::string CodeOf(std::string_view sql) {
  const auto migration = MakeMigration("001.sql", sql);
  return migration ? "no error" : migration.error().code;
}

TEST(Migration, HasTheStatementsOfItsFileAndIsKnownByNameAndText) {
  const auto one = MakeMigration("001.sql", "-- first\nCREATE TABLE t(x);\nINSERT INTO t VALUES(';');\n");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->name, "001.sql");
  EXPECT_EQ(one->statements, (std::vector<std::string>{"CREATE TABLE t(x)", "INSERT INTO t VALUES(';')"}));
  EXPECT_EQ(one->hash,
            MakeMigration("002.sql", "-- first\nCREATE TABLE t(x);\nINSERT INTO t VALUES(';');\n")->hash);
  EXPECT_NE(one->hash, MakeMigration("001.sql", "CREATE TABLE t(x)")->hash);
}

TEST(Migration, IsOneTransactionAndSoHasNoneOfItsOwn) {
  EXPECT_EQ(CodeOf(" -- nothing\n;"), "SQL_NO_STATEMENT");
  for (const char* sql :
       {"BEGIN", "select 1; /* now */ commit", "end transaction", "rollback", "savepoint a", "release a",
        "vacuum", "PRAGMA foreign_keys = OFF", "pragma /* x */ Foreign_Keys(0)"})
    EXPECT_EQ(CodeOf(sql), "MIGRATION_HAS_TRANSACTION") << sql;
  for (const char* sql :
       {"PRAGMA defer_foreign_keys = ON", "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END;",
        "SELECT 'begin'", "PRAGMA user_version = 3"})
    EXPECT_EQ(CodeOf(sql), "no error") << sql;
}

TEST(Migration, GoesToTheTenantsWhoseWholeNameMatches) {
  EXPECT_TRUE(MatchesGlob("*", "shop"));
  EXPECT_TRUE(MatchesGlob("cust-?[0-9]", "cust-a7"));
  EXPECT_FALSE(MatchesGlob("cust", "cust-1"));
  EXPECT_FALSE(MatchesGlob("cust-[0-9]", "cust-a"));
  EXPECT_TRUE(MatchesGlob("shop", "shop"));
}

}  // namespace
}  // namespace tradewind::cli
