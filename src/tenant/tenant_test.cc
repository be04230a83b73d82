#include "tenant/tenant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "tenant/tenant_fixture.h"

namespace tradewind::tenant {
namespace {

using namespace std::chrono_literals;
using sqlite::CodeOf;
using testing::ElementsAre;
using testing::HasSubstr;

class TenantTest : public TenantFixture {};

// -- Durability

TEST_F(TenantTest, AnAnswerWaitsForASyncThatCoversItsCommit) {
  WithTenant([&](Tenant& tenant) {
    const auto writer = OpenStream(tenant);
    const auto reader = OpenStream(tenant);
    ASSERT_TRUE(tenant.WaitDurable());
    core_.syncs.held = true;
    ASSERT_EQ(Say(*writer, "INSERT INTO t VALUES (1, 'x')"), "");
    std::vector<std::string> answered;
    runtime::TaskGroup group(core_);
    group.Spawn("writer", [&] {
      EXPECT_TRUE(tenant.WaitDurable());
      answered.push_back("writer");
    });
    group.Spawn("reader", [&] {
      EXPECT_EQ(Say(*reader, "SELECT v FROM t"), "x");  // It saw the commit, so it waits too.
      EXPECT_TRUE(tenant.WaitDurable());
      answered.push_back("reader");
    });
    runtime::SleepFor(1s);
    EXPECT_THAT(answered, ElementsAre());
    core_.syncs.Release();
    group.Join();
    EXPECT_THAT(answered, ElementsAre("writer", "reader"));
  });
}

TEST_F(TenantTest, OneSyncServesTheCommitsThatCameBeforeIt) {
  WithTenant([&](Tenant& tenant) {
    std::vector<std::unique_ptr<Stream>> streams;
    for (int count = 0; count < 20; ++count) streams.push_back(OpenStream(tenant));
    ASSERT_TRUE(tenant.WaitDurable());
    const size_t before = core_.syncs.done;
    runtime::TaskGroup group(core_);
    for (auto& stream : streams)
      group.Spawn("writer", [&] {
        EXPECT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (1)"), "");
        EXPECT_TRUE(tenant.WaitDurable());
      });
    group.Join();
    EXPECT_LE(core_.syncs.done - before, 3u);  // One for the first commit, one for those that came meanwhile.
  });
}

TEST_F(TenantTest, NothingToMakeDurableIsNoSync) {
  WithTenant([&](Tenant& tenant) {
    ASSERT_TRUE(tenant.WaitDurable());
    const size_t before = core_.syncs.done;
    EXPECT_EQ(Say(*OpenStream(tenant), "SELECT count(*) FROM t"), "0");
    ASSERT_TRUE(tenant.WaitDurable());
    EXPECT_EQ(core_.syncs.done, before);
  });
}

TEST_F(TenantTest, AFailedSyncTakesTheTenantDownForGood) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    ASSERT_EQ(Say(*stream, "INSERT INTO t VALUES (1, 1)"), "");
    core_.syncs.failing = true;
    EXPECT_EQ(CodeOf(tenant.WaitDurable()), "TENANT_DOWN");
    core_.syncs.failing = false;
    EXPECT_TRUE(tenant.failed());
    EXPECT_EQ(CodeOf(tenant.WaitDurable()), "TENANT_DOWN");
    EXPECT_EQ(Say(*stream, "SELECT 1"), "TENANT_DOWN");
    EXPECT_EQ(CodeOf(tenant.OpenStream()), "TENANT_DOWN");
    EXPECT_EQ(CodeOf(tenant.Admit()), "TENANT_DOWN");
  });
}

TEST_F(TenantTest, WhatWasCommittedIsThereWhenTheTenantOpensAgain) {
  core_.Run([&] {
    {
      const auto tenant = OpenTenant();
      const auto stream = OpenStream(*tenant);
      EXPECT_EQ(Say(*stream, "CREATE TABLE t (v)"), "");
      EXPECT_EQ(Say(*stream, "INSERT INTO t VALUES (7)"), "");
      tenant->checkpoints().Stop();
      tenant->Close();  // Leaves the WAL, as a crash would.
    }
    EXPECT_TRUE(core_.disk().Exists(core_.folder() + "/t.db-wal").value());
    const auto tenant = OpenTenant();
    EXPECT_EQ(tenant->store().log().frames(), 0u);
    EXPECT_GE(tenant->store().page_count(), 2u);
    EXPECT_EQ(Say(*OpenStream(*tenant), "SELECT v FROM t"), "7");
    tenant->Close();
    EXPECT_FALSE(core_.disk().Exists(core_.folder() + "/t.db-wal").value());
  });
}

// -- The gate

TEST_F(TenantTest, ParkedStatementsRunWhenTheGateOpensAgain) {
  WithTenant([&](Tenant& tenant) {
    const auto reader = OpenStream(tenant);
    const auto writer = OpenStream(tenant);
    tenant.Park();
    std::vector<std::string> order;
    runtime::TaskGroup group(core_);
    group.Spawn("writer", [&] { order.push_back("wrote " + Say(*writer, "INSERT INTO t VALUES (1, 5)")); });
    group.Spawn("reader", [&] { order.push_back("read " + Say(*reader, "SELECT count(*) FROM t")); });
    runtime::SleepFor(1s);
    EXPECT_THAT(order, ElementsAre());
    tenant.Unpark();
    group.Join();
    EXPECT_THAT(order, ElementsAre("wrote ", "read 1"));
  });
}

TEST_F(TenantTest, ParkedStatementsFailWhenTheTenantHasMoved) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    tenant.Park();
    std::string outcome;
    runtime::TaskGroup group(core_);
    group.Spawn("writer", [&] { outcome = Say(*stream, "INSERT INTO t VALUES (1, 5)"); });
    runtime::SleepFor(1s);
    tenant.SetMoved();
    group.Join();
    EXPECT_EQ(outcome, "TENANT_MOVED");
    EXPECT_EQ(Say(*stream, "SELECT * FROM made_at_the_new_owner"), "TENANT_MOVED");
    EXPECT_EQ(CodeOf(stream->ExecuteFirst("BEGIN; SELECT 1")), "TENANT_MOVED");
    EXPECT_EQ(CodeOf(stream->Describe("SELECT 1")), "TENANT_MOVED");
  });
}

TEST_F(TenantTest, AParkedStatementDoesNotWaitForEver) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    tenant.Park();
    EXPECT_EQ(Say(*stream, "SELECT 1"), "TENANT_MOVING");
    tenant.Unpark();
    EXPECT_EQ(Say(*stream, "SELECT 1"), "1");
  });
}

TEST_F(TenantTest, OpenTransactionsGoOnBehindAClosedGate) {
  WithTenant([&](Tenant& tenant) {
    const auto writer = OpenStream(tenant);
    const auto reader = OpenStream(tenant);
    const auto late_writer = OpenStream(tenant);
    Say(*writer, "BEGIN IMMEDIATE");
    Say(*reader, "BEGIN");
    Say(*reader, "SELECT count(*) FROM t");
    Say(*late_writer, "BEGIN");
    Say(*late_writer, "SELECT count(*) FROM t");
    EXPECT_EQ(tenant.open_transactions(), 3u);
    tenant.Park();
    EXPECT_EQ(Say(*writer, "INSERT INTO t VALUES (1, 1)"), "");
    EXPECT_EQ(Say(*writer, "COMMIT"), "");
    EXPECT_EQ(Say(*reader, "SELECT count(*) FROM t"), "0");  // Its snapshot.
    EXPECT_EQ(Say(*late_writer, "INSERT INTO t VALUES (2, 2)"),
              "SQLITE_BUSY");  // Its snapshot is an old one.
    EXPECT_EQ(Say(*reader, "COMMIT"), "");
    EXPECT_EQ(Say(*late_writer, "ROLLBACK"), "");
    EXPECT_EQ(tenant.open_transactions(), 0u);
  });
}

TEST_F(TenantTest, AWriterThatWaitedForTheTurnLooksAtTheGateAgain) {
  WithTenant([&](Tenant& tenant) {
    const auto holder = OpenStream(tenant);
    const auto waiter = OpenStream(tenant);
    Say(*holder, "BEGIN IMMEDIATE");
    std::string outcome = "waits";
    runtime::TaskGroup group(core_);
    group.Spawn("waiter", [&] { outcome = Say(*waiter, "INSERT INTO t VALUES (1, 1)"); });
    runtime::SleepFor(10ms);
    EXPECT_EQ(tenant.turn().waiting(), 1u);
    tenant.Park();
    EXPECT_EQ(Say(*holder, "COMMIT"), "");
    runtime::SleepFor(10ms);
    EXPECT_EQ(outcome, "waits");
    EXPECT_EQ(tenant.turn().holder(), nullptr);  // It does not keep the turn while it is parked.
    tenant.SetMoved();
    group.Join();
    EXPECT_EQ(outcome, "TENANT_MOVED");
  });
}

TEST_F(TenantTest, AStatementThatHasItsSnapshotGoesOnBehindAClosedGate) {
  core_.Run([&] {
    const auto tenant = OpenTenant();
    const auto stream = OpenStream(*tenant);
    Say(*stream, "CREATE TABLE t (v)");
    core_.tick = 100us;
    runtime::TaskGroup group(core_);
    std::string outcome;
    group.Spawn("reader", [&] { outcome = Say(*stream, LongQuery(200'000)); });
    while (stream->transaction_state() == sqlite::TransactionState::kNone) runtime::Yield();
    tenant->Park();
    EXPECT_EQ(tenant->open_transactions(), 1u);
    EXPECT_FALSE(tenant->JoinTransactions(core_.Now() + 1ms));
    EXPECT_TRUE(tenant->JoinTransactions(core_.Now() + 10min));
    group.Join();
    EXPECT_EQ(outcome, "200000");
    tenant->Close();
  });
}

// A statement that reads no page: it may be under way for as long as statements may.
const char kPageless[] =
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000) SELECT count(*) FROM "
    "c";

TEST_F(TenantTest, AStatementWithoutAnyTableGoesOnBehindAClosedGateAndNobodyWaitsForIt) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    core_.tick = 100us;
    std::string outcome;
    runtime::TaskGroup group(core_);
    group.Spawn("reader", [&] { outcome = Say(*stream, kPageless); });
    runtime::SleepFor(2ms);
    EXPECT_EQ(outcome, "");
    tenant.Park();
    tenant.SetMoved();
    EXPECT_EQ(tenant.open_transactions(), 1u);  // What is done with the tenant here waits for it.
    group.Join();
    EXPECT_EQ(outcome, "200000");
    EXPECT_EQ(tenant.open_transactions(), 0u);
    EXPECT_EQ(Say(*stream, kPageless), "TENANT_MOVED");
  });
}

// Reads of the database in the middle of a statement that began without one.
const char* const kLateReads[] = {
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000)"
    " SELECT sum(CASE x WHEN 200000 THEN length(rtreecheck('main', 'r')) ELSE 0 END) FROM c",
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000)"
    " SELECT 2 * sum(length(rtreecheck('r')) - 2) + 2 FROM c WHERE x IN (1, 200000)",
};

TEST_F(TenantTest, AStatementThatBeganWithoutASnapshotGetsNoneBehindAClosedGate) {
  for (const bool moves : {true, false})
    for (const bool begun : {true, false})
      for (const char* late : kLateReads) {
        // Inside a transaction what was read first is the snapshot of all that follows.
        if (begun && late != kLateReads[0]) continue;
        SCOPED_TRACE(testing::Message() << late << " moves " << moves << " begun " << begun);
        core_.Run([&] {
          const auto tenant = OpenTenant();
          const auto stream = OpenStream(*tenant);
          Say(*stream, "CREATE VIRTUAL TABLE IF NOT EXISTS r USING rtree (id, a, b)");
          EXPECT_EQ(Say(*stream, begun ? "BEGIN" : "SELECT NULL"), begun ? "" : "NULL");
          core_.tick = 100us;
          std::string outcome;
          runtime::TaskGroup group(core_);
          group.Spawn("reader", [&] { outcome = Say(*stream, late); });
          runtime::SleepFor(2ms);
          EXPECT_EQ(outcome, "");
          tenant->Park();
          runtime::SleepFor(10s);
          EXPECT_EQ(outcome, "");  // It waits at the gate.
          EXPECT_EQ(tenant->open_transactions(), 0u);
          if (moves)
            tenant->SetMoved();
          else
            tenant->Unpark();
          group.Join();
          EXPECT_EQ(outcome, moves ? "TENANT_MOVED" : "2");
          // The transaction goes along with it, or goes on.
          EXPECT_EQ(stream->begun(),
                    begun && moves ? std::vector<std::string>{"BEGIN"} : std::vector<std::string>{});
          EXPECT_EQ(stream->autocommit(), !begun);
          core_.tick = 1us;
          tenant->Close();
        });
      }
}

TEST_F(TenantTest, AStatementThatIsCompiledAgainWhileTheGateClosesWaitsAtIt) {
  core_.Run([&] {
    const auto tenant = OpenTenant();
    const auto stream = OpenStream(*tenant);
    const auto other = OpenStream(*tenant);
    for (int table = 0; table < 100; ++table)  // The schema takes several pages.
      Say(*other, "CREATE TABLE t" + std::to_string(table) + " (v)");
    EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t0"), "0");
    Say(*other, "CREATE TABLE u (v)");
    EXPECT_TRUE(tenant->WaitDurable());
    core_.reads.held = true;
    std::string outcome;
    runtime::TaskGroup group(core_);
    group.Spawn("reader", [&] { outcome = Say(*stream, "SELECT count(*) FROM t0"); });
    while (core_.reads.waiting == 0) runtime::Yield();
    tenant->Park();
    core_.reads.Release();
    runtime::SleepFor(1s);
    EXPECT_EQ(outcome, "");
    EXPECT_EQ(tenant->open_transactions(), 0u);
    tenant->Unpark();
    group.Join();
    EXPECT_EQ(outcome, "0");
    tenant->Close();
  });
}

// -- Streams, checkpoints, exports, the end

TEST_F(TenantTest, ATenantHasNoMoreStreamsThanItsQuotaSays) {
  WithTenant([&](Tenant& tenant) {
    tenant.SetQuotas({.streams = 2});
    std::vector<std::unique_ptr<Stream>> streams;
    for (int i = 0; i < 2; ++i) streams.push_back(OpenStream(tenant));
    const auto third = tenant.OpenStream();
    EXPECT_EQ(CodeOf(third), "TOO_MANY_STREAMS");
    EXPECT_NE(third.error().action.find("--quota-streams"), std::string::npos);
    tenant.SetQuotas({});
    streams.push_back(OpenStream(tenant));
    EXPECT_EQ(tenant.stream_count(), 3u);
  });
}

TEST_F(TenantTest, StreamsAreBoundedAndReuseConnections) {
  WithTenant([&](Tenant& tenant) {
    std::vector<std::unique_ptr<Stream>> streams;
    while (streams.size() < limits::kStreamsPerTenant) streams.push_back(OpenStream(tenant));
    EXPECT_EQ(CodeOf(tenant.OpenStream()), "TOO_MANY_STREAMS");
    streams.pop_back();
    EXPECT_EQ(tenant.stream_count(), limits::kStreamsPerTenant - 1);
    const auto stream = OpenStream(tenant);
    EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t"), "0");
  });
}

TEST_F(TenantTest, AStreamThatGoesAwayRollsBackAndFreesTheTurn) {
  WithTenant([&](Tenant& tenant) {
    auto gone = OpenStream(tenant);
    Say(*gone, "BEGIN");
    Say(*gone, "INSERT INTO t VALUES (1, 1)");
    EXPECT_EQ(tenant.open_transactions(), 1u);
    gone.reset();
    EXPECT_EQ(tenant.open_transactions(), 1u);  // A fiber rolls it back.
    const auto next = OpenStream(tenant);
    EXPECT_EQ(Say(*next, "INSERT INTO t VALUES (2, 2)"), "");
    EXPECT_EQ(Say(*next, "SELECT id FROM t"), "2");
    EXPECT_EQ(tenant.open_transactions(), 0u);
  });
}

TEST_F(TenantTest, AnExportIsAPlainFileOfOneMoment) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    Say(*stream,
        "INSERT INTO t (v) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000) "
        "SELECT randomblob(400) FROM c");
    const std::string path = core_.folder() + "/copy.db";
    runtime::TaskGroup group(core_);
    bool exported = false;
    group.Spawn("export", [&] {
      const auto result = tenant.ExportTo(path);
      EXPECT_TRUE(result) << Describe(result.error());
      exported = true;
    });
    int meanwhile = 0;
    while (!exported) {
      EXPECT_EQ(Say(*stream, "UPDATE t SET v = 0 WHERE id = " + std::to_string(++meanwhile)), "");
      runtime::Yield();
    }
    group.Join();
    EXPECT_GT(meanwhile, 3);
    EXPECT_FALSE(core_.disk().Exists(path + "-wal").value());
    EXPECT_FALSE(core_.disk().Exists(path + "-journal").value());
    std::ifstream file(path, std::ios::binary);
    std::string header(20, '\0');
    file.read(header.data(), 20);
    EXPECT_EQ(header[18], 1);  // Not in WAL mode.
    EXPECT_EQ(tenant.ExportTo(path).error().kind, ErrorKind::kExists);

    const auto copy = OpenTenant("copy.db");
    const auto look = OpenStream(*copy);
    EXPECT_EQ(Say(*look, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Say(*look, "SELECT count(*), count(DISTINCT length(v)) FROM t WHERE id > 10"), "4990|1");
    const std::string changed =
        Say(*look, "SELECT count(*), coalesce(max(id), 0) FROM t WHERE typeof(v) = 'integer'");
    // Those of one prefix of the updates, and not of any later.
    EXPECT_EQ(changed, changed.substr(0, changed.find('|')) + "|" + changed.substr(0, changed.find('|')));
    copy->Close();
  });
}

TEST_F(TenantTest, ClosingEndsRequestsInProgressAndStreamsOutliveTheTenant) {
  core_.Run([&] {
    auto tenant = OpenTenant();
    const auto running = OpenStream(*tenant);
    const auto holding = OpenStream(*tenant);
    const auto waiting = OpenStream(*tenant);
    Say(*running, "CREATE TABLE t (v)");
    Say(*holding, "BEGIN IMMEDIATE");
    std::string ran, waited;
    runtime::TaskGroup group(core_);
    group.Spawn("running", [&] { ran = Say(*running, LongQuery(1'000'000'000)); });
    group.Spawn("waiting", [&] { waited = Say(*waiting, "INSERT INTO t VALUES (1)"); });
    runtime::SleepFor(5ms);
    tenant->Close();
    group.Join();
    EXPECT_EQ(ran, "TENANT_DOWN");
    EXPECT_EQ(waited, "TENANT_DOWN");
    tenant.reset();
    EXPECT_EQ(Say(*holding, "COMMIT"), "TENANT_DOWN");
    EXPECT_EQ(holding->transaction_state(), sqlite::TransactionState::kNone);
  });
}

}  // namespace
}  // namespace tradewind::tenant
