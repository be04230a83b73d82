#include "tenant/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tenant/tenant_fixture.h"

namespace tradewind::tenant {
namespace {

using namespace std::chrono_literals;
using sqlite::CodeOf;
using sqlite::TransactionState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StreamTest : public TenantFixture {};

// -- What a stream takes with it when it moves

TEST_F(StreamTest, ATransactionThatHasReadNothingIsKnownByItsStatements) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    Say(*stream, "BEGIN TRANSACTION READONLY");
    Say(*stream, "SAVEPOINT a");
    EXPECT_EQ(stream->ExecuteFirst("SAVEPOINT b; RELEASE b").value(), 12u);
    Say(*stream, "RELEASE b");
    Say(*stream, "PRAGMA defer_foreign_keys = ON");
    EXPECT_EQ(Say(*stream, "SELECT 1"), "1");
    EXPECT_THAT(stream->begun(),
                ElementsAre("BEGIN TRANSACTION READONLY", "SAVEPOINT a", "SAVEPOINT b;", "RELEASE b"));
    const auto replacement = OpenStream(tenant);
    ASSERT_TRUE(replacement->Resume(stream->session(), stream->begun()));
    EXPECT_EQ(Say(*replacement, "PRAGMA defer_foreign_keys"), "1");
    Say(*replacement, "ROLLBACK TO a");
    Say(*replacement, "COMMIT");
    EXPECT_EQ(Say(*replacement, "PRAGMA defer_foreign_keys"), "0");
    EXPECT_EQ(stream->transaction_state(), TransactionState::kNone);
    EXPECT_FALSE(stream->autocommit());
    Say(*stream, "SELECT count(*) FROM t");
    EXPECT_EQ(stream->transaction_state(), TransactionState::kRead);
    EXPECT_THAT(stream->begun(), IsEmpty());
    Say(*stream, "ROLLBACK");
    EXPECT_TRUE(stream->autocommit());
  });
}

TEST_F(StreamTest, NothingIsBegunOnceTheTransactionHasEnded) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    for (const char* end : {"COMMIT", "ROLLBACK"}) {
      Say(*stream, "BEGIN");
      EXPECT_THAT(stream->begun(), ElementsAre("BEGIN"));
      Say(*stream, end);
      EXPECT_THAT(stream->begun(), IsEmpty());
    }
    Say(*stream, "SAVEPOINT only");
    Say(*stream, "RELEASE only");
    EXPECT_THAT(stream->begun(), IsEmpty());
    Say(*stream, "BEGIN IMMEDIATE");
    EXPECT_THAT(stream->begun(), IsEmpty());
    EXPECT_EQ(stream->transaction_state(), TransactionState::kWrite);
  });
}

TEST_F(StreamTest, AReadonlyTransactionThatIsBegunAgainElsewhereIsReadonly) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    EXPECT_EQ(stream->ExecuteFirst("\uFEFFBEGIN READONLY; SELECT 1").value(), 18u);
    Say(*stream, "SAVEPOINT a");
    const auto replacement = OpenStream(tenant);
    ASSERT_TRUE(replacement->Resume(stream->session(), stream->begun()));
    EXPECT_EQ(Say(*replacement, "INSERT INTO t VALUES (1, 1)"), "SQLITE_READONLY");
    Say(*replacement, "COMMIT");
    EXPECT_EQ(Say(*replacement, "INSERT INTO t VALUES (1, 1)"), "");
  });
}

TEST_F(StreamTest, ABegunStreamWithoutSnapshotMovesAway) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    Say(*stream, "BEGIN");
    Say(*stream, "PRAGMA foreign_keys = OFF");
    EXPECT_EQ(tenant.open_transactions(), 0u);
    tenant.SetMoved();
    EXPECT_EQ(Say(*stream, "INSERT INTO t VALUES (1, 1)"), "TENANT_MOVED");
    EXPECT_THAT(stream->begun(), ElementsAre("BEGIN"));
    EXPECT_EQ(stream->session(), sqlite::SessionState{});
    Say(*stream, "COMMIT");
    EXPECT_EQ(Say(*stream, "PRAGMA foreign_keys = OFF"), "TENANT_MOVED");
    EXPECT_EQ(stream->session(), sqlite::SessionState{});
  });
}

TEST_F(StreamTest, TheNextStreamOnAConnectionFindsNothingOfTheLast) {
  WithTenant([&](Tenant& tenant) {
    for (const char* past :
         {"INSERT INTO t (v) VALUES (1), (2)", "EXPLAIN PRAGMA foreign_keys = OFF", "PRAGMA query_only = ON",
          "PRAGMA defer_foreign_keys = ON", "PRAGMA case_sensitive_like = ON garbage", "BEGIN READONLY"}) {
      Say(*OpenStream(tenant), past);
      const auto next = OpenStream(tenant);
      EXPECT_EQ(next->session(), sqlite::SessionState{}) << past;
      EXPECT_EQ(Say(*next, "SELECT last_insert_rowid(), changes(), total_changes(), 'a' LIKE 'A'"), "0|0|0|1")
          << past;
      EXPECT_EQ(Say(*next, "PRAGMA foreign_keys"), "1") << past;
      EXPECT_EQ(Say(*next, "INSERT INTO t (v) VALUES (1)"), "") << past;
    }
  });
}

TEST_F(StreamTest, AStreamWhoseTransactionIsGoneKeepsItsSettings) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    Say(*stream, "BEGIN");
    core_.tick = 10ms;
    EXPECT_EQ(Say(*stream, "INSERT INTO t (v) " + LongQuery(1'000'000)), "STATEMENT_TIMEOUT");
    core_.tick = 1us;
    const sqlite::SessionState before = stream->session();
    EXPECT_EQ(Say(*stream, "PRAGMA foreign_keys = OFF"), "STATEMENT_TIMEOUT");
    EXPECT_EQ(Say(*stream, "PRAGMA recursive_triggers = ON"), "STATEMENT_TIMEOUT");
    EXPECT_EQ(stream->session(), before);
    Say(*stream, "ROLLBACK");
    EXPECT_EQ(Say(*stream, "PRAGMA foreign_keys"), "1");
  });
}

TEST_F(StreamTest, AStreamThatOutlivesItsTenantKnowsItsSession) {
  std::unique_ptr<Stream> stream;
  WithTenant([&](Tenant& tenant) {
    stream = OpenStream(tenant);
    Say(*stream, "INSERT INTO t VALUES (77, 1)");
    Say(*stream, "PRAGMA recursive_triggers = ON");
  });
  EXPECT_EQ(stream->session().last_insert_rowid, 77);
  EXPECT_EQ(stream->session().total_changes, 1);
  EXPECT_EQ(stream->session().settings.size(), 1u);
}

TEST_F(StreamTest, AHeldStreamFollowsTheSchemaThatAnotherChanges) {
  WithTenant([&](Tenant& tenant) {
    const auto held = OpenStream(tenant);
    const auto other = OpenStream(tenant);
    EXPECT_EQ(Say(*held, "SELECT * FROM t"), "");
    Say(*other, "ALTER TABLE t ADD COLUMN w");
    EXPECT_EQ(Say(*held, "INSERT INTO t VALUES (1, 2, 3)"), "");
    Say(*other, "ALTER TABLE t DROP COLUMN w");
    EXPECT_EQ(held->Describe("SELECT * FROM t")->columns.size(), 2u);
    // What was no trigger when it was compiled is one now, and writes in its turn.
    Say(*other, "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END");
    Say(*other, "BEGIN IMMEDIATE");
    runtime::TaskGroup group(core_);
    bool dropped = false;
    group.Spawn("drop", [&] {
      EXPECT_EQ(Say(*held, "DROP TRIGGER IF EXISTS tr"), "");
      dropped = true;
    });
    runtime::SleepFor(1s);
    EXPECT_FALSE(dropped);
    EXPECT_EQ(tenant.turn().waiting(), 1u);
    Say(*other, "COMMIT");
    group.Join();
    EXPECT_EQ(Say(*held, "SELECT count(*) FROM sqlite_schema"), "1");
  });
}

// -- The write turn

TEST_F(StreamTest, WritersWaitForEachOtherInOrderAndReadersDoNot) {
  WithTenant([&](Tenant& tenant) {
    const auto first = OpenStream(tenant);
    const auto second = OpenStream(tenant);
    const auto third = OpenStream(tenant);
    const auto reader = OpenStream(tenant);
    Say(*first, "BEGIN");
    Say(*first, "INSERT INTO t VALUES (1, 'first')");
    std::vector<std::string> order;
    runtime::TaskGroup group(core_);
    group.Spawn("second", [&] {
      Say(*second, "BEGIN IMMEDIATE");
      order.push_back("second");
      Say(*second, "COMMIT");
    });
    group.Spawn("third",
                [&] { order.push_back("third" + Say(*third, "INSERT INTO t VALUES (3, 'third')")); });
    runtime::SleepFor(1s);
    EXPECT_EQ(Say(*reader, "SELECT count(*) FROM t"), "0");
    EXPECT_THAT(order, IsEmpty());
    EXPECT_EQ(Say(*first, "COMMIT"), "");
    group.Join();
    EXPECT_THAT(order, ElementsAre("second", "third"));
    EXPECT_EQ(Say(*reader, "SELECT id FROM t"), "1 3");
  });
}

TEST_F(StreamTest, AWriteOfItsOwnHoldsTheTurnForTheStatementOnly) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    Say(*stream, "INSERT INTO t VALUES (1, 1)");
    EXPECT_EQ(tenant.turn().holder(), nullptr);
    EXPECT_EQ(Say(*stream, "INSERT INTO t VALUES (1, 1)"), "SQLITE_CONSTRAINT");
    EXPECT_EQ(tenant.turn().holder(), nullptr);
    Say(*stream, "BEGIN");
    EXPECT_EQ(tenant.turn().holder(), nullptr);
    EXPECT_EQ(Say(*stream, "INSERT INTO t VALUES (1, 1)"), "SQLITE_CONSTRAINT");
    Say(*stream, "INSERT INTO t VALUES (2, 2)");
    EXPECT_NE(tenant.turn().holder(), nullptr);
    Say(*stream, "ROLLBACK");
    EXPECT_EQ(tenant.turn().holder(), nullptr);
  });
}

TEST_F(StreamTest, ATurnThatAnIdleStreamHoldsTooLongIsTakenBack) {
  WithTenant([&](Tenant& tenant) {
    const auto slow = OpenStream(tenant);
    const auto next = OpenStream(tenant);
    Say(*slow, "BEGIN");
    Say(*slow, "INSERT INTO t VALUES (1, 'slow')");
    runtime::SleepFor(1min);  // As long as nobody waits it may.
    EXPECT_EQ(Say(*slow, "INSERT INTO t VALUES (2, 'slow')"), "");
    EXPECT_EQ(Say(*next, "INSERT INTO t VALUES (3, 'next')"), "");
    EXPECT_FALSE(slow->autocommit());
    EXPECT_EQ(Say(*slow, "INSERT INTO t VALUES (4, 'slow')"), "TRANSACTION_TIMEOUT");
    EXPECT_EQ(Say(*slow, "SELECT 1"), "TRANSACTION_TIMEOUT");
    EXPECT_EQ(Say(*slow, "COMMIT"), "TRANSACTION_TIMEOUT");
    EXPECT_TRUE(slow->autocommit());
    EXPECT_EQ(Say(*slow, "SELECT id FROM t"), "3");
  });
}

TEST_F(StreamTest, AStreamMayGoAwayWhileItsTurnIsTakenBack) {
  WithTenant([&](Tenant& tenant) {
    auto holder = OpenStream(tenant);
    const auto waiter = OpenStream(tenant);
    ASSERT_TRUE(tenant.store().log().WaitDurable());  // What is not in the file yet is read from memory.
    EXPECT_EQ(Say(*holder, "BEGIN IMMEDIATE"), "");
    EXPECT_EQ(Say(*holder, "CREATE TABLE u (v)"), "");
    std::string outcome = "waits";
    runtime::TaskGroup group(core_);
    group.Spawn("waiter", [&] { outcome = Say(*waiter, "INSERT INTO t VALUES (2, 2)"); });
    while (tenant.turn().waiting() == 0) runtime::Yield();
    core_.reads.held = true;  // The rollback reads the first page anew.
    while (core_.reads.waiting == 0) runtime::SleepFor(10ms);
    EXPECT_TRUE(holder->executing());
    EXPECT_EQ(tenant.open_transactions(), 1u);
    holder.reset();
    core_.reads.Release();
    group.Join();
    EXPECT_EQ(outcome, "");
    EXPECT_EQ(Say(*waiter, "SELECT count(*) FROM t"), "1");
  });
}

TEST_F(StreamTest, AStreamThatIsBusyKeepsTheTurnUntilItsStatementEnds) {
  WithTenant([&](Tenant& tenant) {
    const auto busy = OpenStream(tenant);
    const auto next = OpenStream(tenant);
    Say(*busy, "BEGIN");
    Say(*busy, "INSERT INTO t VALUES (1, 'busy')");
    core_.tick = 1ms;
    std::string ran;
    runtime::TaskGroup group(core_);
    group.Spawn("busy", [&] {
      const runtime::TimePoint end = core_.Now() + 7s;
      while (core_.Now() < end) ran = Say(*busy, LongQuery(10'000));
      ran += " " + Say(*busy, "COMMIT");
    });
    runtime::SleepFor(1ms);
    EXPECT_EQ(Say(*next, "INSERT INTO t VALUES (2, 'next')"), "");
    group.Join();
    EXPECT_EQ(ran, "10000 ");
    EXPECT_EQ(Say(*next, "SELECT id FROM t"), "1 2");
  });
}

TEST_F(StreamTest, AWriterGetsBusyWhenTheTurnDoesNotCome) {
  WithTenant([&](Tenant& tenant) {
    const auto busy = OpenStream(tenant);
    const auto next = OpenStream(tenant);
    Say(*busy, "BEGIN IMMEDIATE");
    core_.tick = 10ms;
    bool stop = false;
    runtime::TaskGroup group(core_);
    group.Spawn("busy", [&] {
      while (!stop) EXPECT_EQ(Say(*busy, LongQuery(10'000)), "10000");
    });
    runtime::SleepFor(1ms);
    const runtime::TimePoint asked = core_.Now();
    EXPECT_EQ(Say(*next, "INSERT INTO t VALUES (2, 'next')"), "SQLITE_BUSY");
    EXPECT_GE(core_.Now() - asked, limits::kWriteTurnWait);
    stop = true;
    group.Join();
    EXPECT_EQ(tenant.turn().waiting(), 0u);
  });
}

// -- Ends that the client did not ask for

TEST_F(StreamTest, AfterARollbackByTheServerOnlyTheEndOfTheTransactionIsAccepted) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    for (const char* end : {"ROLLBACK", "COMMIT", "BEGIN"}) {
      Say(*stream, "BEGIN");
      Say(*stream, "INSERT INTO t (v) VALUES (1)");
      core_.tick = 10ms;
      EXPECT_EQ(Say(*stream, "INSERT INTO t (v) " + LongQuery(1'000'000)), "STATEMENT_TIMEOUT");
      core_.tick = 1us;
      EXPECT_FALSE(stream->autocommit());
      EXPECT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (2)"), "STATEMENT_TIMEOUT");
      EXPECT_EQ(Say(*stream, "ROLLBACK TO s"), "STATEMENT_TIMEOUT");
      EXPECT_EQ(Say(*stream, end), std::string(end) == "COMMIT" ? "STATEMENT_TIMEOUT" : "");
      EXPECT_EQ(stream->autocommit(), std::string(end) != "BEGIN");
    }
    Say(*stream, "ROLLBACK");
    EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t"), "0");
  });
}

TEST_F(StreamTest, ARollbackThatTheStatementAskedForIsNotHeldAgainstIt) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    Say(*stream, "INSERT INTO t VALUES (1, 1)");
    Say(*stream, "BEGIN");
    EXPECT_EQ(Say(*stream, "INSERT OR ROLLBACK INTO t VALUES (1, 1)"), "SQLITE_CONSTRAINT");
    EXPECT_TRUE(stream->autocommit());
    EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t"), "1");
  });
}

TEST_F(StreamTest, AStatementEndsAtItsDeadline) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    core_.tick = 10ms;
    const runtime::TimePoint started = core_.Now();
    EXPECT_EQ(Say(*stream, LongQuery(2'000'000'000)), "STATEMENT_TIMEOUT");
    EXPECT_GE(core_.Now() - started, limits::kStatementTime);
    EXPECT_EQ(Say(*stream, "SELECT 1"), "1");
  });
}

TEST_F(StreamTest, AStatementThatItsQuotaEndsSaysWhichQuota) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    core_.tick = 10ms;
    const auto action = [&] { return stream->Execute({.sql = LongQuery(2'000'000'000)}).error().action; };
    EXPECT_EQ(action().find("quota"), std::string::npos);
    tenant.SetQuotas({.statement_ms = 200});
    EXPECT_NE(action().find("--quota-statement-time"), std::string::npos);
  });
}

TEST_F(StreamTest, ALongStatementLetsOthersRun) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    const auto other = OpenStream(tenant);
    bool ended = false;
    int others = 0;
    runtime::TaskGroup group(core_);
    group.Spawn("long", [&] {
      EXPECT_EQ(Say(*stream, LongQuery(300'000)), "300000");
      ended = true;
    });
    while (!ended) {
      EXPECT_EQ(Say(*other, "SELECT count(*) FROM t"), "0");
      ++others;
      runtime::Yield();
    }
    group.Join();
    EXPECT_GT(others, 3);
  });
}

// -- Whole transactions

TEST_F(StreamTest, ScriptsBatchesAndBigTransactionsWork) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    std::string script = "BEGIN;";
    for (int row = 0; row < 4'000; ++row)
      script += "INSERT INTO t (v) VALUES (" + std::to_string(row) + ");\n";
    script += "COMMIT; -- done";
    for (std::string_view rest = script; !rest.empty();) {
      const auto length = stream->ExecuteFirst(rest);
      ASSERT_TRUE(length) << Describe(length.error());
      rest.remove_prefix(*length);
    }
    EXPECT_EQ(Say(*stream, "SELECT count(*), sum(v) FROM t"), "4000|7998000");
    Say(*stream, "BEGIN");
    EXPECT_EQ(Say(*stream,
                  "INSERT INTO t (v) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
                  "WHERE x < 5000) SELECT randomblob(4000) FROM c"),
              "");
    EXPECT_EQ(Say(*stream, "COMMIT"), "");
    ASSERT_TRUE(tenant.WaitDurable());
    EXPECT_EQ(Say(*stream, "VACUUM"), "");
    EXPECT_EQ(Say(*stream, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Say(*stream, "SELECT count(*) FROM t"), "9000");
  });
}

TEST_F(StreamTest, TransfersOfManyStreamsKeepTheSum) {
  WithTenant([&](Tenant& tenant) {
    const auto setup = OpenStream(tenant);
    Say(*setup,
        "INSERT INTO t WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 50) "
        "SELECT x, 100 FROM c");
    runtime::TaskGroup group(core_);
    int done = 0;
    for (int client = 0; client < 10; ++client)
      group.Spawn("client", [&, client] {
        const auto stream = OpenStream(tenant);
        for (int transfer = 0; transfer < 20; ++transfer) {
          const std::string from = std::to_string((client * 7 + transfer) % 50 + 1);
          const std::string to = std::to_string((client * 11 + transfer * 3) % 50 + 1);
          ASSERT_EQ(Say(*stream, "BEGIN IMMEDIATE"), "");
          ASSERT_EQ(Say(*stream, "UPDATE t SET v = v - 1 WHERE id = " + from), "");
          runtime::SleepFor(1ms);
          ASSERT_EQ(Say(*stream, "UPDATE t SET v = v + 1 WHERE id = " + to), "");
          ASSERT_EQ(Say(*stream, "COMMIT"), "");
          ASSERT_TRUE(tenant.WaitDurable());
          EXPECT_EQ(Say(*stream, "SELECT sum(v) FROM t"), "5000");
          ++done;
        }
      });
    group.Join();
    EXPECT_EQ(done, 200);
  });
}

// -- What a stream may do

// Each way to write that SQL has, and what a session may do without writing.
TEST_F(StreamTest, OneThatMayOnlyReadWritesInNoWay) {
  WithTenant([&](Tenant& tenant) {
    {
      const auto owner = OpenStream(tenant);
      for (const char* sql :
           {"INSERT INTO t VALUES (1, 'a'), (2, 'b')", "CREATE VIEW w AS SELECT * FROM t",
            "CREATE TRIGGER wi INSTEAD OF INSERT ON w BEGIN INSERT INTO t (v) VALUES (new.v); END",
            "CREATE VIRTUAL TABLE f USING fts5 (x)", "INSERT INTO f VALUES ('word')"})
        EXPECT_EQ(Say(*owner, sql), "") << sql;
    }
    const auto reader = OpenStream(tenant);
    reader->SetRights({.write = false, .change_schema = false});
    for (const char* sql : {"INSERT INTO t VALUES (3, 'c')",
                            "INSERT INTO t VALUES (3, 'c') RETURNING id",
                            "UPDATE t SET v = 'x'",
                            "DELETE FROM t",
                            "DELETE FROM t RETURNING *",
                            "REPLACE INTO t VALUES (1, 'z')",
                            "WITH c AS (SELECT 9) INSERT INTO t SELECT *, 'c' FROM c",
                            "INSERT INTO w VALUES (7, 'through a trigger')",
                            "INSERT INTO f (f) VALUES ('optimize')",
                            "INSERT INTO t VALUES (1, 'a') ON CONFLICT DO UPDATE SET v = 'u'",
                            "CREATE TABLE u (x)",
                            "CREATE INDEX i ON t (v)",
                            "DROP TABLE t",
                            "ALTER TABLE t ADD COLUMN w",
                            "REINDEX",
                            "ANALYZE",
                            "VACUUM",
                            "PRAGMA user_version = 7",
                            "PRAGMA application_id = 7",
                            "PRAGMA incremental_vacuum",
                            "PRAGMA optimize",
                            "BEGIN IMMEDIATE",
                            "BEGIN EXCLUSIVE"}) {
      EXPECT_EQ(Say(*reader, sql), "SQLITE_READONLY") << sql;
      EXPECT_EQ(reader->ExecuteFirst(sql).error().code, "SQLITE_READONLY") << sql;
      EXPECT_TRUE(reader->autocommit()) << sql;
    }
    for (const char* sql :
         {"ATTACH 'x.db' AS x", "VACUUM INTO 'x.db'", "PRAGMA journal_mode = DELETE",
          "PRAGMA writable_schema = ON", "CREATE TEMP TRIGGER g AFTER UPDATE ON t BEGIN SELECT 1; END",
          "SELECT * FROM pragma_user_version(7)", "SELECT * FROM pragma_wal_checkpoint('TRUNCATE')",
          "SELECT load_extension('x')", "WITH c AS (DELETE FROM t RETURNING id) SELECT * FROM c"}) {
      const auto outcome = reader->Execute({.sql = sql});
      EXPECT_TRUE(!outcome || outcome->rows.empty()) << sql;
    }
    EXPECT_EQ(Say(*reader, "ATTACH 'x.db' AS x"), "SQLITE_AUTH");
    EXPECT_EQ(Say(*reader, "BEGIN"), "");
    EXPECT_EQ(Say(*reader, "SELECT group_concat(v) FROM t"), "a,b");
    EXPECT_EQ(Say(*reader, "UPDATE t SET v = 'x'"), "SQLITE_READONLY");
    EXPECT_EQ(Say(*reader, "SELECT group_concat(v) FROM t"), "a,b") << "the transaction goes on";
    EXPECT_EQ(Say(*reader, "COMMIT"), "");
    EXPECT_EQ(Say(*reader, "PRAGMA user_version"), "0");
    EXPECT_EQ(Say(*reader, "SELECT count(*) FROM f WHERE f MATCH 'word'"), "1");
    EXPECT_EQ(Say(*reader, "EXPLAIN DELETE FROM t").substr(0, 6) == "SQLITE", false);
    reader->SetRights({});
    EXPECT_EQ(Say(*reader, "UPDATE t SET v = 'x' WHERE id = 1"), "") << "compiled before, and let in now";
    reader->SetRights({.write = false});
    EXPECT_EQ(Say(*reader, "UPDATE t SET v = 'x' WHERE id = 1"), "SQLITE_READONLY") << "kept for another run";
  });
}

TEST_F(StreamTest, OneThatMayNotChangeTheSchemaWritesRows) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    stream->SetRights({.write = true, .change_schema = false});
    EXPECT_EQ(Say(*stream, "INSERT INTO t VALUES (1, 'a')"), "");
    EXPECT_EQ(Say(*stream, "BEGIN IMMEDIATE"), "");
    for (const char* sql :
         {"CREATE TABLE u (x)", "CREATE INDEX i ON t (v)", "CREATE VIEW w AS SELECT 1",
          "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END", "CREATE VIRTUAL TABLE f USING fts5 (x)",
          "DROP TABLE t", "ALTER TABLE t ADD COLUMN w", "ALTER TABLE t RENAME TO u",
          "ALTER TABLE t DROP COLUMN v"})
      EXPECT_EQ(Say(*stream, sql), "SQLITE_AUTH") << sql;
    EXPECT_EQ(Say(*stream, "UPDATE t SET v = 'b'"), "");
    EXPECT_EQ(Say(*stream, "COMMIT"), "");
    EXPECT_EQ(Say(*stream, "SELECT v FROM t"), "b");
  });
}

}  // namespace
}  // namespace tradewind::tenant
