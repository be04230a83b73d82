#include "mysql/statement_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace tradewind::mysql {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// "+GET_LOCK job" for what is taken, "-…" for what is released, "-all …".
std::vector<std::string> Changes(std::string_view sql, bool backslash_escapes = true) {
  std::vector<std::string> whole;
  for (const size_t part : {sql.size() + 1, size_t{1}, size_t{3}}) {
    StatementText text("shop", backslash_escapes);
    for (size_t at = 0; at < sql.size(); at += part) text.OnText(sql.substr(at, part));
    std::vector<std::string> changes;
    for (const TieChange& change : text.Finish()) {
      std::string words = change.does == TieChange::Does::kTakes      ? "+"
                          : change.does == TieChange::Does::kReleases ? "-"
                                                                      : "-all ";
      words += TieName(change.tie);
      if (!change.name.empty()) words += " " + change.name;
      changes.push_back(words);
    }
    if (whole.empty()) whole = changes;
    EXPECT_EQ(changes, whole) << sql << " in parts of " << part;
  }
  return whole;
}

TEST(StatementTextTest, UsualStatementsTieNothing) {
  for (const char* sql : {"",
                          ";",
                          "SELECT 1",
                          "INSERT INTO t VALUES ('GET_LOCK(1)')",
                          "SELECT `GET_LOCK` FROM t",
                          "-- LOCK TABLES t READ",
                          "/* LOCK TABLES t READ */ SELECT 1",
                          "# LOCK TABLES\nSELECT 1",
                          "SELECT 'it''s; LOCK TABLES t READ'",
                          "SELECT 'a\\'; LOCK TABLES t READ; '",
                          "CREATE TABLE t (id INT)",
                          "SET @a = 1, NAMES utf8mb4",
                          "SELECT * FROM t WHERE a = 2*/*x*/3",
                          "SHOW TABLES",
                          "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
                          "UPDATE t SET a = a - 1",
                          "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                          "SELECT 1 /**/ + /***/ 1",
                          "CREATE TABLE temporary (lock INT)",
                          "CALL p()"})
    EXPECT_THAT(Changes(sql), IsEmpty()) << sql;
}

TEST(StatementTextTest, TemporaryTablesAreKnownByTheirNames) {
  EXPECT_THAT(Changes("CREATE TEMPORARY TABLE t (id INT)"), ElementsAre("+a temporary table shop.t"));
  EXPECT_THAT(Changes("create or replace temporary table if not exists `Other`.`T` select 1"),
              ElementsAre("+a temporary table Other.T"));
  EXPECT_THAT(Changes("CREATE TEMPORARY SEQUENCE s"), ElementsAre("+a temporary table shop.s"));
  EXPECT_THAT(Changes("DROP TEMPORARY TABLE IF EXISTS a, b.c"),
              ElementsAre("-a temporary table shop.a", "-a temporary table b.c"));
  EXPECT_THAT(Changes("DROP TABLE a"), ElementsAre("-a temporary table shop.a"));
  EXPECT_THAT(Changes("CREATE TEMPORARY TABLE `a``b` (id INT)"), ElementsAre("+a temporary table"));
}

TEST(StatementTextTest, NamesBelongToTheDatabaseInUse) {
  EXPECT_THAT(Changes("USE b; CREATE TEMPORARY TABLE t (id INT); USE `c`; DROP TABLE t"),
              ElementsAre("+a temporary table b.t", "-a temporary table c.t"));
}

TEST(StatementTextTest, UserLocksHaveNamesWhereTheyAreTexts) {
  EXPECT_THAT(Changes("SELECT GET_LOCK('Job', 10)"), ElementsAre("+GET_LOCK job"));
  EXPECT_THAT(Changes("DO GET_LOCK(\"job\", 10)"), ElementsAre("+GET_LOCK job"));
  EXPECT_THAT(Changes("SELECT RELEASE_LOCK('job')"), ElementsAre("-GET_LOCK job"));
  EXPECT_THAT(Changes("SELECT RELEASE_ALL_LOCKS()"), ElementsAre("-all GET_LOCK"));
  EXPECT_THAT(Changes("SELECT GET_LOCK(name, 10) FROM t"), ElementsAre("+GET_LOCK"));
  EXPECT_THAT(Changes("SELECT 1, get_lock ('job', 1)"), ElementsAre("+GET_LOCK"));
  EXPECT_THAT(Changes("SELECT GET_LOCK('a''b', 1)"), ElementsAre("+GET_LOCK"));
  EXPECT_THAT(Changes("INSERT INTO t SELECT GET_LOCK('a', 1)"), ElementsAre("+GET_LOCK"));
  EXPECT_THAT(Changes("EXECUTE IMMEDIATE 'SELECT gget_Lock(1, 1)'"), ElementsAre("+GET_LOCK"));
  EXPECT_THAT(Changes("PREPARE s FROM 'SELECT GET_LOCK(1, 1)'"), ElementsAre("+PREPARE s", "+GET_LOCK"));
}

TEST(StatementTextTest, WhatMayNotRunReleasesNothing) {
  EXPECT_THAT(Changes("SELECT IF(0, RELEASE_ALL_LOCKS(), 1)"), IsEmpty());
  EXPECT_THAT(Changes("SELECT RELEASE_LOCK('a') FROM t"), IsEmpty());
  EXPECT_THAT(Changes("/*!999999 UNLOCK TABLES */"), IsEmpty());
  EXPECT_THAT(Changes("BEGIN NOT ATOMIC IF @a THEN UNLOCK TABLES; END IF; END"), IsEmpty());
  EXPECT_THAT(Changes("CREATE PROCEDURE p() BEGIN SELECT 1; UNLOCK TABLES; END"), IsEmpty());
  EXPECT_THAT(Changes("CREATE PROCEDURE p() BEGIN SELECT 1; DROP TABLE t; END"), IsEmpty());
  EXPECT_THAT(Changes("BEGIN NOT ATOMIC IF @a THEN DROP TABLE t; END IF; END"), IsEmpty());
}

TEST(StatementTextTest, WhatMayRunTakes) {
  EXPECT_THAT(Changes("/*!50000 LOCK TABLES t READ */"), ElementsAre("+LOCK TABLES"));
  EXPECT_THAT(Changes("/*M!100000 LOCK */ TABLES t READ"), ElementsAre("+LOCK TABLES"));
  EXPECT_THAT(Changes("BEGIN NOT ATOMIC CREATE TEMPORARY TABLE t (a INT); END"),
              ElementsAre("+a temporary table shop.t"));
  EXPECT_THAT(Changes("IF 1 THEN CREATE TEMPORARY TABLE t (a INT); END IF"),
              ElementsAre("+a temporary table shop.t"));
  EXPECT_THAT(Changes("SET STATEMENT max_statement_time = 1 FOR CREATE TEMPORARY TABLE t (a INT)"),
              ElementsAre("+a temporary table shop.t"));
  EXPECT_THAT(Changes("SELECT 1;LOCK TABLES t READ"), ElementsAre("+LOCK TABLES"));
  EXPECT_THAT(Changes("SELECT 1 --\nLOCK"), IsEmpty());
  EXPECT_THAT(Changes("SELECT 1--1; LOCK TABLES t READ"), ElementsAre("+LOCK TABLES"));
}

TEST(StatementTextTest, LocksOfTablesAndOfTheServer) {
  EXPECT_THAT(Changes("LOCK TABLE t WRITE"), ElementsAre("+LOCK TABLES"));
  EXPECT_THAT(Changes("UNLOCK TABLES"), ElementsAre("-all LOCK TABLES", "-all FLUSH TABLES WITH READ LOCK"));
  EXPECT_THAT(Changes("FLUSH TABLES WITH READ LOCK"), ElementsAre("+FLUSH TABLES WITH READ LOCK"));
  EXPECT_THAT(Changes("FLUSH TABLES t FOR EXPORT"), ElementsAre("+FLUSH TABLES WITH READ LOCK"));
  EXPECT_THAT(Changes("BACKUP STAGE START"), ElementsAre("+BACKUP STAGE"));
  EXPECT_THAT(Changes("BACKUP STAGE END"), ElementsAre("-all BACKUP STAGE"));
}

TEST(StatementTextTest, HandlersXaAndPreparedStatements) {
  EXPECT_THAT(Changes("HANDLER t OPEN AS h"), ElementsAre("+HANDLER shop.h"));
  EXPECT_THAT(Changes("HANDLER h CLOSE"), ElementsAre("-HANDLER shop.h"));
  EXPECT_THAT(Changes("HANDLER h READ FIRST"), IsEmpty());
  EXPECT_THAT(Changes("XA START 'x'"), ElementsAre("+an XA transaction"));
  EXPECT_THAT(Changes("XA PREPARE 'x'"), IsEmpty());
  EXPECT_THAT(Changes("XA COMMIT 'x'"), ElementsAre("-all an XA transaction"));
  EXPECT_THAT(Changes("PREPARE s FROM 'SELECT 1'"), ElementsAre("+PREPARE s"));
  EXPECT_THAT(Changes("DEALLOCATE PREPARE S"), ElementsAre("-PREPARE s"));
  EXPECT_THAT(Changes("DROP PREPARE s"), ElementsAre("-PREPARE s"));
}

TEST(StatementTextTest, WhatHoldsUntilTheNextStatementOrTransaction) {
  EXPECT_THAT(Changes("SET TRANSACTION READ ONLY"), ElementsAre("+SET TRANSACTION"));
  EXPECT_THAT(Changes("START TRANSACTION"), ElementsAre("-all SET TRANSACTION"));
  EXPECT_THAT(Changes("SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1"), ElementsAre("+SQL_CALC_FOUND_ROWS"));
}

TEST(StatementTextTest, BackslashIsNoEscapeWhereTheModeSaysSo) {
  EXPECT_THAT(Changes("SELECT 'a\\'; LOCK TABLES t READ", false), ElementsAre("+LOCK TABLES"));
  EXPECT_THAT(Changes("SELECT 'a\\'; LOCK TABLES t READ", true), IsEmpty());
}

TEST(StatementTextTest, LongTextsAreReadToTheirEndInLittleMemory) {
  StatementText text("shop", true);
  text.OnText("INSERT INTO t VALUES ");
  for (int row = 0; row < 100'000; ++row) text.OnText("('a long value of a row; and more', 1),");
  text.OnText("(1); LOCK TABLES t READ");
  ASSERT_EQ(text.Finish().size(), 1u);
  EXPECT_EQ(text.Finish()[0].tie, Tie::kTableLock);
}

TEST(StatementTextTest, MoreThanIsKeptIsTakenWithoutANameAndNotReleased) {
  std::string sql;
  for (int index = 0; index < 5'000; ++index) sql += "CREATE TEMPORARY TABLE t (a INT); DROP TABLE t;";
  sql += "LOCK TABLES t READ; UNLOCK TABLES";
  StatementText text("shop", true);
  text.OnText(sql);
  const auto& changes = text.Finish();
  EXPECT_LT(changes.size(), 300u);
  EXPECT_EQ(changes.back().tie, Tie::kTableLock);
  EXPECT_EQ(changes.back().does, TieChange::Does::kTakes);
  EXPECT_TRUE(std::any_of(changes.begin(), changes.end(), [](const TieChange& change) {
    return change.tie == Tie::kTemporaryTable && change.name.empty();
  }));
}

}  // namespace
}  // namespace tradewind::mysql
