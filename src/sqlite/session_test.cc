// The session: what a connection takes over from another one, against SQLite without any of ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "sqlite/connection.h"
#include "sqlite/database_fixture.h"
#include "sqlite/vfs.h"

namespace tradewind::sqlite {
namespace {

using testing::StartsWith;

class SessionTest : public DatabaseFixture {};

// SQLite as it is, with foreign keys on.
class Stock {
 public:
  Stock() {
    InitializeSqlite();
    sqlite3_open(":memory:", &connection_);
    Ask("PRAGMA foreign_keys=ON");
  }
  ~Stock() { sqlite3_close(connection_); }

  std::string Ask(const std::string& sql) {
    std::string text;
    const auto row = [](void* context, int count, char** values, char**) {
      auto& out = *static_cast<std::string*>(context);
      if (!out.empty()) out += ' ';
      for (int at = 0; at < count; ++at)
        out += (at > 0 ? "|" : "") + std::string(values[at] ? values[at] : "NULL");
      return 0;
    };
    const int code = sqlite3_exec(connection_, sql.c_str(), row, &text, nullptr);
    return code == SQLITE_OK ? text : "an error";
  }

 private:
  sqlite3* connection_ = nullptr;
};

// A session that goes to another connection before each statement outside a transaction: to a new one, or to
// one that others have used and whose counts are not 0.
class Wanderer {
 public:
  Wanderer(PageStore& store, bool to_used_ones) : store_(store), to_used_ones_(to_used_ones) {
    connection_ = Next();
  }
  std::string Ask(const std::string& sql) {
    if (connection_->autocommit()) {
      const SessionState session = connection_->session();
      connection_ = Next();
      EXPECT_TRUE(connection_->Restore(session));
      EXPECT_EQ(connection_->session().settings, session.settings);
    }
    const std::string text = sqlite::Ask(*connection_, sql);
    return text.find(": ") == std::string::npos ? text : "an error";
  }

 private:
  std::unique_ptr<Connection> Next() {
    auto next = Connection::Open(store_);
    TW_CHECK(next.has_value(), "the connection opens");
    if (!to_used_ones_) return std::move(*next);
    // As many changes as the scripts count in their triggers.
    EXPECT_EQ(sqlite::Ask(**next, "CREATE TABLE IF NOT EXISTS others (v)"), "");
    EXPECT_EQ(sqlite::Ask(**next, "INSERT INTO others VALUES (1)"), "");
    EXPECT_TRUE((*next)->ResetForReuse());
    return std::move(*next);
  }

  PageStore& store_;
  bool to_used_ones_;
  std::unique_ptr<Connection> connection_;
};

// -- What goes along

const std::vector<std::vector<std::string>> kScripts = {
    // Counters, as one statement leaves them for the next.
    {"CREATE TABLE t (id INTEGER PRIMARY KEY, v)",
     "INSERT INTO t VALUES (77, 1)",
     "@",
     "INSERT INTO t (v) VALUES (2), (3)",
     "@",
     "UPDATE t SET v = 0",
     "@",
     "UPDATE t SET v = 0 WHERE id < 0",
     "@",
     "DELETE FROM t WHERE id = 77",
     "@",
     "SELECT * FROM t",
     "@",
     "INSERT OR IGNORE INTO t VALUES (78, 1)",
     "@",
     "INSERT INTO t VALUES (78, 1)",
     "@",
     "INSERT INTO t VALUES (1, changes()), (2, total_changes()), (3, last_insert_rowid())",
     "@",
     "SELECT * FROM t",
     "REPLACE INTO t VALUES (1, 5)",
     "@",
     "DELETE FROM t",
     "@",
     "DROP TABLE t",
     "@"},
    // The parent's rowid goes into the child.
    {"CREATE TABLE parent (id INTEGER PRIMARY KEY)", "CREATE TABLE child (p REFERENCES parent, n)",
     "INSERT INTO parent VALUES (41)", "INSERT INTO child VALUES (last_insert_rowid(), changes())",
     "SELECT * FROM child", "@"},
    // What counts nothing, or is no change.
    {"CREATE TABLE t (v)",
     "INSERT INTO t VALUES (1), (2), (3)",
     "CREATE TABLE u AS SELECT * FROM t",
     "@",
     "CREATE INDEX i ON t (v)",
     "@",
     "ALTER TABLE t ADD COLUMN w",
     "@",
     "ANALYZE",
     "@",
     "REINDEX",
     "@",
     "VACUUM",
     "@",
     "BEGIN",
     "@",
     "COMMIT",
     "@",
     "PRAGMA user_version = 4",
     "@",
     "SELECT nonsense",
     "@",
     "EXPLAIN INSERT INTO t VALUES (1, 1)",
     "@",
     "INSERT INTO t VALUES (1, 1)",
     "EXPLAIN QUERY PLAN DELETE FROM t",
     "@",
     "INSERT INTO t VALUES (1, 1)",
     "EXPLAIN SELECT * FROM t",
     "@",
     "DROP INDEX i",
     "@"},
    // Transactions.
    {"CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (3), (4)", "BEGIN", "@",
     "INSERT INTO t VALUES (9)", "@", "ROLLBACK", "@", "SAVEPOINT a", "DELETE FROM t", "ROLLBACK TO a", "@",
     "RELEASE a", "@"},
    // Triggers count for themselves; what was before them comes back at their ends.
    {"CREATE TABLE t (v)",
     "CREATE TABLE log (what, n)",
     "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('first', changes());"
     "UPDATE log SET n = n WHERE 0; INSERT INTO log VALUES ('none', changes());"
     "INSERT INTO log SELECT 'one', changes() WHERE 1; INSERT INTO log VALUES ('after', changes()), ('x', "
     "changes());"
     "INSERT INTO log VALUES ('two', changes()); INSERT INTO log VALUES ('rowid', last_insert_rowid()); END",
     "INSERT INTO t VALUES (1), (2), (3)",
     "@",
     "SELECT * FROM log",
     "INSERT INTO t VALUES (4), (5)",
     "@",
     "UPDATE t SET v = 0",
     "@",
     "INSERT INTO t VALUES (6), (7)",
     "@",
     "SELECT * FROM log",
     "SELECT 1",
     "DELETE FROM t WHERE 0",
     "INSERT INTO t VALUES (8), (9)",
     "@",
     "SELECT * FROM log",
     "BEGIN",
     "INSERT INTO t VALUES (8), (9)",
     "@",
     "COMMIT",
     "@",
     "SELECT * FROM log"},
    // An upsert by hand, in a trigger of a view.
    {"CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "CREATE VIEW w AS SELECT id, v FROM t",
     "CREATE TRIGGER put INSTEAD OF INSERT ON w BEGIN UPDATE t SET v = new.v WHERE id = new.id;"
     "INSERT INTO t SELECT new.id, new.v WHERE changes() = 0; END",
     "INSERT INTO w VALUES (1, 'a'), (2, 'b'), (1, 'c')", "@", "SELECT * FROM t",
     "INSERT INTO w VALUES (3, 'd')", "@", "SELECT * FROM t"},
    // Many changes, before a trigger that looks.
    {"CREATE TABLE many (v)", "CREATE TABLE t (v)", "CREATE TABLE log (n)",
     "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (changes()); INSERT INTO log VALUES "
     "(changes()); END",
     "INSERT INTO many WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 9000) "
     "SELECT x FROM c",
     "INSERT INTO t VALUES (1), (2)", "@", "SELECT * FROM log"},
    // Defaults, checks and generated values that count.
    {"CREATE TABLE t (id INTEGER PRIMARY KEY, v DEFAULT (changes()), CHECK (total_changes() < 1000))",
     "INSERT INTO t (id) VALUES (1), (2)", "INSERT INTO t (id) VALUES (3)", "SELECT * FROM t", "@",
     "CREATE INDEX i ON t (changes())", "CREATE TABLE g (a, b AS (total_changes()))",
     "CREATE VIEW w AS SELECT changes(), total_changes() >= 0", "SELECT * FROM w"},
    // Full-text tables write rows of their own.
    {"CREATE VIRTUAL TABLE f USING fts5 (a)", "@", "INSERT INTO f VALUES ('x'), ('y')", "@",
     "DELETE FROM f WHERE rowid = 1", "@", "SELECT * FROM f WHERE f MATCH 'y'", "@",
     "CREATE VIRTUAL TABLE g USING fts4 (a)", "@", "INSERT INTO g VALUES ('x')", "@",
     "CREATE VIRTUAL TABLE r USING rtree (id, a, b)", "@", "INSERT INTO r VALUES (7, 1, 2)", "@"},
    // Settings.
    {"PRAGMA foreign_keys", "CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE c (p REFERENCES p)",
     "PRAGMA foreign_keys = OFF", "INSERT INTO c VALUES (1)", "PRAGMA foreign_keys",
     "PRAGMA foreign_keys = yes", "INSERT INTO c VALUES (2)", "BEGIN", "PRAGMA foreign_keys = OFF", "COMMIT",
     "PRAGMA foreign_keys", "INSERT INTO c VALUES (3)", "PRAGMA main.foreign_keys(0)", "PRAGMA foreign_keys",
     "INSERT INTO c VALUES (4)", "PRAGMA foreign_keys = nonsense", "PRAGMA foreign_keys", "SELECT * FROM c"},
    {"EXPLAIN PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys",
     "EXPLAIN QUERY PLAN PRAGMA recursive_triggers = ON", "PRAGMA recursive_triggers"},
    {"SELECT 'a' LIKE 'A'", "PRAGMA case_sensitive_like = ON", "SELECT 'a' LIKE 'A'",
     "PRAGMA case_sensitive_like = 0", "SELECT 'a' LIKE 'A'", "EXPLAIN PRAGMA case_sensitive_like = 1",
     "SELECT 'a' LIKE 'A'"},
    {"CREATE TABLE t (v CHECK (v > 0))", "PRAGMA ignore_check_constraints = 1", "INSERT INTO t VALUES (-1)",
     "PRAGMA ignore_check_constraints = 0", "INSERT INTO t VALUES (-2)", "PRAGMA query_only = 1",
     "INSERT INTO t VALUES (1)", "PRAGMA query_only", "PRAGMA query_only = 0", "INSERT INTO t VALUES (1)",
     "SELECT * FROM t", "PRAGMA reverse_unordered_selects = 1", "SELECT * FROM t",
     "PRAGMA reverse_unordered_selects = 0", "SELECT * FROM t"},
    {"CREATE TABLE t (v)",
     "CREATE TRIGGER tr AFTER INSERT ON t WHEN new.v < 3 BEGIN INSERT INTO t VALUES (new.v + 1); END",
     "INSERT INTO t VALUES (1)", "PRAGMA recursive_triggers = 1", "INSERT INTO t VALUES (1)", "@",
     "SELECT * FROM t"},
    {"CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE c (p REFERENCES p)",
     "PRAGMA defer_foreign_keys = ON", "PRAGMA defer_foreign_keys", "PRAGMA query_only",
     "PRAGMA defer_foreign_keys", "BEGIN", "INSERT INTO c VALUES (1)", "INSERT INTO p VALUES (1)", "COMMIT",
     "PRAGMA defer_foreign_keys", "INSERT INTO c VALUES (2)", "SELECT * FROM c"},
    {"PRAGMA analysis_limit = 7", "PRAGMA analysis_limit", "PRAGMA automatic_index = 0",
     "PRAGMA automatic_index", "PRAGMA cell_size_check = 1", "PRAGMA cell_size_check",
     "PRAGMA legacy_alter_table = 1", "PRAGMA legacy_alter_table", "PRAGMA read_uncommitted = 1",
     "PRAGMA read_uncommitted", "PRAGMA trusted_schema = 0", "PRAGMA trusted_schema",
     "PRAGMA analysis_limit"},
};

TEST_F(SessionTest, ASessionThatWandersFindsWhatItWouldFindInOnePlace) {
  for (const bool to_used_ones : {false, true})
    for (size_t script = 0; script < kScripts.size(); ++script)
      core_.Run([&] {
        Stock stock;
        const auto store = OpenStore(std::to_string(script) + (to_used_ones ? "u.db" : "n.db"));
        const auto anchor = Connect(*store);
        Wanderer wanderer(*store, to_used_ones);
        for (const std::string& line : kScripts[script]) {
          const std::string sql =
              line == "@" ? "SELECT last_insert_rowid(), changes(), total_changes()" : line;
          const std::string got = wanderer.Ask(sql);
          const std::string wanted = stock.Ask(sql);
          // The programs that EXPLAIN shows name pages.
          if (sql.starts_with("EXPLAIN ")) continue;
          EXPECT_EQ(got, wanted) << "script " << script << (to_used_ones ? ", used: " : ", new: ") << sql;
        }
      });
}

TEST_F(SessionTest, TheDefaultsAreThoseOfANewConnection) {
  WithConnection([](Connection& connection) {
    for (const SettingDefault& setting : kSettingDefaults) {
      std::string name(setting.name);
      const bool is_like = name == "CASE_SENSITIVE_LIKE";
      EXPECT_EQ(Ask(connection, is_like ? "SELECT 'a' NOT LIKE 'A'" : "PRAGMA " + name),
                std::to_string(setting.value))
          << name;
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      EXPECT_TRUE(FindSetting(name));
    }
    EXPECT_EQ(connection.session(), SessionState{});
  });
}

TEST_F(SessionTest, ASettingThatHadNoEffectIsNotCarried) {
  WithConnection([](Connection& connection) {
    for (const char* sql : {"BEGIN", "PRAGMA foreign_keys = OFF", "COMMIT"}) Ask(connection, sql);
    EXPECT_EQ(connection.session(), SessionState{});
    Ask(connection, "PRAGMA foreign_keys = OFF");
    EXPECT_EQ(connection.session().settings.size(), 1u);
    for (const char* sql : {"SAVEPOINT a", "PRAGMA foreign_keys = ON", "RELEASE a"}) Ask(connection, sql);
    EXPECT_EQ(connection.session().settings.size(), 1u);
    Ask(connection, "PRAGMA foreign_keys = ON");
    EXPECT_EQ(connection.session(), SessionState{});
  });
}

TEST_F(SessionTest, AStatementThatFailsSetsNothing) {
  WithConnection([](Connection& connection) {
    const auto refuse = [](const StatementTraits&) -> Result<Connection::Decision> {
      return Fail(ErrorKind::kUnavailable, "TENANT_MOVED", "");
    };
    Ask(connection, "PRAGMA analysis_limit = 9");
    const SessionState before = connection.session();
    for (const char* sql :
         {"PRAGMA foreign_keys = OFF garbage", "PRAGMA foreign_keys = OFF; SELECT 1",
          "PRAGMA case_sensitive_like = 1 x", "PRAGMA analysis_limit = 5 x", "PRAGMA query_only = 1; x"}) {
      EXPECT_NE(CodeOf(connection.Run({.sql = sql})), "") << sql;
      EXPECT_EQ(connection.session(), before) << sql;
    }
    for (const char* sql :
         {"PRAGMA foreign_keys = OFF", "PRAGMA case_sensitive_like = 1", "PRAGMA analysis_limit = 5"}) {
      EXPECT_EQ(CodeOf(connection.Run({.sql = sql}, refuse)), "TENANT_MOVED") << sql;
      EXPECT_EQ(CodeOf(connection.RunFirst(sql, refuse)), "TENANT_MOVED") << sql;
      EXPECT_EQ(connection.session(), before) << sql;
    }
    EXPECT_EQ(CodeOf(connection.RunFirst("PRAGMA foreign_keys = OFF garbage; SELECT 1")), "SQL_PARSE_ERROR");
    for (const char* sql : {"PRAGMA foreign_keys = OFF", "EXPLAIN PRAGMA foreign_keys = OFF",
                            "PRAGMA case_sensitive_like = 1", "PRAGMA analysis_limit = 5"})
      EXPECT_TRUE(connection.Describe(sql)) << sql;
    EXPECT_EQ(connection.session(), before);
    EXPECT_EQ(Ask(connection, "SELECT 'a' LIKE 'A'"), "1");
    EXPECT_EQ(Ask(connection, "PRAGMA foreign_keys"), "1");
    EXPECT_EQ(Ask(connection, "PRAGMA analysis_limit"), "9");
  });
}

TEST_F(SessionTest, WhatWasCompiledUnderAnotherSettingIsCompiledAgain) {
  WithConnection([](Connection& connection) {
    RunScript(connection, "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p)");
    EXPECT_THAT(Ask(connection, "INSERT INTO c VALUES (1)"), StartsWith("SQLITE_CONSTRAINT"));
    EXPECT_EQ(Ask(connection, "SELECT 'a' LIKE 'A'"), "1");
    Ask(connection, "EXPLAIN PRAGMA foreign_keys = OFF");
    EXPECT_EQ(Ask(connection, "INSERT INTO c VALUES (1)"), "");
    Ask(connection,
        "EXPLAIN PRAGMA case_sensitive_like = ON");  // It has SQLite forget all statements by itself.
    EXPECT_EQ(Ask(connection, "SELECT 'a' LIKE 'A'"), "0");
  });
}

TEST_F(SessionTest, TheDataVersionOfAnotherConnectionIsNeverTheOneThatWasShown) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto other = Connect(*store);
    auto connection = Connect(*store);
    Ask(*other, "CREATE TABLE t (v)");
    for (int round = 0; round < 5; ++round) {
      for (int commit = 0; commit < round; ++commit) {
        Ask(*other, "INSERT INTO t VALUES (1)");
        Ask(*connection, "INSERT INTO t VALUES (1)");
      }
      const std::string shown = Ask(*connection, "PRAGMA data_version");
      EXPECT_EQ(Ask(*connection, "SELECT * FROM pragma_data_version"), shown);
      auto next = Connect(*store);
      ASSERT_TRUE(next->Restore(connection->session()));
      Ask(*other, "INSERT INTO t VALUES (1)");
      EXPECT_GT(std::stoi(Ask(*next, "PRAGMA data_version")), std::stoi(shown));
      connection = std::move(next);
    }
  });
}

// -- Another client

// What anyone could tell of a connection's past.
std::string Look(Connection& connection) {
  std::string seen;
  for (const SettingDefault& setting : kSettingDefaults)
    seen += Ask(connection, "PRAGMA " + std::string(setting.name)) + " ";
  for (const char* sql :
       {"SELECT 'a' LIKE 'A', 'a' GLOB 'A', last_insert_rowid(), changes(), total_changes()",
        "SELECT count(*) FROM sqlite_temp_schema", "PRAGMA database_list",
        "SELECT count(*) FROM pragma_function_list", "SELECT count(*) FROM pragma_collation_list",
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'temp'", "INSERT INTO log VALUES (1)",
        "SELECT n FROM log", "DELETE FROM log", "SELECT count(*) FROM sqlite_stmt",
        "SELECT sql FROM sqlite_stmt", "SELECT 1 FROM pragma_table_info('t'), sqlite_stmt"})
    seen += Ask(connection, sql) + "; ";
  return seen;
}

TEST_F(SessionTest, AReusedConnectionIsAsNewOrIsNotReused) {
  const std::vector<std::string> pasts = {
      "SELECT * FROM t",
      "INSERT INTO t VALUES (77), (78)",
      "UPDATE t SET v = 1",
      "DELETE FROM t WHERE 0",
      "INSERT INTO t VALUES (1) RETURNING v",
      "EXPLAIN PRAGMA foreign_keys = OFF",
      "EXPLAIN QUERY PLAN PRAGMA query_only = ON",
      "EXPLAIN PRAGMA case_sensitive_like = ON",
      "EXPLAIN PRAGMA reverse_unordered_selects = ON",
      "EXPLAIN PRAGMA analysis_limit = 3",
      "PRAGMA foreign_keys = OFF garbage",
      "PRAGMA recursive_triggers = ON; SELECT 1",
      "PRAGMA defer_foreign_keys = ON",
      "PRAGMA trusted_schema = OFF",
      "PRAGMA ignore_check_constraints = ON",
      "PRAGMA legacy_alter_table = ON",
      "PRAGMA automatic_index = OFF",
      "PRAGMA foreign_keys = ON",
      "SELECT * FROM pragma_foreign_keys",
      "SELECT nonsense",
      "BEGIN READONLY; SELECT * FROM t; COMMIT",
      "BEGIN; PRAGMA defer_foreign_keys = ON; INSERT INTO t VALUES (1); ROLLBACK",
      "BEGIN; CREATE TABLE u (v); INSERT INTO u VALUES (1); ROLLBACK",
      "CREATE VIRTUAL TABLE f USING fts5 (a); INSERT INTO f VALUES ('x'); DROP TABLE f",
      "INSERT INTO t VALUES (1); INSERT INTO w VALUES (1)",
      "UPDATE t SET v = 2; INSERT INTO w VALUES (1), (2)",
      "PRAGMA foreign_keys = OFF; PRAGMA foreign_keys = ON",
      "VACUUM; INSERT INTO t VALUES (5)",
      "CREATE TEMP TABLE x (a)",
      "SELECT * FROM sqlite_stmt",
  };
  core_.Run([&] {
    const auto store = OpenStore();
    const auto anchor = Connect(*store);
    RunScript(*anchor,
              "CREATE TABLE t (v); INSERT INTO t VALUES (1), (2), (3); CREATE TABLE log (n);"
              "CREATE TABLE tl (n); CREATE TABLE w (v); CREATE TRIGGER tr AFTER INSERT ON log BEGIN UPDATE "
              "log SET n = changes(); END;"
              "CREATE TRIGGER tw AFTER INSERT ON w BEGIN INSERT INTO tl VALUES (changes()); END");
    const std::string fresh = Look(*Connect(*store));
    EXPECT_EQ(fresh.find("CONSTRAINT"), std::string::npos) << fresh;
    EXPECT_NE(fresh.find("SQLITE_AUTH"), std::string::npos) << fresh;
    int reused = 0;
    for (const std::string& past : pasts) {
      const auto connection = Connect(*store);
      if (past.find(';') == std::string::npos)
        Ask(*connection, past);
      else
        RunScript(*connection, past);
      Ask(*connection, past);
      ASSERT_TRUE(connection->autocommit()) << past;
      if (!connection->ResetForReuse()) continue;
      ++reused;
      EXPECT_EQ(Look(*connection), fresh) << past;
      EXPECT_EQ(connection->session().settings.size(), 0u) << past;
    }
    EXPECT_GE(reused, 15);
  });
}

TEST_F(SessionTest, SettingsKeepAConnectionFromReuseUntilTheyAreAsNew) {
  WithConnection([](Connection& connection) {
    for (const SettingDefault& setting : kSettingDefaults) {
      const std::string pragma = "PRAGMA " + std::string(setting.name) + " = ";
      EXPECT_TRUE(connection.ResetForReuse());
      Ask(connection, pragma + std::to_string(1 - setting.value));
      EXPECT_FALSE(connection.ResetForReuse()) << pragma;
      Ask(connection, pragma + std::to_string(setting.value));
      EXPECT_TRUE(connection.ResetForReuse()) << pragma;
    }
    Ask(connection, "BEGIN");
    EXPECT_FALSE(connection.ResetForReuse());
    Ask(connection, "ROLLBACK");
    EXPECT_TRUE(connection.ResetForReuse());
  });
}

}  // namespace
}  // namespace tradewind::sqlite
