#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "sqlite/connection.h"
#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

// Texts of several statements, what a text may begin and end with, and the transactions that only read.
using ScriptTest = DatabaseFixture;

TEST_F(ScriptTest, StatementsOfAnyLengthAndPlaceRunInAScriptOfAnyLength) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    std::string small;
    while (small.size() < 18'000'000) small += "INSERT INTO nowhere VALUES (1);";
    // Around the sizes at which something may be cut, and of each kind.
    for (const size_t size : {100u, 16'383u, 16'384u, 16'385u, 20'000u, 70'000u, 1'100'000u}) {
      const std::string filler(size, 'x');
      for (const std::string& statement :
           {"INSERT INTO t SELECT length('" + filler + ";')",
            "INSERT INTO t SELECT 1 /*" + filler + ";*/ + 1", "/*" + filler + ";*/ INSERT INTO t VALUES (1)",
            "INSERT INTO t SELECT 1 AS \"" + filler + ";\"",
            "CREATE TRIGGER r INSERT ON t BEGIN SELECT '" + filler +
                ";'; UPDATE t SET v = 1; END; INSERT INTO t VALUES (2); DROP TRIGGER r"}) {
        Ask(connection, "DELETE FROM t");
        // The script goes on for longer than a statement may be, and ends there by an error.
        EXPECT_EQ(RunScript(connection, "INSERT INTO t VALUES (7);" + statement + ";" + small).substr(0, 15),
                  "SQLITE_UNKNOWN:");
        EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "2") << size << " " << statement.substr(0, 30);
        EXPECT_EQ(RunScript(connection, "DELETE FROM t;" + statement), "");
        EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "1") << size << " " << statement.substr(0, 30);
      }
    }
  });
}

TEST_F(ScriptTest, AStatementPastTheBoundFailsAsSuch) {
  WithConnection([](Connection& connection) {
    const std::string comment = "/*" + std::string(limits::kSqlTextBytes, 'x') + "*/";
    EXPECT_EQ(RunScript(connection, "SELECT 1;" + comment + "SELECT 2"), "");
    EXPECT_EQ(
        Ask(connection, "SELECT 2" + comment + ";"),
        "SQLITE_TOOBIG: the statement is longer than " + std::to_string(limits::kSqlTextBytes) + " bytes");
    EXPECT_EQ(CodeOf(connection.RunFirst("SELECT 2 " + comment + ", 3;")), "SQLITE_TOOBIG");
    EXPECT_EQ(Ask(connection, "SELECT 2;" + comment), "2");
  });
}

TEST_F(ScriptTest, TextsMayBeginWithAByteOrderMark) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(RunScript(connection, "\uFEFFCREATE TABLE t (v);\r\n\uFEFF\r\n"), "");
    EXPECT_EQ(RunScript(connection, "\uFEFF"), "");
    EXPECT_EQ(RunScript(connection, "INSERT INTO t VALUES (1);\r\n"), "");
    EXPECT_EQ(Ask(connection, "\uFEFFSELECT v FROM t"), "1");
    EXPECT_EQ(Ask(connection, "SELECT \uFEFF v FROM t"), "1");
    EXPECT_EQ(Ask(connection, "SELECT 'a\uFEFF' = 'a'"), "0");
    EXPECT_TRUE(connection.Describe("\uFEFFSELECT 1").has_value());
    EXPECT_EQ(CodeOf(connection.Run({.sql = std::string("SELECT 1;\0SELECT 2", 18)})), "SQL_PARSE_ERROR");
    EXPECT_EQ(CodeOf(connection.Run({.sql = std::string("SELECT 'a\0b'", 12)})), "SQL_PARSE_ERROR");
    EXPECT_EQ(RunScript(connection, std::string("SELECT 1;\0SELECT 2", 18)),
              "SQL_PARSE_ERROR: the text holds a zero byte");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "\uFEFF"})), "SQL_NO_STATEMENT");
    EXPECT_EQ(Ask(connection, "\uFEFFBEGIN READONLY"), "");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "\uFEFFINSERT INTO t VALUES (2)"})), "SQLITE_READONLY");
  });
}

// -- BEGIN READONLY

TEST_F(ScriptTest, NothingIsWrittenInATransactionThatWasBegunReadonly) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    Ask(connection, "CREATE VIEW w AS SELECT v FROM t");
    Ask(connection, "CREATE TRIGGER r INSTEAD OF INSERT ON w BEGIN INSERT INTO t VALUES (new.v); END");
    Ask(connection, "CREATE VIRTUAL TABLE f USING fts5(a)");
    const std::vector<std::string> writes{"INSERT INTO t VALUES (1)",
                                          "INSERT INTO w VALUES (1)",
                                          "INSERT INTO f VALUES ('a')",
                                          "INSERT INTO t VALUES (1) RETURNING v",
                                          "REPLACE INTO t VALUES (1)",
                                          "DELETE FROM t",
                                          "CREATE TABLE u (v)",
                                          "DROP TABLE t",
                                          "ALTER TABLE t ADD COLUMN b",
                                          "CREATE INDEX i ON t (v)",
                                          "PRAGMA user_version = 7",
                                          "PRAGMA application_id = 7",
                                          "PRAGMA incremental_vacuum",
                                          "PRAGMA optimize",
                                          "ANALYZE",
                                          "REINDEX",
                                          "VACUUM",
                                          "BEGIN IMMEDIATE"};
    for (const char* begin : {"BEGIN READONLY", "BEGIN TRANSACTION READONLY",
                              "BEGIN DEFERRED TRANSACTION READONLY", "BEGIN READONLY TRANSACTION"}) {
      ASSERT_EQ(Ask(connection, begin), "");
      for (const std::string& write : writes) {
        EXPECT_EQ(CodeOf(connection.Run({.sql = write})), "SQLITE_READONLY") << begin << ": " << write;
        EXPECT_EQ(CodeOf(connection.RunFirst(write)), "SQLITE_READONLY") << begin << ": " << write;
        EXPECT_FALSE(connection.autocommit());
      }
      Ask(connection, "SAVEPOINT s");
      EXPECT_EQ(CodeOf(connection.Run({.sql = writes[0]})), "SQLITE_READONLY");
      Ask(connection, "ROLLBACK TO s");
      EXPECT_EQ(CodeOf(connection.Run({.sql = writes[0]})), "SQLITE_READONLY");
      Ask(connection, "RELEASE s");
      EXPECT_EQ(CodeOf(connection.Run({.sql = writes[0]})), "SQLITE_READONLY");
      EXPECT_EQ(Ask(connection, "PRAGMA user_version"), "0");
      EXPECT_EQ(Ask(connection, "COMMIT"), "");
    }
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "0");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "BEGIN IMMEDIATE TRANSACTION READONLY"})), "SQL_INPUT_ERROR");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "BEGIN IMMEDIATE READONLY"})), "SQL_PARSE_ERROR");
    EXPECT_TRUE(connection.autocommit());
  });
}

TEST_F(ScriptTest, AReadonlyTransactionLeavesNothingToTheNextOne) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    for (const char* end : {"COMMIT", "ROLLBACK", "END"}) {
      for (const char* next : {"BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT s"}) {
        Ask(connection, "BEGIN READONLY");
        EXPECT_EQ(CodeOf(connection.Run({.sql = "BEGIN"})), "SQLITE_UNKNOWN");
        EXPECT_EQ(CodeOf(connection.Run({.sql = "INSERT INTO t VALUES (1)"})), "SQLITE_READONLY");
        Ask(connection, end);
        EXPECT_EQ(Ask(connection, next), "");
        EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (1)"), "") << end << " " << next;
        Ask(connection, "ROLLBACK");
      }
      Ask(connection, "BEGIN READONLY");
      EXPECT_TRUE(connection.Rollback());
      EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (1)"), "");
    }
    Ask(connection, "BEGIN READONLY");
    EXPECT_FALSE(connection.ResetForReuse());
    Ask(connection, "COMMIT");
    EXPECT_TRUE(connection.ResetForReuse());
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (1)"), "");
  });
}

}  // namespace
}  // namespace tradewind::sqlite
