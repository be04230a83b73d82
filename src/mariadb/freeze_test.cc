// With real servers, and everybody who could be in the way.
#include "mariadb/freeze.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "mariadb/servers_fixture.h"

namespace tradewind::mariadb {
namespace {

using namespace std::chrono_literals;

class FreezeTest : public ServersTest {
 protected:
  void With(std::function<void(Instance&, Freeze&)> body) {
    Run([&] {
      const auto instance = OpenWritable("one", 32u << 20);
      ASSERT_NE(instance, nullptr);
      Insert(*instance, 3);
      Freeze freeze(*core_, *instance);
      ASSERT_TRUE(freeze.MakeReady(soon()));
      body(*instance, freeze);
      Stop(*instance);
    });
  }
  void Thaw(Instance& instance, Freeze& freeze) {
    freeze.Thaw(soon());
    EXPECT_EQ(Ask(instance, "SELECT @@read_only"), "1");
    EXPECT_TRUE(instance.MakeWritable(soon()));
  }
  void AwaitWaiting(Instance& instance) {
    while (Ask(instance,
               "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'Waiting for backup "
               "lock'") == "0")
      runtime::Yield();
  }
  void ExpectBlocked(Freeze& freeze, const std::string& by) {
    const auto frozen = freeze.Begin(core_->Now() + 50ms);
    ASSERT_FALSE(frozen);
    EXPECT_EQ(frozen.error().code, "FREEZE_BLOCKED") << Describe(frozen.error());
    EXPECT_NE(frozen.error().message.find(by), std::string::npos) << frozen.error().message;
  }
};

TEST_F(FreezeTest, AFrozenInstanceTakesNoWriteUntilItIsThawed) {
  With([&](Instance& instance, Freeze& freeze) {
    const auto user = ConnectAsUser(instance);
    for (int times = 0; times < 2; ++times) {
      const auto frozen = freeze.Begin(soon());
      ASSERT_TRUE(frozen) << Describe(frozen.error());
      const auto refused = user->Query("INSERT INTO shop.t (text) VALUES ('late')", soon());
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, "MYSQL_1290") << Describe(refused.error());
      EXPECT_EQ(Ask(*user, "SELECT COUNT(*) FROM shop.t WHERE text = 'late'"), "0") << "it can be read";
      Thaw(instance, freeze);
      Ask(*user, "INSERT INTO shop.t (text) VALUES ('thawed')");
    }
    EXPECT_EQ(Ask(instance, "SELECT COUNT(*) FROM shop.t WHERE text = 'thawed'"), "2");
  });
}

TEST_F(FreezeTest, ATransactionThatIsOpenIsInNobodysWayAndItsCommitWaitsAndIsRefused) {
  With([&](Instance& instance, Freeze& freeze) {
    const auto user = ConnectAsUser(instance);
    for (const bool thaws : {true, false}) {
      Ask(*user, "BEGIN");
      Ask(*user, "INSERT INTO shop.t (text) VALUES ('open')");
      const auto frozen = freeze.Begin(soon());
      ASSERT_TRUE(frozen) << Describe(frozen.error());
      std::optional<Result<mysql::ServerAnswer>> answer;
      runtime::TaskGroup committing(*core_);
      committing.Spawn("commit", [&] { answer = user->Query("COMMIT", soon()); });
      AwaitWaiting(instance);
      EXPECT_FALSE(answer) << "it was acknowledged";
      if (thaws) Thaw(instance, freeze);
      if (!thaws) {
        EXPECT_TRUE(freeze.EndReadOnly(soon()));
      }
      committing.Join();
      EXPECT_FALSE(answer->has_value());
      EXPECT_EQ(Ask(instance, "SELECT COUNT(*) FROM shop.t WHERE text = 'open'"), "0");
    }
  });
}

TEST_F(FreezeTest, LockedTablesKeepItFromFreezingAndNobodyElseFromWriting) {
  With([&](Instance& instance, Freeze& freeze) {
    Ask(instance, "CREATE TABLE shop.other (id INT)");
    const auto locker = ConnectAsUser(instance);
    const auto other = ConnectAsUser(instance);
    Ask(*locker, "LOCK TABLES shop.t WRITE");
    ExpectBlocked(freeze, "LOCK TABLES");
    Ask(*other, "INSERT INTO shop.other VALUES (1)");
    EXPECT_EQ(Ask(instance, "SELECT @@read_only"), "0") << "it was thawed";
    Ask(*locker, "UNLOCK TABLES");
    ASSERT_TRUE(freeze.Begin(soon()));
    Thaw(instance, freeze);
  });
}

// The statement goes on as long as the test likes: what it waits for is a lock of the test's.
TEST_F(FreezeTest, AStatementThatWritesKeepsItFromFreezingAndIsNamed) {
  With([&](Instance& instance, Freeze& freeze) {
    Ask(instance, "CREATE TABLE shop.other (id INT)");
    const auto holder = ConnectAsUser(instance);
    const auto writer = ConnectAsUser(instance);
    const auto other = ConnectAsUser(instance);
    Ask(*holder, "BEGIN");
    Ask(*holder, "SELECT text FROM shop.t WHERE id = 1 FOR UPDATE");
    runtime::TaskGroup writing(*core_);
    writing.Spawn("writer", [&] { Ask(*writer, "UPDATE shop.t SET text = 'long' WHERE id = 1"); });
    // One that has not come to its rows yet would still be refused by a freeze.
    while (Ask(instance,
               "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE%' AND state = "
               "'Updating'") == "0")
      runtime::Yield();
    ExpectBlocked(freeze, "UPDATE shop.t SET text = 'long'");
    Ask(*other, "INSERT INTO shop.other VALUES (1)");
    Ask(*holder, "COMMIT");
    writing.Join();
    ASSERT_TRUE(freeze.Begin(soon()));
    Thaw(instance, freeze);
    EXPECT_EQ(Ask(instance, "SELECT text FROM shop.t WHERE id = 1"), "long");
  });
}

// Whoever may write although it is read-only: his commit waits, and has not happened when ownership has passed on.
TEST_F(FreezeTest, WhoMayWriteNeverthelessDoesNotCommitAndIsEnded) {
  With([&](Instance& instance, Freeze& freeze) {
    const auto privileged = Connect(instance);
    ASSERT_TRUE(freeze.Begin(soon()));
    std::optional<Result<mysql::ServerAnswer>> answer;
    runtime::TaskGroup writing(*core_);
    writing.Spawn("writer",
                  [&] { answer = privileged->Query("INSERT INTO shop.t (text) VALUES ('late')", soon()); });
    AwaitWaiting(instance);
    EXPECT_FALSE(answer) << "it was acknowledged";
    const auto ended = freeze.EndReadOnly(soon());
    ASSERT_TRUE(ended) << Describe(ended.error());
    writing.Join();
    EXPECT_FALSE(*answer) << "it was acknowledged";
    EXPECT_EQ(Ask(instance, "SELECT COUNT(*) FROM shop.t WHERE text = 'late'"), "0");
    EXPECT_EQ(Ask(instance, "SELECT @@read_only"), "1");
  });
}

TEST_F(FreezeTest, AServerThatIsKilledWhileFrozenIsReadOnlyWhenItIsBack) {
  With([&](Instance& instance, Freeze& freeze) {
    ASSERT_TRUE(freeze.Begin(soon()));
    kill(instance.pid(), SIGKILL);
    ASSERT_TRUE(instance.AwaitStart(2, soon()));
    EXPECT_EQ(Ask(instance, "SELECT @@read_only"), "1");
    Thaw(instance, freeze);
    Insert(instance, 1);
  });
}

}  // namespace
}  // namespace tradewind::mariadb
