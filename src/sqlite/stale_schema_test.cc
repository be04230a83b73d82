// Statements of a connection that remembers a schema which another one has changed since.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sqlite/connection.h"
#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

using testing::HasSubstr;

class StaleSchemaTest : public DatabaseFixture {};

struct Change {
  std::string before;     // How the schema begins.
  std::string change;     // By another connection.
  std::string statement;  // By the one that remembers.
};

const std::vector<Change> kChanges = {
    {"CREATE TABLE t (a)", "ALTER TABLE t ADD COLUMN b", "INSERT INTO t VALUES (1, 2)"},
    {"CREATE TABLE t (a)", "ALTER TABLE t ADD COLUMN b", "INSERT INTO t (a, b) VALUES (1, 2)"},
    {"CREATE TABLE t (a)", "ALTER TABLE t ADD COLUMN b", "SELECT b FROM t"},
    {"CREATE TABLE t (a, b)", "ALTER TABLE t DROP COLUMN b", "INSERT INTO t VALUES (1)"},
    {"CREATE TABLE t (a)", "ALTER TABLE t RENAME COLUMN a TO z", "UPDATE t SET z = 1"},
    {"CREATE TABLE t (a)", "ALTER TABLE t RENAME TO u", "CREATE TABLE t (x)"},
    {"CREATE TABLE t (a)", "ALTER TABLE t ADD COLUMN b", "CREATE INDEX i ON t (b)"},
    {"CREATE TABLE t (a, b)", "CREATE UNIQUE INDEX i ON t (a)",
     "INSERT INTO t VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = 3"},
    {"CREATE TABLE t (a); CREATE INDEX i ON t (a)", "DROP INDEX i", "CREATE INDEX i ON t (a)"},
    {"CREATE TABLE t (a)", "CREATE INDEX i ON t (a)", "SELECT * FROM t INDEXED BY i"},
    {"CREATE TABLE t (a)", "CREATE INDEX i ON t (a)", "REINDEX i"},
    {"CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t", "DROP VIEW v; CREATE TABLE v (a)",
     "INSERT INTO v VALUES (1)"},
    {"CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t",
     "CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.a); END",
     "INSERT INTO v VALUES (1)"},
    {"CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t",
     "DROP VIEW v; CREATE VIEW v AS SELECT a, 2 AS b FROM t", "SELECT b FROM v"},
    {"CREATE TABLE t (a); CREATE VIEW v AS SELECT missing FROM t",
     "DROP VIEW v; CREATE VIEW v AS SELECT a FROM t", "SELECT * FROM v"},
    {"CREATE TABLE t (a); CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END", "DROP TRIGGER tr",
     "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 2; END"},
    {"CREATE TABLE t (a); CREATE TABLE log (a); CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log "
     "VALUES (1, 2); END",
     "ALTER TABLE log ADD COLUMN b", "INSERT INTO t VALUES (1)"},
    {"CREATE TABLE t (a)", "DROP TABLE t; CREATE VIEW t AS SELECT 1 AS a", "DROP VIEW t"},
    {"CREATE TABLE t (a)", "DROP TABLE t; CREATE TABLE t (a INTEGER PRIMARY KEY, b)",
     "SELECT a, b FROM t UNION SELECT * FROM t"},
    {"CREATE TABLE t (a)", "DROP TABLE t; CREATE TABLE t (a, b)", "SELECT * FROM t UNION ALL SELECT 1, 2"},
    {"CREATE TABLE t (a); CREATE TABLE u (a, b)", "ALTER TABLE t ADD COLUMN b",
     "INSERT INTO t SELECT * FROM u"},
    {"CREATE TABLE t (a); CREATE TABLE u (b)", "ALTER TABLE u RENAME COLUMN b TO a",
     "SELECT * FROM t JOIN u USING (a)"},
    {"CREATE TABLE t (a, b AS (a))", "DROP TABLE t; CREATE TABLE t (a, b)",
     "INSERT INTO t (a, b) VALUES (1, 2)"},
    {"CREATE TABLE t (a)", "CREATE VIRTUAL TABLE f USING fts5 (x)", "SELECT * FROM f WHERE f MATCH 'y'"},
    {"CREATE VIRTUAL TABLE f USING fts5 (x)", "DROP TABLE f; CREATE VIRTUAL TABLE f USING fts5 (x, y)",
     "INSERT INTO f VALUES ('a', 'b')"},
    {"CREATE TABLE t (a)", "ALTER TABLE t ADD COLUMN b", "ALTER TABLE t DROP COLUMN b"},
    {"CREATE TABLE t (a, b)", "ALTER TABLE t DROP COLUMN b", "ALTER TABLE t ADD COLUMN b"},
    {"CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID", "DROP TABLE t; CREATE TABLE t (a)",
     "SELECT rowid FROM t"},
    {"CREATE TABLE t (a)", "DROP TABLE t; CREATE TABLE t (a INTEGER PRIMARY KEY) STRICT",
     "INSERT INTO t (rowid) VALUES (1)"},
    {"CREATE VIEW v AS SELECT load_extension('x') AS a", "DROP VIEW v; CREATE VIEW v AS SELECT 1 AS a",
     "SELECT * FROM v"},
};

TEST_F(StaleSchemaTest, AStatementCompilesByTheSchemaThatThereIs) {
  for (size_t at = 0; at < kChanges.size(); ++at)
    for (const bool as_script : {false, true})
      core_.Run([&] {
        const Change& change = kChanges[at];
        const auto store = OpenStore(std::to_string(at) + (as_script ? "s.db" : "r.db"));
        const auto one = Connect(*store);
        const auto other = Connect(*store);
        EXPECT_EQ(RunScript(*one, change.before), "");
        EXPECT_EQ(RunScript(*one, "SELECT count(*) FROM sqlite_schema"), "");
        EXPECT_EQ(RunScript(*other, change.change), "");
        const std::string outcome =
            as_script ? RunScript(*one, change.statement) : CodeOf(one->Run({.sql = change.statement}));
        EXPECT_EQ(outcome, "") << change.change << " / " << change.statement;
      });
}

TEST_F(StaleSchemaTest, DescribeAndExplainShowTheSchemaThatThereIs) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto one = Connect(*store);
    const auto other = Connect(*store);
    RunScript(*one, "CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t; SELECT * FROM t");
    const auto columns = [&](const std::string& sql) {
      const auto description = one->Describe(sql);
      return description ? std::to_string(description->columns.size()) : description.error().code;
    };
    const std::string explain = "EXPLAIN QUERY PLAN SELECT * FROM t WHERE a = 1";
    EXPECT_EQ(columns("SELECT * FROM t"), "1");
    EXPECT_THAT(Ask(*one, explain), HasSubstr("SCAN t"));
    Ask(*other, "ALTER TABLE t ADD COLUMN b");
    EXPECT_EQ(columns("SELECT * FROM t"), "2");
    EXPECT_EQ(columns("INSERT INTO t VALUES (1, 2) RETURNING *"), "2");
    EXPECT_EQ(one->Describe("SELECT a AS x FROM v")->columns[0].name, "x");
    RunScript(*other, "DROP VIEW v; CREATE VIEW v AS SELECT 1 AS z, 2, 3");
    EXPECT_EQ(columns("SELECT * FROM v"), "3");
    Ask(*other, "CREATE INDEX i ON t (a)");
    EXPECT_THAT(Ask(*one, explain), HasSubstr("USING INDEX i"));
    EXPECT_THAT(Ask(*one, "EXPLAIN SELECT * FROM t WHERE a = 1"), HasSubstr("SeekGE"));
    Ask(*other, "DROP INDEX i");
    EXPECT_THAT(Ask(*one, explain), HasSubstr("SCAN t"));
    Ask(*other, "DROP TABLE t");
    EXPECT_EQ(columns("SELECT * FROM t"), "SQLITE_UNKNOWN");
  });
}

TEST_F(StaleSchemaTest, PragmasOfTheSchemaKnowWhatOthersHaveMade) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto one = Connect(*store);
    const auto other = Connect(*store);
    const std::vector<std::pair<std::string, std::string>> looks = {
        {"CREATE TABLE t (a PRIMARY KEY, b)", "PRAGMA table_info(t)"},
        {"CREATE INDEX i ON t (b)", "PRAGMA index_info(i)"},
        {"CREATE TABLE u (a)", "PRAGMA table_xinfo('u')"},
        {"CREATE TABLE w (a UNIQUE)", "PRAGMA index_list(w)"},
        {"CREATE TABLE c (p REFERENCES t)", "PRAGMA foreign_key_list(c)"},
        {"CREATE TABLE x (a)", "PRAGMA table_list(x)"},
        {"CREATE TABLE y (a)", "SELECT * FROM pragma_table_info('y')"},
        {"CREATE INDEX j ON y (a)", "SELECT * FROM pragma_index_xinfo('j')"}};
    for (const auto& [change, look] : looks) {
      Ask(*one, "SELECT count(*) FROM sqlite_schema");
      EXPECT_EQ(Ask(*one, look), "") << look;
      Ask(*other, change);
      EXPECT_NE(Ask(*one, look), "") << look;
    }
  });
}

TEST_F(StaleSchemaTest, WhatIsWrongByTheSchemaThatThereIsStaysWrong) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto one = Connect(*store);
    const auto other = Connect(*store);
    RunScript(*one, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    // A snapshot has the schema of its time.
    EXPECT_EQ(RunScript(*one, "BEGIN; SELECT * FROM t"), "");
    Ask(*other, "ALTER TABLE t ADD COLUMN b");
    EXPECT_NE(CodeOf(one->Run({.sql = "SELECT b FROM t"})), "");
    EXPECT_NE(CodeOf(one->Run({.sql = "INSERT INTO t VALUES (1, 2)"})), "");
    EXPECT_EQ(one->Describe("SELECT * FROM t")->columns.size(), 1u);
    EXPECT_EQ(Ask(*one, "SELECT * FROM t"), "1");
    EXPECT_EQ(Ask(*one, "COMMIT"), "");
    EXPECT_EQ(Ask(*one, "INSERT INTO t VALUES (1, 2)"), "");
    // A transaction of its own has its own.
    EXPECT_EQ(RunScript(*one, "BEGIN; ALTER TABLE t ADD COLUMN c"), "");
    EXPECT_NE(CodeOf(one->Run({.sql = "INSERT INTO t VALUES (1)"})), "");
    EXPECT_EQ(Ask(*one, "INSERT INTO t VALUES (1, 2, 3)"), "");
    EXPECT_EQ(Ask(*one, "ROLLBACK"), "");
    EXPECT_NE(CodeOf(one->Run({.sql = "INSERT INTO t VALUES (1, 2, 3)"})), "");
    EXPECT_EQ(CodeOf(one->Run({.sql = "ATTACH 'x' AS y"})), "SQLITE_AUTH");
  });
}

TEST_F(StaleSchemaTest, ToLookTakesNoSnapshot) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto one = Connect(*store);
    const auto other = Connect(*store);
    RunScript(*one, "CREATE TABLE t (a); SELECT * FROM t; BEGIN");
    Ask(*other, "ALTER TABLE t ADD COLUMN b");
    EXPECT_NE(CodeOf(one->Run({.sql = "INSERT INTO t VALUES (1, 2, 3)"})), "");
    EXPECT_EQ(one->Describe("SELECT * FROM t")->columns.size(), 2u);
    EXPECT_EQ(one->transaction_state(), TransactionState::kNone);
    EXPECT_FALSE(one->autocommit());
  });
}

TEST_F(StaleSchemaTest, AReaderByTheOldSchemaIsNoWriterByTheNew) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto one = Connect(*store);
    const auto other = Connect(*store);
    struct Case {
      std::string before, change, statement;
    };
    for (const Case& c :
         {Case{"CREATE TABLE t (a)", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END",
               "DROP TRIGGER IF EXISTS tr"},
          Case{"CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END", "DROP TRIGGER tr",
               "CREATE TRIGGER IF NOT EXISTS tr AFTER INSERT ON t BEGIN SELECT 1; END"},
          Case{"SELECT 1", "CREATE INDEX i ON t (a)", "DROP INDEX IF EXISTS i"},
          Case{"CREATE INDEX i ON t (a)", "DROP INDEX i", " /* x */ CREATE INDEX IF NOT EXISTS i ON t (a)"},
          Case{"CREATE TABLE u (a)", "DROP TABLE u", "CREATE TABLE IF NOT EXISTS u (a)"},
          Case{"SELECT 1", "CREATE VIEW v AS SELECT 1", "DROP VIEW IF EXISTS v"},
          Case{"SELECT 1", "SELECT 1", "REINDEX NOCASE"}}) {
      EXPECT_EQ(RunScript(*one, c.before + "; SELECT count(*) FROM sqlite_schema"), "");
      EXPECT_EQ(RunScript(*other, c.change), "");
      bool readonly = true;
      const auto look = [&](const StatementTraits& traits) -> Result<Connection::Decision> {
        readonly = traits.readonly;
        return Connection::Decision::kStep;
      };
      EXPECT_EQ(CodeOf(one->Run({.sql = c.statement}, look)), "") << c.statement;
      EXPECT_FALSE(readonly) << c.statement;
    }
    EXPECT_EQ(RunScript(*one, "CREATE VIRTUAL TABLE f USING fts4 (a); INSERT INTO f VALUES ('x')"), "");
    bool readonly = true;
    EXPECT_EQ(CodeOf(one->Run({.sql = "SELECT optimize(f) FROM f LIMIT 1"},
                              [&](const StatementTraits& traits) -> Result<Connection::Decision> {
                                readonly = traits.readonly;
                                return Connection::Decision::kStep;
                              })),
              "");
    EXPECT_FALSE(readonly);
  });
}

}  // namespace
}  // namespace tradewind::sqlite
