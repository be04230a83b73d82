// Checkpoints beside commits: that they spare the disk, that they can be stopped, and that the WAL stays bounded.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/limits.h"
#include "tenant/stream.h"
#include "tenant/tenant_fixture.h"

namespace tradewind::tenant {
namespace {

using namespace std::chrono_literals;

class CheckpointTest : public TenantFixture {
 protected:
  // Commits that fill more of the WAL than starts a checkpoint, each page once.
  static void Grow(Stream& stream) {
    EXPECT_EQ(Say(stream,
                  "INSERT INTO t (v) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
                  "WHERE x < 4500) SELECT zeroblob(4000) FROM c"),
              "");
  }
  // Has a checkpoint begin, which waits in the first of these calls.
  void BeginCheckpointHeldIn(runtime::CallControl& calls, Stream& stream) {
    calls.held = true;
    Grow(stream);
    runtime::SleepFor(1s);
    ASSERT_EQ(calls.waiting, 1u);
  }
  // Checkpoints are stopped, which takes until the one that waits in these calls has gone on.
  void StopCheckpointsHeldIn(runtime::CallControl& calls, Tenant& tenant) {
    bool stopped = false;
    runtime::TaskGroup group(core_);
    group.Spawn("stop", [&] {
      tenant.checkpoints().Stop();
      stopped = true;
    });
    runtime::SleepFor(1s);
    EXPECT_FALSE(stopped);
    calls.Release();
    group.Join();
    EXPECT_TRUE(stopped);
  }
};

TEST_F(CheckpointTest, ALongWalIsCheckpointedUnlessThatIsStopped) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    const auto grow = [&] {
      for (uint32_t commits = 0; commits < 10; ++commits)
        ASSERT_EQ(Say(*stream,
                      "INSERT INTO t (v) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
                      "WHERE x < 500) SELECT zeroblob(4000) FROM c"),
                  "");
      runtime::SleepFor(1s);
    };
    tenant.checkpoints().Stop();
    grow();
    const uint32_t grown = tenant.store().log().frames();
    EXPECT_GT(grown, limits::kCheckpointFrames);
    tenant.checkpoints().Allow();
    ASSERT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (1)"), "");  // Starts the checkpoint.
    runtime::SleepFor(1s);
    ASSERT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (2)"), "");  // Starts the WAL anew.
    EXPECT_LT(tenant.store().log().frames(), 10u);
    EXPECT_EQ(Say(*stream, "PRAGMA integrity_check"), "ok");
  });
}

TEST_F(CheckpointTest, TheDiskGetsAFewPagesAtATimeAndCommitsGoOnMeanwhile) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    BeginCheckpointHeldIn(core_.write_backs, *stream);
    const size_t syncs = core_.syncs.done;
    ASSERT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (1)"), "");
    ASSERT_TRUE(tenant.WaitDurable());
    EXPECT_EQ(core_.syncs.done, syncs + 1) << "that of the commit; the checkpoint's comes after its pages";
    core_.write_backs.Release();
    runtime::SleepFor(1s);
    EXPECT_GE(core_.write_backs.done, tenant.store().page_count() / 8);
    EXPECT_EQ(core_.syncs.done, syncs + 2);
    ASSERT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (2)"), "");
    EXPECT_EQ(Say(*stream, "PRAGMA integrity_check"), "ok");
  });
}

TEST_F(CheckpointTest, StoppingCheckpointsWaitsForTheOneThatRuns) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    BeginCheckpointHeldIn(core_.syncs, *stream);  // That of the WAL.
    StopCheckpointsHeldIn(core_.syncs, tenant);
  });
}

TEST_F(CheckpointTest, WhoWaitsForItHasItHurry) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    BeginCheckpointHeldIn(core_.write_backs, *stream);
    StopCheckpointsHeldIn(core_.write_backs, tenant);
    EXPECT_EQ(core_.write_backs.done, 1u) << "the sync does the rest";
  });
}

TEST_F(CheckpointTest, AFailedWriteBackIsFinalAsTheKernelTellsOfItOnce) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    core_.write_backs.failing = true;
    Grow(*stream);
    runtime::SleepFor(1s);
    core_.write_backs.failing = false;
    EXPECT_NE(Say(*stream, "INSERT INTO t (v) VALUES (1)"), "");
  });
}

TEST_F(CheckpointTest, TheWalIsBoundedUnderWritersThatNeverPause) {
  WithTenant([&](Tenant& tenant) {
    bool stop = false;
    uint32_t longest = 0;
    uint64_t frames = 0;
    runtime::TaskGroup writers(core_);
    for (int writer = 0; writer < 2; ++writer)
      writers.Spawn("writer", [&] {
        const auto stream = OpenStream(tenant);
        while (!stop) {
          const uint32_t before = tenant.store().log().frames();
          ASSERT_EQ(Say(*stream,
                        "INSERT INTO t (v) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
                        "WHERE x < 100) SELECT zeroblob(4000) FROM c"),
                    "");
          longest = std::max(longest, tenant.store().log().frames());
          frames += tenant.store().log().frames() > before ? tenant.store().log().frames() - before : 0;
          ASSERT_TRUE(tenant.WaitDurable());
          stop |= frames > 10 * limits::kLongWalFrames;
        }
      });
    writers.Join();
    EXPECT_LT(longest, 2 * limits::kLongWalFrames);
    EXPECT_EQ(Say(*OpenStream(tenant), "PRAGMA integrity_check"), "ok");
  });
}

// -- Readers that stay, and the length of the file

class LongWalTest : public CheckpointTest {
 protected:
  uint64_t WalBytes() { return std::filesystem::file_size(core_.folder() + "/t.db-wal"); }
  static void WriteFrames(Stream& stream, int frames) {
    ASSERT_EQ(Say(stream,
                  "INSERT INTO t (v) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
                  "WHERE x < " +
                      std::to_string(frames) + ") SELECT zeroblob(4000) FROM c"),
              "");
  }
  static void GrowPastLong(Stream& stream) {
    for (int i = 0; i < 5; ++i) WriteFrames(stream, limits::kLongWalFrames / 4);
  }
  // What its file grows to while so much is written, with three readers; a look at the clock takes them `tick`.
  uint64_t LongestBesideReaders(runtime::Duration tick, uint64_t frames) {
    uint64_t longest = 0;
    WithTenant([&](Tenant& tenant) {
      bool stop = false;
      uint64_t written = 0;
      runtime::TaskGroup group(core_);
      core_.tick = tick;
      for (int reader = 0; reader < 3; ++reader)
        group.Spawn("reader", [&] {
          const auto stream = OpenStream(tenant);
          while (!stop) ASSERT_EQ(Say(*stream, LongQuery(20'000)), "20000");
        });
      group.Spawn("writer", [&] {
        const auto stream = OpenStream(tenant);
        while (!stop) {
          WriteFrames(*stream, 200);
          written += 200;
          longest = std::max(longest, WalBytes());
          ASSERT_TRUE(tenant.WaitDurable());
          stop |= written > frames;
        }
      });
      group.Join();
    });
    return longest;
  }
  static constexpr uint64_t kWorkingBytes = uint64_t{limits::kCheckpointFrames} * 4096 * 2;
};

TEST_F(LongWalTest, ATransactionThatReadsAndIsKeptOpenEndsAtItsLimit) {
  WithTenant([&](Tenant& tenant) {
    const auto reader = OpenStream(tenant);
    const auto writer = OpenStream(tenant);
    ASSERT_EQ(Say(*reader, "BEGIN"), "");
    ASSERT_EQ(Say(*reader, "SELECT count(*) FROM t"), "0");
    GrowPastLong(*writer);
    for (int second = 0; second < 50; ++second) {
      runtime::SleepFor(1s);
      ASSERT_EQ(Say(*reader, "SELECT count(*) FROM t"), "0") << "before its limit it is left alone";
    }
    EXPECT_GT(WalBytes(), kWorkingBytes);
    runtime::SleepFor(12s);
    EXPECT_EQ(Say(*reader, "SELECT count(*) FROM t"), "TRANSACTION_TIMEOUT");
    EXPECT_EQ(Say(*reader, "SELECT count(*) FROM t"), "TRANSACTION_TIMEOUT") << "until it says ROLLBACK";
    EXPECT_EQ(Say(*reader, "ROLLBACK"), "");
    runtime::SleepFor(2s);
    EXPECT_LT(WalBytes(), kWorkingBytes) << "with nobody writing any more";
    EXPECT_EQ(tenant.store().log().frames(), 0u);
    ASSERT_EQ(Say(*writer, "INSERT INTO t (v) VALUES (1)"), "");
    EXPECT_EQ(Say(*reader, "PRAGMA integrity_check"), "ok");
  });
}

TEST_F(LongWalTest, AReaderThatNeverPausesEndsAtItsLimitToo) {
  WithTenant([&](Tenant& tenant) {
    const auto reader = OpenStream(tenant);
    const auto writer = OpenStream(tenant);
    ASSERT_EQ(Say(*reader, "BEGIN"), "");
    ASSERT_EQ(Say(*reader, "SELECT count(*) FROM t"), "0");
    GrowPastLong(*writer);
    const runtime::TimePoint until = core_.Now() + 70s;
    std::string said;
    core_.tick = 1ms;
    while (core_.Now() < until && said != "TRANSACTION_TIMEOUT") said = Say(*reader, LongQuery(2'000));
    EXPECT_EQ(said, "TRANSACTION_TIMEOUT");
    EXPECT_EQ(Say(*reader, "ROLLBACK"), "");
    runtime::SleepFor(2s);
    EXPECT_LT(WalBytes(), kWorkingBytes);
  });
}

TEST_F(LongWalTest, AReaderIsLeftAloneAsLongAsTheWalIsShort) {
  WithTenant([&](Tenant& tenant) {
    const auto reader = OpenStream(tenant);
    const auto writer = OpenStream(tenant);
    ASSERT_EQ(Say(*reader, "BEGIN"), "");
    ASSERT_EQ(Say(*reader, "SELECT count(*) FROM t"), "0");
    WriteFrames(*writer, 5'000);
    runtime::SleepFor(300s);
    EXPECT_EQ(Say(*reader, "SELECT count(*) FROM t"), "0");
    EXPECT_EQ(Say(*reader, "COMMIT"), "");
  });
}

TEST_F(LongWalTest, ReadersOfWhichThereIsAlwaysOneDoNotKeepTheWalFromBeingCut) {
  EXPECT_LT(LongestBesideReaders(20us, 4 * limits::kLongWalFrames),
            uint64_t{2} * limits::kLongWalFrames * 4096);
}

TEST_F(LongWalTest, NorDoThoseThatTakeLongerThanWritersWaitAtFirst) {
  EXPECT_LT(LongestBesideReaders(60us, 6 * limits::kLongWalFrames),
            uint64_t{4} * limits::kLongWalFrames * 4096);
}

TEST_F(LongWalTest, OneTransactionThatMakesItLongLeavesItShort) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    WriteFrames(*stream, 5 * limits::kCheckpointFrames);
    EXPECT_GT(WalBytes(), kWorkingBytes);
    runtime::SleepFor(5s);
    EXPECT_LT(WalBytes(), kWorkingBytes);
    EXPECT_EQ(Say(*stream, "PRAGMA integrity_check"), "ok");
  });
}

TEST_F(LongWalTest, ToCutItCostsNoCommitASyncOfItsOwn) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    WriteFrames(*stream, 5 * limits::kCheckpointFrames);
    runtime::SleepFor(5s);
    for (int commit = 0; commit < 3; ++commit) {
      const size_t syncs = core_.syncs.done;
      ASSERT_EQ(Say(*stream, "INSERT INTO t (v) VALUES (1)"), "");
      ASSERT_TRUE(tenant.WaitDurable());
      EXPECT_EQ(core_.syncs.done, syncs + 1);
    }
  });
}

TEST_F(LongWalTest, AnExportIsNotEnded) {
  WithTenant([&](Tenant& tenant) {
    const auto stream = OpenStream(tenant);
    WriteFrames(*stream, 2'000);
    runtime::SleepFor(1s);
    const runtime::TimePoint began = core_.Now();
    runtime::TaskGroup group(core_);
    Result<void> exported;
    group.Spawn("export", [&] {
      exported = tenant.ExportTo(core_.folder() + "/copy.db", [&]() -> Result<void> {
        if (core_.Now() < began + 90s) runtime::SleepFor(5s);
        return {};
      });
    });
    runtime::SleepFor(1s);
    GrowPastLong(*stream);
    group.Join();
    EXPECT_TRUE(exported) << Describe(exported.error());
    runtime::SleepFor(5s);
    EXPECT_LT(WalBytes(), kWorkingBytes);
  });
}

}  // namespace
}  // namespace tradewind::tenant
