// What a hand-over does to transactions that are open: it waits for them for a while, and what it refuses then
// is told in a way that clients know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

#include "tenant/tenant_fixture.h"

namespace tradewind::tenant {
namespace {

using namespace std::chrono_literals;
using sqlite::TransactionState;
using testing::ElementsAre;
using testing::HasSubstr;

class QuietTest : public TenantFixture {
 protected:
  // How long AwaitQuiet took, and what it said.
  struct Quiet {
    bool quiet = false;
    runtime::Duration took{};
    bool over = false;
  };
  Quiet Await(Tenant& tenant, bool given_up = false) {
    Quiet result;
    const runtime::TimePoint began = core_.Now();
    result.quiet = tenant.AwaitQuiet(limits::kOpenWriterGrace, [=] { return given_up; });
    result.took = core_.Now() - began;
    result.over = true;
    return result;
  }
  // From here on what changes page 2 is refused, as it is from the list on.
  static void HandOver(Tenant& tenant) {
    ASSERT_TRUE(tenant.WaitDurable());
    tenant.checkpoints().Stop();
    tenant.Park();
    tenant.store().handed().StartSending();
    tenant.store().handed().MakeList({PageNumber{1}, PageNumber{2}});
  }
  static void TakeBack(Tenant& tenant) {
    tenant.store().handed().StopSending();
    tenant.checkpoints().Allow();
    tenant.Unpark();
  }
};

// -- The wait

TEST_F(QuietTest, TakesNoTimeWhenNothingIsOpenThatMayWrite) {
  WithTenant([&](Tenant& tenant) {
    const auto begun = OpenStream(tenant);
    const auto reader = OpenStream(tenant);
    Say(*begun, "BEGIN");
    Say(*reader, "BEGIN TRANSACTION READONLY");
    Say(*reader, "SELECT count(*) FROM t");
    const Quiet quiet = Await(tenant);
    EXPECT_TRUE(quiet.quiet);
    EXPECT_LT(quiet.took, 1ms);
    EXPECT_EQ(tenant.gate(), Gate::kHeld);
    EXPECT_EQ(Say(*reader, "SELECT count(*) FROM t"), "0");
    tenant.Unpark();
  });
}

TEST_F(QuietTest, ComesWithTheEndOfADeferredTransactionThatHasRead) {
  WithTenant([&](Tenant& tenant) {
    for (const char* end : {"COMMIT", "ROLLBACK"}) {
      const auto stream = OpenStream(tenant);
      Say(*stream, "BEGIN");
      Say(*stream, "SELECT count(*) FROM t");
      Quiet quiet;
      runtime::TaskGroup group(core_);
      group.Spawn("hand-over", [&] { quiet = Await(tenant); });
      runtime::SleepFor(100ms);
      EXPECT_FALSE(quiet.over);
      EXPECT_EQ(tenant.gate(), Gate::kOpen) << "nobody waits yet";
      EXPECT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (1)"), "");
      runtime::SleepFor(100ms);
      EXPECT_FALSE(quiet.over);
      EXPECT_EQ(Say(*stream, end), "");
      group.Join();
      EXPECT_TRUE(quiet.quiet);
      EXPECT_GE(quiet.took, 200ms);
      EXPECT_LE(quiet.took, 210ms);
      tenant.Unpark();
    }
  });
}

// One after the other never lets go: from kQuietWait on new ones wait, and nothing else does.
TEST_F(QuietTest, ComesUnderALoadThatAlwaysHasATransactionOpen) {
  WithTenant([&](Tenant& tenant) {
    Say(*OpenStream(tenant), "INSERT INTO t VALUES (1, 0)");
    bool stop = false;
    int done = 0;
    runtime::TaskGroup group(core_);
    for (int client = 0; client < 4; ++client)
      group.Spawn("client", [&, client] {
        const auto stream = OpenStream(tenant);
        runtime::SleepFor(17ms * client);
        while (!stop) {
          EXPECT_EQ(Say(*stream, "BEGIN"), "");
          EXPECT_NE(Say(*stream, "SELECT count(*) FROM t"), "SQLITE_BUSY");
          runtime::SleepFor(60ms);
          EXPECT_EQ(Say(*stream, "ROLLBACK"), "");
          ++done;
        }
      });
    runtime::SleepFor(500ms);
    const Quiet quiet = Await(tenant);
    EXPECT_TRUE(quiet.quiet);
    EXPECT_LE(quiet.took, kQuietWait + 70ms);
    const auto other = OpenStream(tenant);
    EXPECT_EQ(Say(*other, "UPDATE t SET v = v + 1"), "") << "a statement on its own goes on";
    const int before = done;
    runtime::SleepFor(200ms);
    EXPECT_EQ(done, before) << "new transactions wait";
    tenant.Unpark();
    runtime::SleepFor(200ms);
    EXPECT_GE(done, before + 4) << "until the gate opens again";
    stop = true;
    group.Join();
  });
}

TEST_F(QuietTest, HoldsBackAnImmediateTransactionAndASavepointToo) {
  WithTenant([&](Tenant& tenant) {
    ASSERT_TRUE(Await(tenant).quiet);
    std::vector<std::string> ran;
    runtime::TaskGroup group(core_);
    const auto spawn = [&](const std::string& first, const std::string& second) {
      group.Spawn(first, [&, first, second] {
        const auto stream = OpenStream(tenant);
        EXPECT_EQ(Say(*stream, first), "");
        EXPECT_EQ(Say(*stream, second), "");
        ran.push_back(first);
        EXPECT_EQ(Say(*stream, "ROLLBACK"), "");
      });
    };
    spawn("BEGIN IMMEDIATE", "INSERT INTO t (v) VALUES (1)");
    spawn("SAVEPOINT a", "INSERT INTO t (v) VALUES (1)");
    spawn("BEGIN", "INSERT INTO t (v) VALUES (1)");
    runtime::SleepFor(500ms);
    EXPECT_THAT(ran, ElementsAre());
    EXPECT_EQ(tenant.turn().holder(), nullptr) << "nobody waits with the turn in hand";
    tenant.Unpark();
    group.Join();
    EXPECT_EQ(ran.size(), 3u);
  });
}

TEST_F(QuietTest, DoesNotWaitForEverForATransactionThatNeverEnds) {
  WithTenant([&](Tenant& tenant) {
    const auto endless = OpenStream(tenant);
    Say(*endless, "BEGIN");
    Say(*endless, "SELECT count(*) FROM t");
    const Quiet quiet = Await(tenant);
    EXPECT_FALSE(quiet.quiet);
    EXPECT_GE(quiet.took, kQuietWait + limits::kOpenWriterGrace);
    EXPECT_LE(quiet.took, kQuietWait + limits::kOpenWriterGrace + 30ms);
    tenant.Unpark();
    const Quiet given_up = Await(tenant, /*given_up=*/true);
    EXPECT_FALSE(given_up.quiet);
    EXPECT_LT(given_up.took, 1ms);
    tenant.Unpark();
  });
}

TEST_F(QuietTest, TransactionsThatAreHeldBackMoveWithTheTenant) {
  WithTenant([&](Tenant& tenant) {
    ASSERT_TRUE(Await(tenant).quiet);
    const auto stream = OpenStream(tenant);
    EXPECT_EQ(Say(*stream, "BEGIN"), "");
    std::string said;
    runtime::TaskGroup group(core_);
    group.Spawn("client", [&] { said = Say(*stream, "SELECT count(*) FROM t"); });
    runtime::SleepFor(10ms);
    tenant.Park();
    runtime::SleepFor(10ms);
    EXPECT_EQ(said, "");
    tenant.SetMoved();
    group.Join();
    EXPECT_EQ(said, "TENANT_MOVED");
    EXPECT_THAT(stream->begun(), ElementsAre("BEGIN"));
  });
}

TEST_F(QuietTest, AReadonlyTransactionIsKnownUntilItsEnd) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    for (const char* begin : {"BEGIN READONLY", " /* a */ BEGIN TRANSACTION READONLY;"}) {
      ASSERT_TRUE(stream->ExecuteFirst(begin));
      EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t"), "0");
      EXPECT_LT(Await(tenant).took, 1ms);
      tenant.Unpark();
      EXPECT_EQ(Say(*stream, "COMMIT"), "");
      EXPECT_EQ(Say(*stream, "BEGIN"), "");
      EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t"), "0");
      EXPECT_FALSE(Await(tenant, /*given_up=*/true).quiet) << "the next one is another";
      tenant.Unpark();
      EXPECT_EQ(Say(*stream, "COMMIT"), "");
    }
  });
}

// -- What is refused

TEST_F(QuietTest, ARefusedCommitIsBusyAndItsTransactionOver) {
  WithTenant([&](Tenant& tenant) {
    Say(*OpenStream(tenant), "INSERT INTO t VALUES (1, 1)");
    for (const char* commit : {"COMMIT", "END", "RELEASE a"}) {
      const auto stream = OpenStream(tenant);
      const auto other = OpenStream(tenant);
      Say(*stream, "UPDATE t SET v = 1");
      Say(*stream, std::string(commit) == "RELEASE a" ? "SAVEPOINT a" : "BEGIN");
      Say(*stream, "SELECT v FROM t");
      Say(*stream, "UPDATE t SET v = 2");
      HandOver(tenant);
      const auto refused = stream->Execute({.sql = commit});
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, "SQLITE_BUSY_SNAPSHOT");
      EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
      EXPECT_THAT(refused.error().message, HasSubstr("database is locked"));
      EXPECT_THAT(refused.error().message, HasSubstr("moved to another node"));
      EXPECT_EQ(refused.error().action, "run the transaction again");
      EXPECT_EQ(tenant.open_transactions(), 0u);
      // The client believes that it is open, as it would be in SQLite.
      EXPECT_FALSE(stream->autocommit());
      EXPECT_EQ(Say(*stream, "INSERT INTO t VALUES (2, 2)"), "SQLITE_BUSY_SNAPSHOT");
      EXPECT_EQ(Say(*stream, "ROLLBACK"), "");
      EXPECT_TRUE(stream->autocommit());
      TakeBack(tenant);
      EXPECT_EQ(Say(*stream, "SELECT v FROM t"), "1");
      EXPECT_EQ(Say(*other, "UPDATE t SET v = 3"), "");
      EXPECT_EQ(Say(*stream, "SELECT v FROM t"), "3");
    }
  });
}

TEST_F(QuietTest, ACommitThatIsTriedAgainNeverSucceeds) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    Say(*stream, "BEGIN");
    Say(*stream, "INSERT INTO t VALUES (1, 1)");
    HandOver(tenant);
    EXPECT_EQ(Say(*stream, "COMMIT"), "SQLITE_BUSY_SNAPSHOT");
    EXPECT_EQ(Say(*stream, "COMMIT"), "SQLITE_BUSY_SNAPSHOT");
    EXPECT_TRUE(stream->autocommit());
    TakeBack(tenant);
    EXPECT_EQ(Say(*stream, "COMMIT"), "SQLITE_UNKNOWN");
    EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t"), "0");
  });
}

TEST_F(QuietTest, AfterARefusalATransactionThatBeginsAnewMovesWithTheTenant) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    Say(*stream, "BEGIN");
    Say(*stream, "INSERT INTO t VALUES (1, 1)");
    HandOver(tenant);
    EXPECT_EQ(Say(*stream, "COMMIT"), "SQLITE_BUSY_SNAPSHOT");
    tenant.SetMoved();
    EXPECT_EQ(Say(*stream, "BEGIN"), "TENANT_MOVED");
    EXPECT_TRUE(stream->autocommit());
    EXPECT_THAT(stream->begun(), ElementsAre());
    tenant.store().handed().StopSending();
  });
}

TEST_F(QuietTest, AStatementOnItsOwnIsNotRefusedButRunsAtTheNewOwner) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    core_.tick = 1ms;
    std::string said;
    runtime::TaskGroup group(core_);
    group.Spawn("long", [&] { said = Say(*stream, "INSERT INTO t (v) " + LongQuery(50'000)); });
    while (tenant.open_transactions() == 0) runtime::Yield();
    HandOver(tenant);
    while (tenant.store().handed().refused_commits() == 0) runtime::Yield();
    EXPECT_EQ(said, "");
    tenant.SetMoved();
    group.Join();
    EXPECT_EQ(said, "TENANT_MOVED");
    EXPECT_TRUE(stream->autocommit());
    tenant.store().handed().StopSending();
  });
}

TEST_F(QuietTest, AStatementOnItsOwnRunsHereWhenTheHandOverIsGivenUp) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    core_.tick = 1ms;
    std::string said = "nothing";
    runtime::TaskGroup group(core_);
    group.Spawn("long", [&] { said = Say(*stream, "INSERT INTO t (v) " + LongQuery(50'000)); });
    while (tenant.open_transactions() == 0) runtime::Yield();
    HandOver(tenant);
    while (tenant.store().handed().refused_commits() == 0) runtime::Yield();
    TakeBack(tenant);
    group.Join();
    EXPECT_EQ(said, "");
    EXPECT_EQ(Say(*stream, "SELECT count(*), max(v) FROM t"), "1|50000");
  });
}

// -- A tenant that goes back, and lacks a page

class LackedPageTest : public QuietTest {
 protected:
  // What a transaction that was begun, and has no snapshot, is told about its first read: it waits for a page that
  // does not come any more once the tenant is parked. Then `end` is called.
  void ReadWhileItGoesBack(const std::function<void(Tenant&)>& end,
                           const std::function<void(Stream&, const std::string& said)>& check) {
    WithTenant([&](Tenant& tenant) {  // All is in the main file when it is closed.
      EXPECT_EQ(Say(*OpenStream(tenant), "INSERT INTO t (v) " + LongQuery(100)), "");
    });
    core_.Run([&] {
      const auto tenant = OpenTenant();
      sqlite::PageStore& store = tenant->store();
      const auto stream = OpenStream(*tenant);
      Say(*stream, "BEGIN");
      auto map = sqlite::PresenceMap::Create(core_.disk(), store.path() + "-presence", store.page_size(),
                                             store.page_count(), 1);
      EXPECT_TRUE(map);
      store.SetPresence(std::move(*map), [](PageNumber) {});
      std::string said = "nothing";
      runtime::TaskGroup group(core_);
      group.Spawn("read", [&] { said = Say(*stream, "SELECT count(*) FROM t"); });
      runtime::SleepFor(5ms);
      tenant->Park();
      store.arrival().StopPulls();
      runtime::SleepFor(5ms);
      EXPECT_EQ(said, "nothing");
      end(*tenant);
      group.Join();
      check(*stream, said);
      tenant->Close();
    });
  }
};

TEST_F(LackedPageTest, ATransactionWithoutSnapshotBeginsAnewWhereTheTenantGoes) {
  ReadWhileItGoesBack([](Tenant& tenant) { tenant.SetMoved(); },
                      [](Stream& stream, const std::string& said) {
                        EXPECT_EQ(said, "TENANT_MOVED");
                        EXPECT_THAT(stream.begun(), ElementsAre("BEGIN"))
                            << "its statements would run on their own there";
                      });
}

TEST_F(LackedPageTest, ATransactionWithoutSnapshotIsOverWhenTheTenantStays) {
  ReadWhileItGoesBack([](Tenant& tenant) { tenant.Unpark(); },
                      [](Stream& stream, const std::string& said) {
                        EXPECT_EQ(said, "PULL_FAILED");
                        EXPECT_THAT(stream.begun(), ElementsAre());
                        EXPECT_FALSE(stream.autocommit());
                        EXPECT_EQ(Say(stream, "INSERT INTO t (v) VALUES (1)"), "PULL_FAILED")
                            << "it would run on its own";
                        EXPECT_EQ(Say(stream, "ROLLBACK"), "");
                      });
}

}  // namespace
}  // namespace tradewind::tenant
