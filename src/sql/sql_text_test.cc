#include "sql/sql_text.h"

#include <gtest/gtest.h>

namespace tradewind::sql {
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
}

TEST(SqlText, AByteOrderMarkIsABlankWhereATokenMayBegin) {
  EXPECT_EQ(BlankLength("\uFEFFselect 1"), 3u);
  EXPECT_EQ(BlankLength("\uFEFF \uFEFF;\r\n\uFEFF-- x"), 17u);
  EXPECT_EQ(FirstWord("\uFEFFVACUUM"), "VACUUM");
  EXPECT_EQ(FirstWord("VACUUM\uFEFF"), "VACUUM\uFEFF");
}

TEST(SqlText, BeginReadonlyIsRecognisedInTheFormsOfClients) {
  const auto length = [](std::string_view sql) { return ReadonlyBeginOf(sql).length; };
  EXPECT_EQ(length("BEGIN TRANSACTION READONLY"), 26u);
  EXPECT_EQ(length("begin readonly; select 1"), 15u);
  EXPECT_EQ(length("/* r */ Begin /* x */ ReadOnly  "), 32u);
  EXPECT_EQ(length("BEGIN DEFERRED TRANSACTION READONLY"), 35u);
  EXPECT_EQ(length("BEGIN READONLY TRANSACTION"), 26u);
  EXPECT_EQ(length("BEGIN READONLY TRANSACTION t;"), 29u);
  EXPECT_EQ(length("\uFEFFBEGIN\r\nREADONLY;"), 19u);
  EXPECT_TRUE(ReadonlyBeginOf("BEGIN IMMEDIATE TRANSACTION READONLY").contradicts_itself);
  EXPECT_TRUE(ReadonlyBeginOf("BEGIN EXCLUSIVE TRANSACTION readonly;").contradicts_itself);
  EXPECT_FALSE(ReadonlyBeginOf("BEGIN READONLY").contradicts_itself);
}

TEST(SqlText, OtherStatementsAreNotBeginReadonly) {
  for (const std::string_view sql :
       {"BEGIN", "BEGIN IMMEDIATE", "BEGIN IMMEDIATE READONLY", "BEGIN DEFERRED READONLY",
        "BEGIN TRANSACTION", "BEGIN TRANSACTION t", "BEGIN READONLY select 1", "BEGIN READONLYX",
        "BEGIN READONLY READONLY", "BEGIN TRANSACTION \"READONLY\"", "COMMIT TRANSACTION READONLY", ""})
    EXPECT_EQ(ReadonlyBeginOf(sql).length, 0u) << sql;
}

TEST(SqlText, AStatementEndsWhereSqliteEndsIt) {
  const auto rest = [](std::string_view sql) { return sql.substr(FirstStatement(sql).length); };
  EXPECT_EQ(rest("select 1;select 2"), "select 2");
  EXPECT_EQ(rest("select 1"), "");
  EXPECT_EQ(rest(" ;; -- ; \n"), "");
  EXPECT_EQ(rest("select ';', \";\", `;`, [;], '''; ' -- ;\n /* ; */;rest"), "rest");
  EXPECT_EQ(rest("select 'never closed;"), "");
  EXPECT_EQ(rest("select 1 /* never closed;"), "");
  EXPECT_EQ(rest("create /* x */ temp trigger r insert on t begin select case 1 when 1 then 2 end; "
                 "select 1; end;rest"),
            "rest");
  EXPECT_EQ(rest("\uFEFFexplain query plan create trigger r insert on t begin select 1; end ;rest"), "rest");
  EXPECT_EQ(rest("create table trigger_log(a);rest"), "rest");
  EXPECT_EQ(rest("create table t(trigger);end;rest"), "end;rest");
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
}  // namespace tradewind::sql
