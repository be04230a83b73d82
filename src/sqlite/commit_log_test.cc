// The tail of a log: what SQLite has written and the file does not have yet.
#include "sqlite/commit_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <vector>

#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

class CommitLogTest : public DatabaseFixture {
 protected:
  // What the file has behind the header, for so many frames.
  std::vector<std::byte> FramesInFile(const PageStore& store, uint32_t count) {
    const auto file = core_.disk().Open(core_.folder() + "/t.db-wal", runtime::OpenMode::kExisting).value();
    std::vector<std::byte> frames(count * (WalTracker::kFrameHeaderBytes + store.page_size()));
    EXPECT_EQ(file->Read(WalTracker::kHeaderBytes, frames).value(), frames.size());
    return frames;
  }
  static bool AreZeros(const std::vector<std::byte>& bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
  }
};

TEST_F(CommitLogTest, FramesGoToTheFileBeforeASyncAndAreReadFromMemoryUntilThen) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto writer = Connect(*store);
    const auto reader = Connect(*store);
    ASSERT_EQ(RunScript(*writer, "CREATE TABLE t(x)"), "");
    ASSERT_TRUE(writer->Checkpoint(CheckpointMode::kTruncate));
    const std::vector<std::byte> before = FramesInFile(*store, 3);
    for (int row = 1; row <= 3; ++row)
      ASSERT_EQ(RunScript(*writer, "INSERT INTO t VALUES(" + std::to_string(row) + ")"), "");
    ASSERT_EQ(store->log().frames(), 3u);
    EXPECT_EQ(FramesInFile(*store, 3), before);
    EXPECT_EQ(Ask(*reader, "SELECT group_concat(x) FROM t"), "1,2,3");
    std::vector<std::byte> newest(store->page_size());
    const auto version = store->log().Newest(PageNumber{2});
    ASSERT_TRUE(version);
    ASSERT_TRUE(store->ReadNewest(PageNumber{2}, newest));
    EXPECT_FALSE(AreZeros(newest));

    ASSERT_TRUE(store->log().WaitDurable());
    EXPECT_NE(FramesInFile(*store, 3), before);
    std::vector<std::byte> again(store->page_size());
    ASSERT_TRUE(store->ReadNewest(PageNumber{2}, again));
    EXPECT_EQ(again, newest);
    EXPECT_EQ(Ask(*reader, "SELECT group_concat(x) FROM t"), "1,2,3");
  });
}

TEST_F(CommitLogTest, ACheckpointFindsWhatNobodyHasWaitedFor) {
  core_.Run([&] {
    {
      const auto store = OpenStore();
      auto writer = Connect(*store);
      ASSERT_EQ(RunScript(*writer, "CREATE TABLE t(x); INSERT INTO t VALUES(1)"), "");
      ASSERT_TRUE(writer->Checkpoint(CheckpointMode::kTruncate));
      EXPECT_EQ(store->log().durable(), store->log().committed());
      ASSERT_EQ(RunScript(*writer, "INSERT INTO t VALUES(2)"), "");
      writer->Close(/*keep_wal=*/true);
    }
    const auto store = OpenStore();
    EXPECT_EQ(Ask(*Connect(*store), "SELECT group_concat(x) FROM t"), "1,2")
        << "the store went away in order";
  });
}

TEST_F(CommitLogTest, ATransactionThatIsRolledBackLeavesNothingToTheNext) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    ASSERT_EQ(RunScript(*connection, "CREATE TABLE t(x PRIMARY KEY)"), "");
    ASSERT_EQ(RunScript(*connection, "BEGIN; INSERT INTO t VALUES(randomblob(20000)); ROLLBACK"), "");
    ASSERT_EQ(RunScript(*connection, "INSERT INTO t VALUES('a'), ('b')"), "");
    ASSERT_NE(RunScript(*connection, "INSERT OR FAIL INTO t VALUES('c'), ('a')"), "");
    ASSERT_EQ(RunScript(*connection, "INSERT INTO t VALUES('d')"), "");
    ASSERT_TRUE(store->log().WaitDurable());
    EXPECT_EQ(Ask(*connection, "SELECT group_concat(x) FROM t"), "a,b,c,d");
    EXPECT_EQ(Ask(*connection, "PRAGMA integrity_check"), "ok");
  });
}

TEST_F(CommitLogTest, ATransactionLongerThanTheTailIsWrittenInParts) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    ASSERT_EQ(RunScript(*connection, "CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(3000000))"), "");
    EXPECT_FALSE(AreZeros(FramesInFile(*store, store->log().frames())))
        << "a bound for what is kept in memory";
    EXPECT_EQ(Ask(*connection, "SELECT length(x) FROM t"), "3000000");
    ASSERT_TRUE(store->log().WaitDurable());
    EXPECT_EQ(Ask(*connection, "PRAGMA integrity_check"), "ok");
  });
}

// Files cannot grow past a size: what the system says then is what it says of a full disk.
TEST_F(CommitLogTest, AFullDiskFailsTheCommitAndNotTheSyncBehindIt) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    ASSERT_EQ(RunScript(*connection, "CREATE TABLE t(x); INSERT INTO t VALUES(1)"), "");
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    void (*const handler)(int) = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{store->log().bytes(), before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    std::string refused;
    int commits = 1;
    for (; commits < 1000 && refused.empty(); ++commits)
      refused = RunScript(*connection, "INSERT INTO t VALUES(1)");
    EXPECT_TRUE(store->log().WaitDurable()) << "what was accepted has room";
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_NE(refused, "");
    EXPECT_FALSE(store->log().failure());
    EXPECT_EQ(RunScript(*connection, "INSERT INTO t VALUES(1)"), "") << "and goes on once there is space";
    ASSERT_TRUE(store->log().WaitDurable());
    EXPECT_EQ(Ask(*connection, "SELECT count(*) FROM t"), std::to_string(commits));
    EXPECT_EQ(Ask(*connection, "PRAGMA integrity_check"), "ok");
  });
}

}  // namespace
}  // namespace tradewind::sqlite
