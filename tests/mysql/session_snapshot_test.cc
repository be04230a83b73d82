#include "mysql/session_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mysql/fields.h"
#include "mysql/server_connection.h"
#include "mysql/session_state.h"
#include "tests/mysql/two_servers_fixture.h"

namespace tradewind::tests {
namespace {

using mysql::ServerAnswer;
using mysql::ServerConnection;
using mysql::SessionState;
using mysql::Tie;
using testing::ElementsAre;
using testing::IsEmpty;

// What a session shows of itself, independent of its character sets; numbers of the session itself left out.
const char* const kWitnesses[] = {
    "SELECT BINARY variable_name, BINARY session_value FROM information_schema.system_variables"
    " WHERE variable_scope LIKE 'SESSION%' AND variable_name NOT IN ('TIMESTAMP', 'PSEUDO_THREAD_ID', "
    "'RAND_SEED1',"
    " 'RAND_SEED2', 'SERVER_ID', 'LAST_GTID', 'WARNING_COUNT', 'ERROR_COUNT', 'IN_TRANSACTION') ORDER BY 1 "
    "LIMIT 10000",
    "SELECT BINARY variable_name, BINARY variable_type, BINARY character_set_name, BINARY variable_value"
    " FROM information_schema.user_variables ORDER BY 1 LIMIT 10000",
    "SELECT BINARY DATABASE(), BINARY CURRENT_ROLE(), BINARY LAST_INSERT_ID() LIMIT 1",
};

class SessionSnapshotTest : public TwoServersTest {
 protected:
  ServerAnswer Query(ServerConnection& connection, std::string_view sql) {
    auto answer = connection.Query(sql, soon());
    EXPECT_TRUE(answer) << sql << ": " << Describe(answer.error());
    return answer.value_or(ServerAnswer{});
  }
  std::unique_ptr<ServerConnection> Move(ServerConnection& from, SessionState& state) {
    auto to = second().Connect();
    const auto snapshot = mysql::TakeSnapshot(from.queries(), false, soon());
    EXPECT_TRUE(snapshot) << Describe(snapshot.error());
    if (!snapshot) return to;
    const auto replayed = mysql::Replay(to->queries(), *snapshot, state, soon());
    EXPECT_TRUE(replayed) << Describe(replayed.error());
    return to;
  }
  // A session that these statements have made, and what is the same of it at another server.
  void ExpectToMove(const std::vector<std::string>& statements,
                    const std::vector<std::string>& witnesses = {}) {
    Run([&] {
      SCOPED_TRACE(statements.front());
      const auto from = first().Connect();
      for (const std::string& sql : statements) Query(*from, sql);
      SessionState state(0x0002, "shop");
      const auto to = Move(*from, state);
      for (const char* witness : kWitnesses)
        EXPECT_EQ(Query(*from, witness).rows, Query(*to, witness).rows) << witness;
      for (const std::string& witness : witnesses)
        EXPECT_EQ(Query(*from, witness).rows, Query(*to, witness).rows) << witness;
    });
  }
};

TEST_F(SessionSnapshotTest, FreshSessionIsFreshElsewhere) {
  ExpectToMove({"DO 0"});
}

TEST_F(SessionSnapshotTest, SystemVariablesMoveHoweverTheyWereSet) {
  ExpectToMove(
      {"SET @@sort_buffer_size = 300000", "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
       "SET time_zone = '+02:00', lc_time_names = 'de_DE'",
       "SET wait_timeout = 77, max_statement_time = 7.25",
       "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET sql_select_limit = 3",
       "SET SESSION TRANSACTION READ ONLY", "SET optimizer_switch = 'mrr=on'", "SET sql_auto_is_null = 1",
       "SET foreign_key_checks = 0, unique_checks = 0", "SET session_track_system_variables = '*'"});
}

TEST_F(SessionSnapshotTest, CharacterSetsMove) {
  ExpectToMove({"SET NAMES latin1 COLLATE latin1_german1_ci"});
  ExpectToMove({"SET NAMES utf8mb4", "SET character_set_results = NULL"});
  ExpectToMove({"SET NAMES utf8mb4", "SET character_set_results = utf16"});
  ExpectToMove({"SET character_set_client = cp1251, character_set_connection = ucs2"});
}

TEST_F(SessionSnapshotTest, ModesThatChangeWhatTextsMeanMove) {
  for (const char* mode :
       {"ORACLE", "ANSI", "MSSQL", "EMPTY_STRING_IS_NULL,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE",
        "NO_BACKSLASH_ESCAPES", "IGNORE_SPACE,STRICT_ALL_TABLES"})
    ExpectToMove({std::string("SET sql_mode = '") + mode + "'", "SET @a = 'it''s'"});
}

TEST_F(SessionSnapshotTest, UserVariablesKeepTheirTypesAndBytes) {
  ExpectToMove(
      {"SET @`a b` = 1, @i = -5, @u = 18446744073709551615, @n = NULL, @d = 0.1e0 + 0.2e0, @w = 1e300, @e = "
       "5e0",
       "SET @dec = 1.50, @whole = 5., @bin = x'00ff27', @l = _latin1 x'e9' COLLATE latin1_bin",
       "SET @long = REPEAT('x', 100000), @t = 'quote '' and \\\\', @empty = ''", "SELECT 7 INTO @into",
       "SELECT @select := 'x'"},
      {"SELECT HEX(@bin), HEX(@l), COLLATION(@l), MD5(@long), @t, @d, @dec, @whole, @empty, @n IS NULL",
       "SELECT @u, @w, @i, @into, @`a b`, @e, COLLATION(@bin), COLLATION(@t), @select"});
}

TEST_F(SessionSnapshotTest, DatabaseRoleAndLastInsertIdMove) {
  Run([&] {
    for (const MariaDbServer* server : {&first(), &second()})
      Query(*server->Connect(), "CREATE OR REPLACE ROLE clerk; GRANT clerk TO u");
  });
  ExpectToMove({"USE mysql", "SET ROLE clerk"}, {"SELECT CURRENT_ROLE(), DATABASE()"});
  ExpectToMove({"INSERT INTO t (name) VALUES ('moved')", "DELETE FROM t WHERE name = 'moved'"},
               {"SELECT LAST_INSERT_ID()"});
}

TEST_F(SessionSnapshotTest, AutocommitAndTimestampMove) {
  ExpectToMove({"SET autocommit = 0"});
  ExpectToMove({"SET timestamp = 1000000000.5"}, {"SELECT NOW(6), @@timestamp"});
  ExpectToMove({"SET insert_id = 1000"}, {"SELECT @@insert_id"});
}

TEST_F(SessionSnapshotTest, SessionIsMadeAtAServerThatIsStillReadOnly) {
  Run([&] {
    for (const MariaDbServer* server : {&first(), &second()})
      Query(*server->Connect(),
            "CREATE OR REPLACE USER limited IDENTIFIED BY 'secret'; GRANT ALL ON shop.* TO limited");
    mysql::ServerLogin login = MariaDbServer::Login();
    login.credentials.user = "limited";
    const auto from = ServerConnection::Open(core(), first().address(), login, soon()).value();
    Query(*from, "SET @a = 'kept', time_zone = '+01:00'");
    SessionState state(0x0002, "shop");
    state.statements().Add("INSERT INTO t (name) VALUES (?)", 1, 1);
    Query(*second().Connect(), "SET GLOBAL read_only = 1");
    const auto to = ServerConnection::Open(core(), second().address(), login, soon()).value();
    const auto snapshot = mysql::TakeSnapshot(from->queries(), false, soon());
    const auto replayed =
        snapshot ? mysql::Replay(to->queries(), *snapshot, state, soon()) : Fail(snapshot.error());
    EXPECT_TRUE(replayed) << Describe(replayed.error());
    EXPECT_EQ(to->Query("INSERT INTO t (name) VALUES ('refused')", soon()).error().code, "MYSQL_1290");
    Query(*second().Connect(), "SET GLOBAL read_only = 0");
    EXPECT_EQ(Query(*to, "SELECT @a, @@time_zone").rows[0], (ServerAnswer::Row{"kept", "+01:00"}));
  });
}

// A session that began before keeps what it had; it could not set any of these itself.
TEST_F(SessionSnapshotTest, SessionMovesThoughItsServerWasSetAnewSinceItBegan) {
  Run([&] {
    const char* const statements[] = {
        "SET GLOBAL max_allowed_packet = 32 << 20", "SET GLOBAL net_buffer_length = 8192",
        "SET GLOBAL enforce_storage_engine = 'InnoDB'", "SET GLOBAL binlog_row_image = 'MINIMAL'",
        "CREATE OR REPLACE USER limited IDENTIFIED BY 'secret'"
        " WITH MAX_USER_CONNECTIONS 5; GRANT ALL ON shop.* TO limited"};
    const auto administrator = first().Connect();
    Query(*administrator, statements[4]);
    Query(*second().Connect(), statements[4]);
    mysql::ServerLogin login = MariaDbServer::Login();
    login.credentials.user = "limited";
    const auto from = ServerConnection::Open(core(), first().address(), login, soon()).value();
    for (const char* sql : statements) Query(*administrator, sql);
    const auto snapshot = mysql::TakeSnapshot(from->queries(), false, soon());
    Query(*administrator,
          "SET GLOBAL max_allowed_packet = 64 << 20; SET GLOBAL net_buffer_length = DEFAULT;"
          "SET GLOBAL enforce_storage_engine = NULL; SET GLOBAL binlog_row_image = DEFAULT");
    ASSERT_TRUE(snapshot) << Describe(snapshot.error());
    const auto to = ServerConnection::Open(core(), second().address(), login, soon()).value();
    SessionState state(0x0002, "shop");
    const auto replayed = mysql::Replay(to->queries(), *snapshot, state, soon());
    EXPECT_TRUE(replayed) << Describe(replayed.error());
  });
}

TEST_F(SessionSnapshotTest, TimeGoesOnWhereItWasNotSet) {
  Run([&] {
    const auto from = first().Connect();
    const auto snapshot = mysql::TakeSnapshot(from->queries(), false, soon());
    ASSERT_TRUE(snapshot);
    EXPECT_FALSE(snapshot->timestamp);
  });
}

TEST_F(SessionSnapshotTest, SnapshotOpensNoTransactionAndLeavesTheSessionAsItWas) {
  Run([&] {
    const auto from = first().Connect();
    Query(*from, "SET autocommit = 0");
    Query(*from, "SET @a = 1");
    std::vector<ServerAnswer> before;
    for (const char* witness : kWitnesses) before.push_back(Query(*from, witness));
    ASSERT_TRUE(mysql::TakeSnapshot(from->queries(), false, soon()));
    EXPECT_EQ(Query(*from, "SELECT @@in_transaction").rows[0][0], "0");
    for (size_t index = 0; index < before.size(); ++index)
      EXPECT_EQ(Query(*from, kWitnesses[index]).rows, before[index].rows);
  });
}

TEST_F(SessionSnapshotTest, PreparedStatementsAreExecutedElsewhereByTheirOldIds) {
  Run([&] {
    const auto from = first().Connect();
    SessionState state(0x0002, "shop");
    auto& statements = state.statements();
    for (const MariaDbServer* server : {&first(), &second()})
      Query(*server->Connect(), "CREATE OR REPLACE TABLE moved (id INT)");
    const auto prepare = [&](const std::string& sql, const std::string& database) {
      const auto request = mysql::ServerRequest::Prepare(sql);
      const auto answer = from->queries().AskAll(std::span(&request, 1), soon());
      ASSERT_TRUE(answer[0]);
      statements.Add(sql, answer[0]->prepared->statement, answer[0]->prepared->parameters).database =
          database;
    };
    prepare("SELECT ?", "shop");
    prepare("SELECT ?, ?", "shop");
    statements.Remove(1);
    prepare("INSERT INTO moved VALUES (?)", "shop");
    statements.Find(3)->types = std::string("\x03\0", 2);  // An INT.
    const auto to = Move(*from, state);

    // What a client sends that has executed it before: no types.
    const std::string payload = std::string("\x17\3\0\0\0\0\1\0\0\0\0\0", 12) + std::string("\x39\5\0\0", 4);
    std::string bytes;
    uint8_t sequence = 0;
    mysql::AppendPacket(bytes, payload, sequence);
    mysql::Request& request = state.BeginRequest();
    request.Take(bytes);
    ASSERT_EQ(request.fate(), mysql::Request::Fate::kRelayed);
    const mysql::ServerRequest execution{request.TakeFrames().substr(mysql::kFrameHeaderBytes),
                                         request.answer_kind()};
    const auto inserted = to->queries().AskAll(std::span(&execution, 1), soon());
    ASSERT_TRUE(inserted[0]) << Describe(inserted[0].error());
    EXPECT_EQ(Query(*to, "SELECT id FROM moved").rows.at(0).at(0), "1337");
  });
}

TEST_F(SessionSnapshotTest, PreparedStatementsBelongToTheDatabaseOfTheirPreparation) {
  Run([&] {
    for (const MariaDbServer* server : {&first(), &second()})
      Query(*server->Connect(),
            "CREATE DATABASE IF NOT EXISTS other; CREATE OR REPLACE TABLE other.w (id INT)");
    const auto from = first().Connect();
    SessionState state(0x0002, "shop");
    state.statements().Add("SELECT * FROM w", 1, 0).database = "other";
    const auto to = Move(*from, state);
    EXPECT_EQ(Query(*to, "SELECT DATABASE()").rows[0][0], "shop");
  });
}

// As its table was dropped, it fails where it was prepared, too; at the next server it is tried again.
TEST_F(SessionSnapshotTest, StatementWhoseTableIsGoneIsRefusedByTheNextServerAsByTheFirst) {
  Run([&] {
    const auto from = first().Connect();
    SessionState state(0x0002, "shop");
    state.statements().Add("SELECT * FROM gone", 77, 0);
    state.statements().Add("SELECT 1", 78, 0);
    state.statements().Add("SELECT * FROM t", 79, 0).database = "dropped";
    state.statements().Add("SELECT * FROM t", 80, 0);
    const auto to = Move(*from, state);
    ASSERT_TRUE(state.statements().Find(1)->refusal);
    EXPECT_EQ(state.statements().Find(1)->refusal->number, 1146);
    EXPECT_FALSE(state.statements().Find(2)->refusal);
    ASSERT_TRUE(state.statements().Find(3)->refusal) << "not of another database of the same table";
    EXPECT_EQ(state.statements().Find(3)->refusal->number, 1049);
    EXPECT_FALSE(state.statements().Find(4)->refusal);
    EXPECT_EQ(Query(*to, "SELECT DATABASE()").rows[0][0], "shop");
    Query(*second().Connect(), "CREATE OR REPLACE TABLE gone (id INT)");
    const auto again = Move(*to, state);
    EXPECT_FALSE(state.statements().Find(1)->refusal);
    Query(*second().Connect(), "DROP TABLE gone");
  });
}

TEST_F(SessionSnapshotTest, PartThatIsRefusedElsewhereKeepsTheSession) {
  Run([&] {
    const auto from = first().Connect();
    Query(*from, "CREATE DATABASE IF NOT EXISTS only_here; USE only_here");
    SessionState state(0x0002, "only_here");
    state.statements().Add("SELECT 1", 77, 0);
    const auto snapshot = mysql::TakeSnapshot(from->queries(), false, soon());
    ASSERT_TRUE(snapshot);
    const auto to = second().Connect();
    const auto replayed = mysql::Replay(to->queries(), *snapshot, state, soon());
    ASSERT_FALSE(replayed);
    EXPECT_EQ(replayed.error().code, "MYSQL_SESSION_NOT_REPLAYED");
    EXPECT_EQ(state.statements().Find(1)->server_id, 77u);
    Query(*from, "DROP DATABASE only_here");
  });
}

TEST_F(SessionSnapshotTest, CountersShowWhatRoutinesDid) {
  Run([&] {
    const auto from = first().Connect();
    Query(*from, "CREATE OR REPLACE PROCEDURE hidden() CREATE TEMPORARY TABLE h (id INT)");
    SessionState state(0x0002, "shop");
    state.Agree(mysql::TakeSnapshot(from->queries(), false, soon())->view);
    EXPECT_THAT(state.ties(), IsEmpty());
    Query(*from, "CALL hidden()");
    state.Agree(mysql::TakeSnapshot(from->queries(), false, soon())->view);
    EXPECT_THAT(state.ties(), ElementsAre(Tie::kTemporaryTable));
    // And forget it with the session.
    const mysql::ServerRequest reset{"\x1f", mysql::AnswerKind::kOk};
    ASSERT_TRUE(from->queries().AskAll(std::span(&reset, 1), soon())[0]);
    EXPECT_EQ(mysql::TakeSnapshot(from->queries(), false, soon())->view.temporary_tables, 0u);
  });
}

TEST_F(SessionSnapshotTest, CountersShowHandlersLocksXaAndStatementsPreparedBySql) {
  Run([&] {
    const std::pair<const char*, Tie> kinds[] = {{"HANDLER t OPEN", Tie::kHandler},
                                                 {"LOCK TABLES t READ", Tie::kTableLock},
                                                 {"XA START 'x'", Tie::kXaTransaction},
                                                 {"PREPARE s FROM 'SELECT 1'", Tie::kPreparedBySql}};
    for (const auto& [sql, tie] : kinds) {
      const auto from = first().Connect();
      Query(*from, sql);
      SessionState state(0x0002, "shop");
      const auto snapshot = mysql::TakeSnapshot(from->queries(), false, soon());
      ASSERT_TRUE(snapshot) << Describe(snapshot.error());
      state.Agree(snapshot->view);
      EXPECT_THAT(state.ties(), ElementsAre(tie)) << sql;
    }
  });
}

}  // namespace
}  // namespace tradewind::tests
