// Real clients through the proxy, whose sessions move between two servers after every request that lets them: they see
// what they see at a server that they are connected to directly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mysql/answer.h"
#include "mysql/server_connection.h"
#include "mysql/tie.h"
#include "tests/mysql/child_process.h"
#include "tests/mysql/test_proxy.h"
#include "tests/mysql/two_servers_fixture.h"

namespace tradewind::tests {
namespace {

using mysql::Tie;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class ProxyTest : public TwoServersTest {
 protected:
  struct Run {
    int exit_code = 0;
    std::string output = {};
    TestProxy::Counts counts = {};
  };
  // The output of the mariadb command that is given a script, connected to a server or through the proxy.
  Run Script(const std::string& script, bool through_proxy, const std::vector<std::string>& more = {}) {
    return Through(
        through_proxy,
        [&](const runtime::Address& to) {
          std::vector<std::string> words = {"mariadb",          "--no-defaults",
                                            "--host=127.0.0.1", "--port=" + std::to_string(to.port),
                                            "--user=u",         "--password=secret",
                                            "--force",          "--unbuffered",
                                            "--table",          "-vv",
                                            "--show-warnings",  "--default-character-set=utf8mb4"};
          words.insert(words.end(), more.begin(), more.end());
          words.push_back("shop");
          return words;
        },
        script);
  }
  Run Through(bool proxied, const std::function<std::vector<std::string>(const runtime::Address&)>& command,
              const std::string& input = {}) {
    Run run;
    TwoServersTest::Run([&] {
      TestProxy proxy(core(), first(), second());
      const std::string output = folder() + "/client";
      ChildProcess client(command(proxied ? proxy.address() : first().address()), input, output);
      run.exit_code = client.Await(core());
      run.output = ReadFile(output);
      proxy.Stop();
      run.counts = proxy.counts();
    });
    return run;
  }
  // The output of a driver's tour, in the same way.
  Run Drive(const std::string& driver, bool through_proxy) {
    return Through(through_proxy, [&](const runtime::Address& to) {
      return std::vector<std::string>{"node", MYSQL_CLIENTS, driver, std::to_string(to.port)};
    });
  }
  // The script's counts, once it was seen to say the same both ways.
  TestProxy::Counts ExpectTheSame(const std::string& script, const std::vector<std::string>& more = {}) {
    const Run direct = Script(script, false, more);
    const Run moved = Script(script, true, more);
    EXPECT_EQ(moved.output, direct.output);
    EXPECT_EQ(moved.exit_code, direct.exit_code);
    EXPECT_EQ(moved.counts.failures, 0u);
    return moved.counts;
  }

  // Each server from the other, as long as these tests run.
  static void SetUpTestSuite() {
    TwoServersTest::SetUpTestSuite();
    TwoServersTest::Run([] {
      Tell(first(), {"RESET MASTER", "SET GLOBAL gtid_slave_pos = ''", ReplicateFrom(second())});
      Tell(second(), {"RESET MASTER", "SET GLOBAL gtid_slave_pos = ''", ReplicateFrom(first())});
      Tell(first(), {"START SLAVE"});
      Tell(second(), {"START SLAVE"});
    });
  }
  static void TearDownTestSuite() {
    TwoServersTest::Run([] {
      Tell(first(), {"STOP SLAVE"});
      Tell(second(), {"STOP SLAVE"});
    });
  }

 private:
  static std::string ReplicateFrom(const MariaDbServer& source) {
    return "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = " +
           std::to_string(source.address().port) +
           ", MASTER_USER = 'u', MASTER_PASSWORD = 'secret', MASTER_USE_GTID = slave_pos";
  }
  static void Tell(const MariaDbServer& server, const std::vector<std::string>& statements) {
    const auto connection = server.Connect();
    for (const std::string& sql : statements) {
      const auto done = connection->Query(sql, soon());
      ASSERT_TRUE(done) << sql << ": " << Describe(done.error());
    }
  }
};

TEST_F(ProxyTest, SessionMovesAfterEveryStatementAndItsClientSeesNothingOfIt) {
  const auto counts = ExpectTheSame(R"(
SELECT 1;
SET @a = 5, @b = 'text', @c = x'00ff', @d = 0.1e0 + 0.2e0;
SELECT @a, @b, HEX(@c), @d;
SET SESSION sql_mode = 'ANSI_QUOTES', time_zone = '+03:00', sql_select_limit = 2;
SELECT "id" FROM "t" ORDER BY id;
SELECT @@sql_mode, @@time_zone, @@sql_select_limit;
SET SESSION sql_mode = DEFAULT, sql_select_limit = DEFAULT;
SET NAMES latin1;
SELECT @@character_set_client, @@collation_connection;
SET NAMES utf8mb4;
USE mysql;
SELECT DATABASE();
USE shop;
CREATE TABLE moved (id INT PRIMARY KEY AUTO_INCREMENT, v INT);
INSERT INTO moved (v) VALUES (1), (2), (3);
SELECT LAST_INSERT_ID();
UPDATE moved SET v = v + 1;
SELECT * FROM moved;
SELECT * FROM moved WHERE v = (SELECT v FROM moved);
SELECT nonsense FROM moved;
DELETE FROM moved WHERE id = 2;
SELECT COUNT(*) FROM moved;
SET autocommit = 0;
SELECT @@autocommit;
INSERT INTO moved (v) VALUES (10);
SELECT COUNT(*) FROM moved;
ROLLBACK;
SELECT COUNT(*) FROM moved;
SET autocommit = 1;
DROP TABLE moved;
SELECT REPEAT('x', 3000), REPEAT('y', 100000);
SELECT LENGTH(REPEAT('z', 17000000));
)");
  EXPECT_GT(counts.moves, 25u);
  EXPECT_GE(counts.kept_by_transaction, 2u);
  EXPECT_GE(counts.asked_for_status, 2u);
  EXPECT_EQ(counts.kept_by_tie, 0u);
}

TEST_F(ProxyTest, TransactionsStayAtTheirServerFromBeginToEnd) {
  const auto counts = ExpectTheSame(R"(
CREATE TABLE bank (id INT PRIMARY KEY, v INT);
INSERT INTO bank VALUES (1, 100), (2, 100);
BEGIN;
UPDATE bank SET v = v - 30 WHERE id = 1;
UPDATE bank SET v = v + 30 WHERE id = 2;
SELECT * FROM bank;
SELECT * FROM missing;
SAVEPOINT s;
UPDATE bank SET v = 0;
ROLLBACK TO SAVEPOINT s;
COMMIT;
SELECT * FROM bank;
START TRANSACTION READ ONLY;
SELECT * FROM bank;
UPDATE bank SET v = 0;
COMMIT;
START TRANSACTION WITH CONSISTENT SNAPSHOT;
SELECT * FROM bank;
ROLLBACK AND CHAIN;
SELECT * FROM bank;
COMMIT;
DROP TABLE bank;
COMMIT RELEASE;
)");
  EXPECT_GE(counts.kept_by_transaction, 12u);
  EXPECT_GE(counts.moves, 4u);
}

TEST_F(ProxyTest, SessionsThatAreTiedStayAndGoOnceTheyAreFree) {
  const auto counts = ExpectTheSame(R"(
CREATE TEMPORARY TABLE tmp (id INT);
INSERT INTO tmp VALUES (1);
SELECT * FROM tmp;
DROP TEMPORARY TABLE tmp;
SELECT 1;
SELECT GET_LOCK('job', 5);
SELECT IS_USED_LOCK('job') = CONNECTION_ID();
SELECT RELEASE_LOCK('job');
SELECT 2;
PREPARE s FROM 'SELECT ? + 1';
SET @x = 41;
EXECUTE s USING @x;
DEALLOCATE PREPARE s;
SELECT 3;
HANDLER t OPEN;
HANDLER t READ FIRST;
HANDLER t CLOSE;
LOCK TABLES t READ;
SELECT COUNT(*) FROM t;
UNLOCK TABLES;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
BEGIN;
SELECT COUNT(*) FROM t;
COMMIT;
SELECT SQL_CALC_FOUND_ROWS id FROM t LIMIT 1;
SELECT FOUND_ROWS();
XA START 'x';
INSERT INTO t (name) VALUES ('xa');
XA END 'x';
XA ROLLBACK 'x';
SELECT 4;
)");
  for (const Tie tie : {Tie::kTemporaryTable, Tie::kUserLock, Tie::kPreparedBySql, Tie::kHandler,
                        Tie::kTableLock, Tie::kNextTransaction, Tie::kFoundRows})
    EXPECT_THAT(counts.ties, Contains(tie)) << mysql::TieName(tie);
  EXPECT_GE(counts.moves, 8u);
}

TEST_F(ProxyTest, RoutinesAndSeveralResultsPass) {
  const auto counts = ExpectTheSame(R"(
DELIMITER //
CREATE OR REPLACE PROCEDURE several() BEGIN SELECT 1; SELECT 2, 3; SELECT * FROM t WHERE 0; END//
CREATE OR REPLACE PROCEDURE opens() BEGIN START TRANSACTION; SELECT 1; END//
CREATE OR REPLACE PROCEDURE fails() BEGIN START TRANSACTION; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END//
SELECT 1; SELECT 2; SELECT 3//
DELIMITER ;
CALL several();
CALL opens();
COMMIT;
CALL fails();
SELECT @@in_transaction;
ROLLBACK;
SELECT @@in_transaction;
DROP PROCEDURE several; DROP PROCEDURE opens; DROP PROCEDURE fails;
)");
  EXPECT_GE(counts.kept_by_transaction, 2u);
  EXPECT_GE(counts.moves, 6u);
}

TEST_F(ProxyTest, DriversPreparedStatementsLiveThroughMoves) {
  for (const char* driver : {"mysql2", "mariadb"}) {
    const Run direct = Drive(driver, false);
    const Run moved = Drive(driver, true);
    EXPECT_EQ(moved.output, direct.output) << driver;
    EXPECT_EQ(direct.exit_code, 0) << driver << direct.output;
    EXPECT_EQ(moved.exit_code, 0) << driver;
    EXPECT_EQ(moved.counts.failures, 0u) << driver;
    EXPECT_GT(moved.counts.moves, 60u) << driver;
  }
}

TEST_F(ProxyTest, CursorsAndValuesInPartsKeepTheirServer) {
  TwoServersTest::Run([&] {
    TestProxy proxy(core(), first(), second());
    {
      const auto client =
          mysql::ServerConnection::Open(core(), proxy.address(), MariaDbServer::Login(), soon()).value();
      const auto ask = [&](std::string payload, mysql::AnswerKind kind) {
        const mysql::ServerRequest request{std::move(payload), kind};
        return client->queries().AskAll(std::span(&request, 1), soon())[0];
      };
      const auto prepared = ask("\x16SELECT id FROM t ORDER BY id", mysql::AnswerKind::kPreparation);
      ASSERT_TRUE(prepared);
      EXPECT_EQ(prepared->prepared->statement, 1u);
      // With a cursor; then each row. Rows are binary, which this reader of texts does not take: so they are looked at no
      // further than that they come.
      const auto opened = ask(std::string("\x17\1\0\0\0\1\1\0\0\0", 10), mysql::AnswerKind::kResults);
      ASSERT_TRUE(opened);
      EXPECT_TRUE(*opened->status & mysql::status::kCursorExists);
      ASSERT_TRUE(client->Query("SELECT 1", soon()));
      const auto none = ask(std::string("\x1a\1\0\0\0", 5), mysql::AnswerKind::kOk);
      ASSERT_TRUE(none);

      ASSERT_TRUE(ask("\x16SELECT LENGTH(?)", mysql::AnswerKind::kPreparation));
      ASSERT_TRUE(ask(std::string("\x18\2\0\0\0\0\0", 7) + "part", mysql::AnswerKind::kNone));
      ASSERT_TRUE(client->Query("SELECT 2", soon()));
      ASSERT_TRUE(ask(std::string("\x1a\2\0\0\0", 5), mysql::AnswerKind::kOk));
      ASSERT_TRUE(client->Query("SELECT 3", soon()));
    }
    proxy.Stop();
    EXPECT_THAT(proxy.counts().ties, Contains(Tie::kCursor));
    EXPECT_THAT(proxy.counts().ties, Contains(Tie::kLongValue));
    EXPECT_GE(proxy.counts().moves, 3u);
    EXPECT_EQ(proxy.counts().failures, 0u);
  });
}

TEST_F(ProxyTest, WrongPasswordIsSaidByTheProxy) {
  const Run run = Script("SELECT 1;", true, {"--password=wrong"});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.output,
              HasSubstr("ERROR 1045 (28000): Access denied for user 'u'@'proxy' (using password: YES)"));
}

TEST_F(ProxyTest, UnknownDatabaseIsSaidByTheServer) {
  const Run run = Script("SELECT 1;", true, {"--database=missing", "--disable-auto-rehash"});
  EXPECT_THAT(run.output, Not(HasSubstr("Lost connection")));
}

TEST_F(ProxyTest, FilesOfTheClientAreNotRead) {
  const Run run = Script("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t;", true, {"--local-infile=1"});
  EXPECT_THAT(run.output, HasSubstr("ERROR 4166"));
}

TEST_F(ProxyTest, ClientThatChangesItsUserGoesOnAsANewSession) {
  const Run direct = Script("SET @a = 1;\nconnect shop\nSELECT @a, DATABASE();\n", false, {"--reconnect"});
  const Run moved = Script("SET @a = 1;\nconnect shop\nSELECT @a, DATABASE();\n", true, {"--reconnect"});
  EXPECT_EQ(moved.exit_code, direct.exit_code);
  EXPECT_EQ(moved.counts.failures, 0u);
}

}  // namespace
}  // namespace tradewind::tests
