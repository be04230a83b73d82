#include "sqlite/sql_text.h"

#include <gtest/gtest.h>

namespace tradewind::sqlite {
namespace {

TEST(SqlText, BlanksAreWhiteSpaceCommentsAndSemicolons) {
  EXPECT_EQ(BlankLength("select 1"), 0u);
  EXPECT_EQ(BlankLength(" ;\n-- note\n/* a; b */ select"), 22u);
  EXPECT_EQ(BlankLength("-- only a comment"), 17u);
  EXPECT_EQ(BlankLength("/* never closed"), 15u);
  EXPECT_EQ(BlankLength("-1"), 0u);
}

TEST(SqlText, FirstWordSkipsWhatIsBlank) {
  EXPECT_EQ(FirstWord("  /* x */ Vacuum into 'f'"), "Vacuum");
  EXPECT_EQ(FirstWord("(select 1)"), "");
  EXPECT_TRUE(EqualsIgnoringCase("VaCuUm", "VACUUM"));
  EXPECT_FALSE(EqualsIgnoringCase("VACUUMS", "VACUUM"));
}

TEST(SqlText, BeginReadonlyIsRecognisedInTheFormsOfClients) {
  EXPECT_EQ(ReadonlyBeginLength("BEGIN TRANSACTION READONLY"), 26u);
  EXPECT_EQ(ReadonlyBeginLength("begin readonly; select 1"), 15u);
  EXPECT_EQ(ReadonlyBeginLength("/* r */ Begin /* x */ ReadOnly  "), 32u);
}

TEST(SqlText, OtherStatementsAreNotBeginReadonly) {
  EXPECT_EQ(ReadonlyBeginLength("BEGIN"), 0u);
  EXPECT_EQ(ReadonlyBeginLength("BEGIN IMMEDIATE"), 0u);
  EXPECT_EQ(ReadonlyBeginLength("BEGIN READONLY select 1"), 0u);
  EXPECT_EQ(ReadonlyBeginLength("BEGIN READONLYX"), 0u);
  EXPECT_EQ(ReadonlyBeginLength(""), 0u);
}

TEST(SqlText, ClausesAreCountedInTheFirstStatementOnly) {
  EXPECT_EQ(ClauseCount("insert into t values (1), (2), (3)"), 1u);
  EXPECT_EQ(ClauseCount("WITH a AS (SELECT 1), b AS(VALUES (1)) SELECT * FROM a; SELECT 1"), 5u);
  EXPECT_EQ(
      ClauseCount("SELECT 'select', \"values\", [select], `as (` -- select\n /* select */ AS x, selects"),
      1u);
  EXPECT_EQ(ClauseCount("CREATE TRIGGER r INSERT ON t BEGIN SELECT 1; SELECT (SELECT 2); END; SELECT 1"), 2u);
  EXPECT_EQ(ClauseCount("SELECT 'never closed"), 1u);
  EXPECT_EQ(ClauseCount(""), 0u);
}

}  // namespace
}  // namespace tradewind::sqlite
