#include "mysql/server_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mysql/protocol.h"
#include "tests/mysql/two_servers_fixture.h"

namespace tradewind::tests {
namespace {

using namespace std::chrono_literals;
using mysql::Capabilities;
using mysql::ServerAnswer;
using mysql::ServerRequest;
using testing::ElementsAre;
namespace capability = mysql::capability;

constexpr Capabilities kModern =
    capability::kRelayed & ~(capability::kCacheMetadata | capability::kExtendedMetadata);
constexpr Capabilities kClassic = kModern & ~(capability::kDeprecateEof | capability::kSessionTrack);
// As the greeting of each kind of client has it.
constexpr Capabilities kKinds[] = {kClassic,
                                   kModern,
                                   capability::kRelayed,
                                   kClassic | capability::kCacheMetadata,
                                   kModern & ~capability::kSessionTrack,
                                   kModern | capability::kMysql};

class ServerConnectionTest : public TwoServersTest {
 protected:
  ServerAnswer Query(mysql::ServerConnection& connection, std::string_view sql) {
    auto answer = connection.Query(sql, soon());
    EXPECT_TRUE(answer) << sql << ": " << Describe(answer.error());
    return answer.value_or(ServerAnswer{});
  }
};

TEST_F(ServerConnectionTest, RowsComeAsText) {
  Run([&] {
    for (const Capabilities kind : kKinds) {
      const auto connection = first().Connect(kind);
      const auto answer = Query(*connection, "SELECT id, name FROM t ORDER BY id LIMIT 3");
      EXPECT_THAT(answer.columns, ElementsAre("id", "name"));
      using Row = ServerAnswer::Row;
      EXPECT_THAT(answer.rows, ElementsAre(Row{"1", "one"}, Row{"2", "two"}, Row{"3", std::nullopt}));
    }
  });
}

TEST_F(ServerConnectionTest, WhatTheServerRefusesHasItsNumberAndTheConnectionGoesOn) {
  Run([&] {
    const auto connection = first().Connect();
    EXPECT_EQ(connection->Query("SELECT * FROM missing", soon()).error().code, "MYSQL_1146");
    EXPECT_EQ(connection->Query("NONSENSE", soon()).error().code, "MYSQL_1064");
    EXPECT_EQ(Query(*connection, "SELECT 42").rows[0][0], "42");
  });
}

TEST_F(ServerConnectionTest, WrongPasswordAndUnknownUserAreUnauthorized) {
  Run([&] {
    for (const char* user : {"u", "nobody"}) {
      mysql::ServerLogin login;
      login.credentials = {user, mysql::PasswordKey::OfPassword("wrong")};
      const auto connection = mysql::ServerConnection::Open(core(), first().address(), login, soon());
      ASSERT_FALSE(connection);
      EXPECT_EQ(connection.error().kind, ErrorKind::kUnauthorized);
      EXPECT_EQ(connection.error().code, "MYSQL_1045");
    }
  });
}

TEST_F(ServerConnectionTest, ServerBehindAProxyKnowsTheClientsHost) {
  Run([&] {
    Query(*first().Connect(), "CREATE OR REPLACE USER far@203.0.113.7 IDENTIFIED BY 'secret'");
    mysql::ServerLogin login;
    login.credentials = {"far", mysql::PasswordKey::OfPassword("secret")};
    EXPECT_FALSE(mysql::ServerConnection::Open(core(), first().address(), login, soon()));
    login.proxy_header = mysql::ProxyHeader({"203.0.113.7", 50'000}, first().address()).value();
    const auto connection = mysql::ServerConnection::Open(core(), first().address(), login, soon());
    ASSERT_TRUE(connection) << Describe(connection.error());
    EXPECT_EQ(Query(**connection, "SELECT USER()").rows[0][0], "far@203.0.113.7");
  });
}

// Whatever the server answers, the next answer begins where this one ended.
TEST_F(ServerConnectionTest, EveryKindOfAnswerIsFollowedToItsEnd) {
  const std::vector<std::string> statements = {
      "SELECT 1",
      "SELECT 1; SELECT 2; SELECT 3",
      "SELECT 1; NONSENSE",
      "SELECT * FROM t WHERE 0",
      "SELECT 1 FROM t; INSERT INTO t (name) VALUES ('x'); DELETE FROM t WHERE name = 'x'",
      "CREATE OR REPLACE PROCEDURE p() BEGIN SELECT 1; SELECT 2; UPDATE t SET name = name; END",
      "CALL p()",
      "CALL p(); CALL p()",
      "CREATE OR REPLACE PROCEDURE q() BEGIN SELECT 1; SIGNAL SQLSTATE '45000'; END",
      "CALL q()",
      "SHOW TABLES",
      "SHOW WARNINGS",
      "EXPLAIN SELECT * FROM t",
      "ANALYZE TABLE t",
      "CHECKSUM TABLE t",
      "CHECK TABLE t",
      "INSERT INTO t (name) VALUES ('r') RETURNING id, name",
      "DELETE FROM t WHERE name = 'r' RETURNING id",
      "BEGIN; SELECT * FROM t FOR UPDATE; ROLLBACK",
      "SELECT (SELECT id FROM t)",
      "SELECT EXP(id * 1000) FROM t",
      "SELECT a.id FROM t a WHERE (SELECT 1 FROM t b WHERE a.id > 1)",
      "SET NAMES latin1",
      "SET session_track_system_variables = '*', session_track_state_change = 1",
      "SET NAMES utf8mb4; USE mysql; USE shop",
      "SELECT REPEAT('x', 100000), REPEAT('y', 16777215), REPEAT('z', 16777216)",
      "SELECT REPEAT('x', 20000000)",
      "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
      "PREPARE s FROM 'SELECT ? + 1'; SET @a = 1; EXECUTE s USING @a; DEALLOCATE PREPARE s",
      "HELP 'SELECT'",
      "DO 1",
      "KILL QUERY 999999999",
      "SELECT * FROM seq_1_to_1000",
      "BEGIN NOT ATOMIC DECLARE c CURSOR FOR SELECT 1; OPEN c; CLOSE c; END",
      "SHOW BINARY LOGS",
      "XA START 'x'; XA END 'x'; XA ROLLBACK 'x'",
  };
  Run([&] {
    for (const Capabilities kind : kKinds) {
      const auto connection = first().Connect(kind);
      for (const std::string& sql : statements) {
        SCOPED_TRACE(sql);
        const auto answer = connection->Query(sql, soon());
        if (!answer) {
          ASSERT_TRUE(answer.error().kind == ErrorKind::kRefused) << Describe(answer.error());
        }
        ASSERT_EQ(Query(*connection, "SELECT 42").rows.at(0).at(0), "42");
      }
    }
  });
}

TEST_F(ServerConnectionTest, OtherCommandsAreFollowedToTheirEnd) {
  using mysql::AnswerKind;
  const auto payload = [](uint8_t command, const std::string& rest = {}) {
    return std::string(1, static_cast<char>(command)) + rest;
  };
  const std::vector<ServerRequest> requests = {
      {payload(0x04, std::string("t\0", 2)), AnswerKind::kDefinitions},
      {payload(0x04, std::string("missing\0", 8)), AnswerKind::kDefinitions},
      {payload(0x07, "\x40"), AnswerKind::kOk},
      {payload(0x09), AnswerKind::kText},
      {payload(0x0a), AnswerKind::kResults},
      {payload(0x0d), AnswerKind::kOk},
      ServerRequest::Ping(),
      {payload(0x1b, std::string("\1\0", 2)), AnswerKind::kOk},
      {payload(0x1b, std::string("\0\0", 2)), AnswerKind::kOk},
      ServerRequest::InitDatabase("mysql"),
      ServerRequest::InitDatabase("missing"),
      ServerRequest::InitDatabase("shop"),
      ServerRequest::Prepare("SELECT id, name FROM t WHERE id < ? OR name = ?"),
      ServerRequest::Prepare("DO 1"),
      ServerRequest::Prepare("NONSENSE"),
      ServerRequest::Prepare("SELECT ?"),
      {payload(0x1f), AnswerKind::kOk},
  };
  Run([&] {
    for (const Capabilities kind : kKinds) {
      const auto connection = first().Connect(kind);
      for (size_t index = 0; index < requests.size(); ++index) {
        SCOPED_TRACE(index);
        const auto answers = connection->queries().AskAll(std::span(&requests[index], 1), soon());
        if (!answers[0]) {
          ASSERT_TRUE(answers[0].error().kind == ErrorKind::kRefused) << Describe(answers[0].error());
        }
        ASSERT_EQ(Query(*connection, "SELECT 42").rows.at(0).at(0), "42");
      }
    }
  });
}

TEST_F(ServerConnectionTest, RequestsSentTogetherAreAnsweredInOrder) {
  Run([&] {
    const auto connection = first().Connect();
    std::vector<ServerRequest> requests;
    for (int index = 0; index < 2'000; ++index)
      requests.push_back(
          ServerRequest::Query(index % 7 == 3 ? "NONSENSE" : "SELECT " + std::to_string(index)));
    const auto answers = connection->queries().AskAll(requests, soon());
    ASSERT_EQ(answers.size(), requests.size());
    for (int index = 0; index < 2'000; ++index) {
      const auto& answer = answers[static_cast<size_t>(index)];
      ASSERT_EQ(answer.has_value(), index % 7 != 3);
      if (answer) {
        ASSERT_EQ(answer->rows[0][0], std::to_string(index));
      }
    }
  });
}

TEST_F(ServerConnectionTest, DeadlineEndsAWait) {
  Run([&] {
    const auto connection = first().Connect();
    const auto answer = connection->Query("SELECT SLEEP(100)", core().Now() + 50ms);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::kTimeout);
  });
}

TEST_F(ServerConnectionTest, KilledConnectionIsAnError) {
  Run([&] {
    const auto victim = first().Connect();
    const auto killer = first().Connect();
    Query(*killer, "KILL " + std::to_string(victim->connection_id()));
    EXPECT_FALSE(victim->Query("SELECT 1", soon()));
  });
}

TEST_F(ServerConnectionTest, ControlOfAnInstanceIsPossible) {
  Run([&] {
    const auto connection = first().Connect();
    Query(*connection, "SET GLOBAL read_only = 1");
    EXPECT_EQ(Query(*connection, "SELECT @@read_only, @@gtid_binlog_pos").rows[0][0], "1");
    Query(*connection, "SET GLOBAL read_only = 0");
    EXPECT_EQ(Query(*connection, "INSERT INTO t (name) VALUES ('gone')").affected_rows, 1u);
    EXPECT_EQ(Query(*connection, "DELETE FROM t WHERE name = 'gone'").affected_rows, 1u);
  });
}

}  // namespace
}  // namespace tradewind::tests
