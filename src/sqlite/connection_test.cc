#include "sqlite/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ConnectionTest : public DatabaseFixture {};

// -- Values and arguments

TEST_F(ConnectionTest, ValuesComeBackAsTheyWentIn) {
  WithConnection([](Connection& connection) {
    const std::vector<sql::Value> values = {std::monostate{},
                                            std::numeric_limits<int64_t>::min(),
                                            std::numeric_limits<int64_t>::max(),
                                            -0.1,
                                            std::numeric_limits<double>::infinity(),
                                            std::string("zero \0 byte", 11),
                                            std::string(),
                                            std::string("\xf0\x9f\x8c\x8a"),
                                            sql::Blob{std::string("\0\xff", 2)},
                                            sql::Blob{}};
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)"), "");
    for (const sql::Value& value : values)
      ASSERT_EQ(Text(connection.Run({.sql = "INSERT INTO t (v) VALUES (?)", .arguments = {value}})), "");
    const auto result = connection.Run({.sql = "SELECT v FROM t ORDER BY id"});
    ASSERT_TRUE(result) << Describe(result.error());
    ASSERT_EQ(result->rows.size(), values.size());
    for (size_t at = 0; at < values.size(); ++at) EXPECT_EQ(result->rows[at][0], values[at]) << at;
  });
}

TEST_F(ConnectionTest, ArgumentsBindByPositionAndByNameWithAndWithoutPrefix) {
  WithConnection([](Connection& connection) {
    const auto run = [&](std::string sql, std::vector<sql::Value> positional,
                         std::vector<std::pair<std::string, sql::Value>> named) {
      return Text(connection.Run(
          {.sql = std::move(sql), .arguments = std::move(positional), .named_arguments = std::move(named)}));
    };
    EXPECT_EQ(run("SELECT ?, ?", {int64_t{1}, int64_t{2}}, {}), "1|2");
    EXPECT_EQ(run("SELECT ?3, ?1", {int64_t{1}, int64_t{2}, int64_t{3}}, {}), "3|1");
    EXPECT_EQ(run("SELECT :a, @b, $c", {}, {{"a", int64_t{1}}, {"@b", int64_t{2}}, {"$c", int64_t{3}}}),
              "1|2|3");
    EXPECT_EQ(run("SELECT :a, $a", {}, {{"a", int64_t{1}}, {"$a", int64_t{2}}}), "1|2");
    EXPECT_EQ(run("SELECT :a, ?", {int64_t{1}, int64_t{2}}, {{"a", int64_t{9}}}), "9|2");
  });
}

TEST_F(ConnectionTest, MissingAndSurplusArgumentsAreRefused) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(CodeOf(connection.Run({.sql = "SELECT ?, ?", .arguments = {int64_t{1}}})), "ARGS_INVALID");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "SELECT :a"})), "ARGS_INVALID");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "SELECT 1", .arguments = {int64_t{1}}})), "ARGS_INVALID");
    EXPECT_EQ(CodeOf(connection.Run(
                  {.sql = "SELECT :a", .named_arguments = {{"a", int64_t{1}}, {"b", int64_t{2}}}})),
              "ARGS_INVALID");
    EXPECT_EQ(CodeOf(connection.RunFirst("SELECT ?")), "ARGS_INVALID");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "EXPLAIN QUERY PLAN SELECT ?"})), "");
  });
}

TEST_F(ConnectionTest, ArgumentsOfOneRunDoNotStayForTheNext) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Text(connection.Run({.sql = "SELECT ?", .arguments = {int64_t{7}}})), "7");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "SELECT ?"})), "ARGS_INVALID");
    EXPECT_EQ(Text(connection.Run({.sql = "SELECT ?", .arguments = {std::monostate{}}})), "NULL");
  });
}

// -- Results

TEST_F(ConnectionTest, CountsAndRowidsAreOfTheStatementsThatHaveThem) {
  WithConnection([](Connection& connection) {
    const auto run = [&](const std::string& sql) {
      auto result = connection.Run({.sql = sql});
      EXPECT_TRUE(result) << sql;
      return std::pair(result->affected_row_count, result->last_insert_rowid);
    };
    using Outcome = std::pair<uint64_t, std::optional<int64_t>>;
    EXPECT_EQ(run("CREATE TABLE t (id INTEGER PRIMARY KEY, v)"), Outcome(0, std::nullopt));
    EXPECT_EQ(run("INSERT INTO t (v) VALUES (1), (2), (3)"), Outcome(3, 3));
    EXPECT_EQ(run("SELECT * FROM t"), Outcome(0, std::nullopt));
    EXPECT_EQ(run("UPDATE t SET v = 0 WHERE id < 3"), Outcome(2, std::nullopt));
    EXPECT_EQ(run("CREATE TABLE u AS SELECT * FROM t"), Outcome(0, std::nullopt));
    EXPECT_EQ(run("INSERT INTO t VALUES (1, 9) ON CONFLICT DO UPDATE SET v = 9"), Outcome(1, 3));
    EXPECT_EQ(run("WITH w AS (SELECT 41 AS id) INSERT INTO t (id) SELECT id FROM w"), Outcome(1, 41));
    EXPECT_EQ(run("DELETE FROM t"), Outcome(4, std::nullopt));
    EXPECT_EQ(run("PRAGMA user_version = 3"), Outcome(0, std::nullopt));
    EXPECT_EQ(run("BEGIN"), Outcome(0, std::nullopt));
    EXPECT_EQ(run("COMMIT"), Outcome(0, std::nullopt));
  });
}

TEST_F(ConnectionTest, ColumnsCarryNamesAndDeclaredTypes) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY, name VarChar(10), x)");
    const auto result = connection.Run({.sql = "SELECT id, name AS n, x, 1 + 1 FROM t"});
    ASSERT_TRUE(result);
    ASSERT_EQ(result->columns.size(), 4u);
    EXPECT_EQ(result->columns[0].declared_type, "INTEGER");
    EXPECT_EQ(result->columns[1].name, "n");
    EXPECT_EQ(result->columns[1].declared_type, "VarChar(10)");
    EXPECT_EQ(result->columns[2].declared_type, std::nullopt);
    EXPECT_EQ(result->columns[3].name, "1 + 1");
  });
}

TEST_F(ConnectionTest, RowsThatNobodyWantsAreDroppedButTheStatementRuns) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    const auto result =
        connection.Run({.sql = "INSERT INTO t VALUES (1), (2) RETURNING v", .want_rows = false});
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->rows.empty());
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "2");
  });
}

TEST_F(ConnectionTest, AnAnswerThatIsTooLargeIsRefusedAndItsChangesUndone) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    const std::string rows =
        "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 12000) SELECT "
        "zeroblob(1000) FROM c";
    EXPECT_EQ(CodeOf(connection.Run({.sql = rows})), "RESPONSE_TOO_LARGE");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "INSERT INTO t " + rows + " RETURNING v"})),
              "RESPONSE_TOO_LARGE");
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "0");
  });
}

// -- Statements and errors

TEST_F(ConnectionTest, ErrorsHaveTheCodesThatLibsqlClientsKnow) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY, v NOT NULL)");
    const auto code = [&](const std::string& sql) { return CodeOf(connection.Run({.sql = sql})); };
    EXPECT_EQ(code("SELEC 1"), "SQL_PARSE_ERROR");
    EXPECT_EQ(code("SELECT (1"), "SQL_PARSE_ERROR");
    EXPECT_EQ(code("SELECT 1; SELECT 2"), "SQL_MANY_STATEMENTS");
    EXPECT_EQ(code(" -- nothing"), "SQL_NO_STATEMENT");
    EXPECT_EQ(code(std::string("SELECT 1\0", 9)), "SQL_PARSE_ERROR");
    EXPECT_EQ(code("SELECT nowhere FROM t"), "SQL_INPUT_ERROR");
    EXPECT_EQ(code("SELECT 1 FROM missing"), "SQLITE_UNKNOWN");
    EXPECT_EQ(code("INSERT INTO t VALUES (1, NULL)"), "SQLITE_CONSTRAINT");
    EXPECT_EQ(code("INSERT INTO t VALUES ('x', 1)"), "SQLITE_MISMATCH");
    EXPECT_EQ(code("ROLLBACK"), "SQLITE_UNKNOWN");
    EXPECT_EQ(code("SELECT 1; -- and no more\n;"), "");
  });
}

TEST_F(ConnectionTest, SqlThatWouldOverflowAFibersStackIsRefused) {
  WithConnection([](Connection& connection) {
    std::string sum = "SELECT 1";
    for (int term = 0; term < 1'100; ++term) sum += "+1";
    EXPECT_NE(CodeOf(connection.Run({.sql = sum})), "");
    std::string compound = "SELECT 1";
    for (int term = 0; term < 510; ++term) compound += " UNION ALL SELECT 1";
    EXPECT_NE(CodeOf(connection.Run({.sql = compound})), "");
    EXPECT_NE(CodeOf(connection.Run(
                  {.sql = "SELECT 'a' LIKE ?", .arguments = {sql::Value(std::string(60'000, '%') + "b")}})),
              "");
    EXPECT_EQ(
        CodeOf(connection.Run(
            {.sql = "SELECT ?",
             .arguments = {sql::Value(std::string(static_cast<size_t>(limits::kValueBytes) + 1, 'x'))}})),
        "SQLITE_TOOBIG");
    std::string values = "INSERT INTO t VALUES (0)";
    for (int row = 0; row < 50'000; ++row) values += ",(" + std::to_string(row) + ")";
    Ask(connection, "CREATE TABLE t (v)");
    EXPECT_EQ(CodeOf(connection.Run({.sql = values})), "");
  });
}

TEST_F(ConnectionTest, SqlThatTakesSecondsToCompileIsRefusedOrPauses) {
  WithConnection([](Connection& connection) {
    const auto chain = [](int length) {
      std::string sql = "WITH c0 AS (SELECT 1 AS x)";
      for (int link = 1; link < length; ++link)
        sql += ", c" + std::to_string(link) + " AS (SELECT x FROM c" + std::to_string(link - 1) + ")";
      return sql + " SELECT x FROM c" + std::to_string(length - 1);
    };
    EXPECT_EQ(CodeOf(connection.Run({.sql = chain(20'000)})), "SQL_TOO_COMPLEX");
    EXPECT_EQ(CodeOf(connection.RunFirst(chain(20'000))), "SQL_TOO_COMPLEX");
    int pauses = 0;
    connection.SetProgress([&]() -> Result<void> {
      ++pauses;
      return {};
    });
    EXPECT_TRUE(connection.Describe(chain(500)));
    EXPECT_GT(pauses, 100);
    connection.SetProgress([&]() -> Result<void> { return Fail(ErrorKind::kTimeout, "ENOUGH", "no more"); });
    EXPECT_EQ(CodeOf(connection.Describe(chain(500))), "ENOUGH");
  });
}

TEST_F(ConnectionTest, AScriptRunsStatementByStatement) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(RunScript(connection,
                        "-- a schema\nCREATE TABLE t (v);\n"
                        "CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET v = v + 1; SELECT 1; END;\n"
                        "INSERT INTO t VALUES (1); /* done */"),
              "");
    EXPECT_EQ(Ask(connection, "SELECT v FROM t"), "2");
    EXPECT_EQ(connection.RunFirst("  -- only this").value(), 14u);
    EXPECT_EQ(connection.RunFirst("SELECT 1;SELECT 2").value(), 9u);
    EXPECT_EQ(connection.RunFirst("BEGIN READONLY; SELECT 2").value(), 15u);
    EXPECT_FALSE(connection.autocommit());
  });
}

TEST_F(ConnectionTest, AStatementOfAScriptMayBeLong) {
  WithConnection([](Connection& connection) {
    std::string script = "CREATE TABLE t (v);INSERT INTO t VALUES (0)";
    for (int row = 1; row < 20'000; ++row) script += ",(" + std::to_string(row) + ")";
    script += ";INSERT INTO t VALUES (-1)";
    EXPECT_EQ(RunScript(connection, script), "");
    EXPECT_EQ(Ask(connection, "SELECT count(*), min(v) FROM t"), "20001|-1");
  });
}

TEST_F(ConnectionTest, AStatementCutShortByTheWindowDoesNotRun) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    Ask(connection, "INSERT INTO t VALUES (1), (2)");
    // What is before the padding would delete everything.
    const std::string script = "DELETE FROM t " + std::string(40'000, ' ') + " WHERE v = 1";
    EXPECT_EQ(RunScript(connection, script), "");
    EXPECT_EQ(Ask(connection, "SELECT v FROM t"), "2");
  });
}

TEST_F(ConnectionTest, BeginReadonlyStartsAReadTransaction) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "BEGIN TRANSACTION READONLY"), "");
    EXPECT_FALSE(connection.autocommit());
    EXPECT_EQ(connection.transaction_state(), TransactionState::kNone);
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM sqlite_schema"), "0");
    EXPECT_EQ(connection.transaction_state(), TransactionState::kRead);
    EXPECT_EQ(Ask(connection, "COMMIT"), "");
    EXPECT_EQ(CodeOf(connection.Run({.sql = "BEGIN READONLY; SELECT 1"})), "SQL_MANY_STATEMENTS");
  });
}

TEST_F(ConnectionTest, DescribeTellsWithoutRunning) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    const auto description = connection.Describe("INSERT INTO t VALUES (:id) RETURNING id");
    ASSERT_TRUE(description);
    ASSERT_EQ(description->parameters.size(), 1u);
    EXPECT_EQ(description->parameters[0].name, ":id");
    EXPECT_EQ(description->columns[0].declared_type, "INTEGER");
    EXPECT_FALSE(description->is_readonly);
    EXPECT_TRUE(connection.Describe("EXPLAIN SELECT 1")->is_explain);
    EXPECT_TRUE(connection.Describe("PRAGMA foreign_keys = OFF").has_value());
    EXPECT_EQ(Ask(connection, "PRAGMA foreign_keys"), "1");
  });
}

TEST_F(ConnectionTest, TraitsAreKnownBeforeTheStep) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    const auto traits = [&](const std::string& sql) {
      StatementTraits seen;
      const auto look = [&](const StatementTraits& known) -> Result<Connection::Decision> {
        seen = known;
        return Connection::Decision::kSkip;
      };
      EXPECT_TRUE(connection.Run({.sql = sql}, look)) << sql;
      return seen;
    };
    for (int pass = 0; pass < 2; ++pass) {  // The second time from the cache.
      EXPECT_TRUE(traits("SELECT * FROM t").readonly);
      EXPECT_FALSE(traits("INSERT INTO t VALUES (1)").readonly);
      EXPECT_TRUE(traits("BEGIN").readonly);
      EXPECT_FALSE(traits("BEGIN IMMEDIATE").readonly);
      EXPECT_FALSE(traits("VACUUM").readonly);
      EXPECT_TRUE(traits("PRAGMA journal_mode").readonly);
      EXPECT_TRUE(traits("EXPLAIN DELETE FROM t").readonly);
      EXPECT_EQ(traits("BEGIN READONLY").control, TransactionControl::kBegin);
      EXPECT_EQ(traits("END").control, TransactionControl::kCommit);
      EXPECT_EQ(traits("ROLLBACK").control, TransactionControl::kRollback);
      EXPECT_EQ(traits("SAVEPOINT s").control, TransactionControl::kSavepoint);
      EXPECT_EQ(traits("RELEASE s").control, TransactionControl::kRelease);
      EXPECT_EQ(traits("ROLLBACK TO s").control, TransactionControl::kRollbackTo);
      EXPECT_EQ(traits("EXPLAIN COMMIT").control, TransactionControl::kNone);
    }
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "0");
    EXPECT_TRUE(connection.autocommit());
  });
}

TEST_F(ConnectionTest, ARefusalBeforeTheStepIsTheAnswerAndNothingRuns) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    const auto refuse = [](const StatementTraits&) -> Result<Connection::Decision> {
      return Fail(ErrorKind::kUnavailable, "NOT_NOW", "the test says no");
    };
    EXPECT_EQ(CodeOf(connection.Run({.sql = "INSERT INTO t VALUES (1)"}, refuse)), "NOT_NOW");
    EXPECT_EQ(CodeOf(connection.RunFirst("INSERT INTO t VALUES (1)", refuse)), "NOT_NOW");
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "0");
  });
}

TEST_F(ConnectionTest, AKeptStatementSeesASchemaThatChanged) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto one = Connect(*store);
    const auto other = Connect(*store);
    Ask(*one, "CREATE TABLE t (a)");
    Ask(*one, "INSERT INTO t VALUES (1)");
    EXPECT_EQ(Ask(*one, "SELECT * FROM t"), "1");
    EXPECT_EQ(Ask(*other, "ALTER TABLE t ADD COLUMN b DEFAULT 5"), "");
    const auto result = one->Run({.sql = "SELECT * FROM t"});
    EXPECT_EQ(Text(result), "1|5");
    EXPECT_EQ(result->columns.size(), 2u);
    EXPECT_EQ(Ask(*other, "DROP TABLE t"), "");
    EXPECT_THAT(Ask(*one, "SELECT * FROM t"), HasSubstr("no such table"));
  });
}

// -- Sandbox

TEST_F(ConnectionTest, SqlCannotReachOutOfItsFileOrUnderTheServer) {
  WithConnection([&](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    const std::string outside = core_.folder() + "/outside.db";
    for (const std::string& sql : {
             std::string("ATTACH '") + outside + "' AS o",
             std::string("ATTACH '' AS o"),
             std::string("ATTACH ':memory:' AS o"),
             std::string("DETACH main"),
             std::string("VACUUM INTO '") + outside + "'",
             std::string("SELECT load_extension('x')"),
             std::string("SELECT fts3_tokenizer('simple')"),
             std::string("PRAGMA writable_schema = ON"),
             std::string("PRAGMA journal_mode = DELETE"),
             std::string("PRAGMA synchronous = OFF"),
             std::string("PRAGMA cache_spill = ON"),
             std::string("PRAGMA wal_checkpoint(TRUNCATE)"),
             std::string("PRAGMA locking_mode = EXCLUSIVE"),
             std::string("PRAGMA temp_store_directory = '/'"),
             std::string("PRAGMA secure_delete = ON"),
             std::string("PRAGMA schema_version = 7"),
             std::string("SELECT * FROM pragma_wal_checkpoint"),
             std::string("CREATE TEMP TABLE x (v)"),
             std::string("CREATE TEMP VIEW x AS SELECT 1"),
             std::string("CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END"),
         }) {
      const auto result = connection.Run({.sql = sql});
      ASSERT_FALSE(result) << sql;
      if (sql.find("pragma_") == std::string::npos) {
        EXPECT_EQ(result.error().code, "SQLITE_AUTH") << sql << ": " << result.error().message;
        EXPECT_THAT(result.error().message, HasSubstr("hosted database")) << sql;
      }
    }
    EXPECT_NE(CodeOf(connection.Run({.sql = "UPDATE sqlite_schema SET sql = ''"})), "");
    EXPECT_FALSE(core_.disk().Exists(outside).value());
  });
}

TEST_F(ConnectionTest, PragmasThatClientsNeedWork) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (id INTEGER PRIMARY KEY, v REFERENCES t)");
    EXPECT_THAT(Ask(connection, "PRAGMA table_info(t)"), StartsWith("0|id|INTEGER"));
    EXPECT_THAT(Ask(connection, "SELECT name FROM pragma_table_info('t')"), "id v");
    EXPECT_EQ(Ask(connection, "PRAGMA journal_mode"), "wal");
    EXPECT_EQ(Ask(connection, "PRAGMA journal_mode = WAL"), "wal");
    EXPECT_EQ(Ask(connection, "PRAGMA user_version = 12"), "");
    EXPECT_EQ(Ask(connection, "PRAGMA user_version"), "12");
    EXPECT_EQ(Ask(connection, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Ask(connection, "PRAGMA page_size"), "4096");
    EXPECT_EQ(Ask(connection, "PRAGMA foreign_keys"), "1");
    EXPECT_EQ(Ask(connection, "PRAGMA busy_timeout = 1"), "");
    EXPECT_EQ(Ask(connection, "PRAGMA optimize"), "");
  });
}

TEST_F(ConnectionTest, VacuumWorksAndFreesPages) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    Ask(connection,
        "INSERT INTO t WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000) "
        "SELECT randomblob(1000) FROM c");
    Ask(connection, "DELETE FROM t WHERE rowid > 10");
    EXPECT_EQ(Ask(connection, "VACUUM"), "");
    EXPECT_EQ(Ask(connection, "PRAGMA freelist_count"), "0");
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "10");
    EXPECT_EQ(Ask(connection, "PRAGMA integrity_check"), "ok");
  });
}

TEST_F(ConnectionTest, FullTextAndSpatialTablesWork) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE VIRTUAL TABLE f USING fts5 (body)"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO f VALUES ('trade winds blow'), ('calm')"), "");
    EXPECT_EQ(Ask(connection, "SELECT body FROM f WHERE f MATCH 'wind*'"), "trade winds blow");
    EXPECT_EQ(Ask(connection, "CREATE VIRTUAL TABLE r USING rtree (id, a, b)"), "");
    EXPECT_EQ(Ask(connection, "INSERT INTO r VALUES (1, 0, 5)"), "");
    EXPECT_EQ(Ask(connection, "SELECT id FROM r WHERE a < 3 AND b > 3"), "1");
  });
}

TEST_F(ConnectionTest, TheSchemaIsBounded) {
  WithConnection([](Connection& connection) {
    // Each UNIQUE column has an index, so four such tables reach the bound.
    for (int table = 0; table < 4; ++table) {
      std::string sql = "CREATE TABLE t" + std::to_string(table) + " (c UNIQUE";
      for (int column = 2; column < limits::kSchemaObjects / 4; ++column)
        sql += ", c" + std::to_string(column) + " UNIQUE";
      EXPECT_EQ(Ask(connection, sql + ")"), "");
    }
    EXPECT_EQ(CodeOf(connection.Run({.sql = "CREATE TABLE one_more (v)"})), "SCHEMA_TOO_LARGE");
    EXPECT_EQ(Ask(connection, "DROP TABLE t0"), "");
    EXPECT_EQ(Ask(connection, "CREATE TABLE one_more (v)"), "");
  });
}

// -- Waiting

TEST_F(ConnectionTest, AnErrorOfTheProgressCallEndsTheStatementWithIt) {
  WithConnection([](Connection& connection) {
    int calls = 0;
    connection.SetProgress([&]() -> Result<void> {
      if (++calls < 10) return {};
      return Fail(ErrorKind::kTimeout, "ENOUGH", "the test has seen enough");
    });
    const std::string endless =
        "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
    EXPECT_EQ(CodeOf(connection.Run({.sql = endless})), "ENOUGH");
    EXPECT_EQ(calls, 10);
    connection.SetProgress({});
    EXPECT_EQ(Ask(connection, "SELECT 1"), "1");
  });
}

TEST_F(ConnectionTest, AWaitForSqlitesLockSuspendsTheFiberAndEnds) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto holder = Connect(*store);
    const auto waiter = Connect(*store);
    Ask(*holder, "CREATE TABLE t (v)");
    Ask(*holder, "BEGIN IMMEDIATE");
    runtime::TaskGroup group(core_);
    std::string outcome = "waits";
    group.Spawn("writer", [&] { outcome = Ask(*waiter, "INSERT INTO t VALUES (1)"); });
    runtime::SleepFor(limits::kWriteTurnWait / 2);
    EXPECT_EQ(outcome, "waits");
    Ask(*holder, "COMMIT");
    group.Join();
    EXPECT_EQ(outcome, "");
    Ask(*holder, "BEGIN IMMEDIATE");
    EXPECT_THAT(Ask(*waiter, "INSERT INTO t VALUES (2)"), StartsWith("SQLITE_BUSY"));
  });
}

TEST_F(ConnectionTest, ABarredConnectionTakesNoSnapshotAndKeepsTheOneThatItHas) {
  WithConnection([](Connection& connection) {
    EXPECT_EQ(Ask(connection, "CREATE TABLE t (v)"), "");
    EXPECT_EQ(Ask(connection, "CREATE VIRTUAL TABLE r USING rtree (id, a, b)"), "");
    const auto barred = StartsWith(std::string(kSnapshotBarredCode));
    connection.BarSnapshots();
    EXPECT_THAT(Ask(connection, "SELECT * FROM t"), barred);
    EXPECT_THAT(Ask(connection, "INSERT INTO t VALUES (1)"), barred);
    EXPECT_THAT(Ask(connection, "VACUUM"), barred);
    EXPECT_THAT(Ask(connection, "PRAGMA quick_check"), barred);
    EXPECT_THAT(Ask(connection, "SELECT rtreecheck('r')"), barred);
    EXPECT_THAT(Ask(connection, "SELECT * FROM pragma_page_count"), barred);
    EXPECT_EQ(Ask(connection, "SELECT 1"), "1");
    // A transaction that has read nothing stays begun.
    EXPECT_EQ(Ask(connection, "BEGIN"), "");
    EXPECT_THAT(Ask(connection, "SELECT * FROM t"), barred);
    EXPECT_THAT(Ask(connection, "INSERT INTO t VALUES (1)"), barred);
    EXPECT_THAT(Ask(connection, "SELECT rtreecheck('r')"), barred);
    EXPECT_FALSE(connection.autocommit());
    connection.LiftBar();
    EXPECT_EQ(Ask(connection, "INSERT INTO t VALUES (2)"), "");
    connection.BarSnapshots();
    EXPECT_EQ(Ask(connection, "SELECT * FROM t"), "2");
    EXPECT_EQ(Ask(connection, "SELECT rtreecheck('r')"), "ok");
    EXPECT_EQ(Ask(connection, "COMMIT"), "");
    EXPECT_THAT(Ask(connection, "SELECT * FROM t"), barred);
    connection.LiftBar();
    EXPECT_EQ(Ask(connection, "SELECT * FROM t"), "2");
  });
}

TEST_F(ConnectionTest, ATransactionPastTheMemoryLimitEndsWithAClearError) {
  WithConnection([](Connection& connection) {
    Ask(connection, "CREATE TABLE t (v)");
    Ask(connection, "BEGIN");
    Ask(connection, "INSERT INTO t VALUES (1)");
    const std::string fill =
        "INSERT INTO t WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 400) "
        "SELECT zeroblob(1000000) FROM c";
    EXPECT_EQ(CodeOf(connection.Run({.sql = fill})), "TRANSACTION_TOO_LARGE");
    EXPECT_TRUE(connection.autocommit());
    EXPECT_EQ(Ask(connection, "SELECT count(*) FROM t"), "0");
  });
}

TEST_F(ConnectionTest, AStatementOfOurOwnMayHaveMoreRowsThanAClientIsSent) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    const sql::Statement rows{.sql =
                                  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE "
                                  "x<40000) SELECT x, hex(zeroblob(200)) FROM c"};
    EXPECT_EQ(CodeOf(connection->Run(rows)), "RESPONSE_TOO_LARGE");
    connection->SetResponseBytes(UINT64_MAX);
    const auto all = connection->Run(rows);
    ASSERT_TRUE(all);
    EXPECT_EQ(all->rows.size(), 40'000u);
  });
}

}  // namespace
}  // namespace tradewind::sqlite
