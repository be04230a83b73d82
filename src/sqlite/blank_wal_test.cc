// A WAL that becomes blank keeps its name and some room: what the next commit costs, and what a crash leaves.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "sqlite/database_file.h"
#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

class BlankWalTest : public DatabaseFixture {
 protected:
  std::string path() { return core_.folder() + "/t.db"; }
  std::string wal_path() { return path() + "-wal"; }
  static std::string Content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void SetContent(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }
  // As a tenant is opened.
  std::unique_ptr<Connection> Open(PageStore& store) {
    auto connection = Connect(store);
    EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
    return connection;
  }
  // Opens the file, runs the script, and has it closed as a tenant for idleness is.
  void Use(const std::string& script) {
    const auto store = OpenStore();
    const auto connection = Open(*store);
    EXPECT_EQ(RunScript(*connection, script), "");
    EXPECT_TRUE(store->log().WaitDurable());
    EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
    connection->Close(/*keep_wal=*/true);
  }
  std::string Say(const std::string& sql) {
    const auto store = OpenStore();
    const auto connection = Open(*store);
    const std::string said = Ask(*connection, sql);
    connection->Close(/*keep_wal=*/true);
    return said;
  }
};

TEST_F(BlankWalTest, ItKeepsItsNameAndRoomForAFewPages) {
  core_.Run([&] {
    Use("CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(300000))");
    EXPECT_EQ(std::filesystem::file_size(wal_path()), limits::kBlankWalBytes);
    EXPECT_FALSE(MayWalHoldMore(core_.disk(), path()).value());
    EXPECT_EQ(Say("SELECT length(x) FROM t"), "300000");
    EXPECT_EQ(Say("PRAGMA integrity_check"), "ok");
  });
}

TEST_F(BlankWalTest, TheFirstCommitAfterwardsCostsOneSyncAsAnyOther) {
  core_.Run([&] {
    Use("CREATE TABLE t(x)");
    for (int opening = 0; opening < 3; ++opening) {
      const auto store = OpenStore();
      const auto connection = Connect(*store);
      for (int commit = 0; commit < 3; ++commit) {
        const size_t syncs = core_.syncs.done;
        EXPECT_EQ(RunScript(*connection, "INSERT INTO t VALUES(1)"), "");
        EXPECT_EQ(core_.syncs.done, syncs) << "SQLite itself syncs nothing";
        EXPECT_TRUE(store->log().WaitDurable());
        EXPECT_EQ(core_.syncs.done, syncs + 1);
      }
      EXPECT_EQ(std::filesystem::file_size(wal_path()) > limits::kBlankWalBytes, false) << "three pages fit";
      EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
      connection->Close(/*keep_wal=*/true);
    }
    EXPECT_EQ(Say("SELECT count(*) FROM t"), "9");
  });
}

TEST_F(BlankWalTest, ToCloseWhatWasOnlyReadCostsNoSyncAndChangesNothing) {
  core_.Run([&] {
    Use("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    const std::string wal = Content(wal_path());
    const auto written = std::filesystem::last_write_time(wal_path());
    const size_t syncs = core_.syncs.done;
    Use("SELECT * FROM t");
    EXPECT_EQ(core_.syncs.done, syncs);
    EXPECT_EQ(Content(wal_path()), wal);
    EXPECT_EQ(std::filesystem::last_write_time(wal_path()), written) << "nothing is written";
  });
}

TEST_F(BlankWalTest, ATransactionThatCameToNothingLeavesItBlank) {
  core_.Run([&] {
    Use("CREATE TABLE t(x)");
    {
      const auto store = OpenStore();
      const auto connection = Connect(*store);
      EXPECT_EQ(RunScript(*connection, "BEGIN; INSERT INTO t VALUES(1); ROLLBACK"), "");
      connection->Close(/*keep_wal=*/true);
    }
    Use("INSERT INTO t VALUES(2)");
    EXPECT_EQ(Say("SELECT * FROM t"), "2");
  });
}

// Without the mark nobody knows whether frames of old may come back: SQLite's own sync of the header stays.
TEST_F(BlankWalTest, WithoutItsMarkTheHeaderIsSyncedBeforeTheFirstFrame) {
  core_.Run([&] {
    Use("CREATE TABLE t(x)");
    std::string wal = Content(wal_path());
    std::memset(wal.data(), 0, 32);
    SetContent(wal_path(), wal);
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    const size_t syncs = core_.syncs.done;
    EXPECT_EQ(RunScript(*connection, "INSERT INTO t VALUES(1)"), "");
    EXPECT_EQ(core_.syncs.done, syncs + 1);
    EXPECT_TRUE(store->log().WaitDurable());
    EXPECT_EQ(core_.syncs.done, syncs + 2);
  });
}

// As when the process is killed at each step: what the file was before, with what had been written of it.
TEST_F(BlankWalTest, ACrashAtAnyStepLeavesAllThatWasCommitted) {
  core_.Run([&] {
    Use("CREATE TABLE t(x); INSERT INTO t VALUES(1), (2)");
    std::string main_before, wal_before;
    {
      const auto store = OpenStore();
      const auto connection = Connect(*store);
      EXPECT_EQ(RunScript(*connection,
                          "UPDATE t SET x = x + 10; INSERT INTO t VALUES(zeroblob(50000)); "
                          "UPDATE t SET x = x + 100 WHERE x < 100"),
                "");
      EXPECT_TRUE(store->log().WaitDurable());
      wal_before = Content(wal_path());
      main_before = Content(path());
      EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
      connection->Close(/*keep_wal=*/true);
    }
    const std::string main_after = Content(path());
    const std::string wal_after = Content(wal_path());
    std::string no_header = wal_before;
    std::memset(no_header.data(), 0, 32);
    const std::string torn_header = no_header.substr(0, 12) + wal_before.substr(12);
    const std::string cut = no_header.substr(0, wal_after.size());
    const auto expect_all = [&](const std::string& main, const std::string& wal, const char* when) {
      SetContent(path(), main);
      SetContent(wal_path(), wal);
      EXPECT_EQ(Say("SELECT count(*), sum(CASE WHEN x < 1000 THEN x END) FROM t"), "3|223") << when;
      Use("INSERT INTO t VALUES(5)");
      EXPECT_EQ(Say("PRAGMA integrity_check"), "ok") << when;
      EXPECT_EQ(Say("SELECT count(*), sum(CASE WHEN x < 1000 THEN x END) FROM t"), "4|228") << when;
    };
    expect_all(main_before, wal_before, "before the checkpoint");
    expect_all(main_after, wal_before, "after the checkpoint");
    expect_all(main_after, torn_header, "in the middle of the header");
    expect_all(main_after, no_header, "without a header");
    expect_all(main_after, cut, "cut, and without the mark");
    expect_all(main_after, wal_after, "at the end");
    expect_all(main_after, wal_after.substr(0, 32) + wal_before.substr(32), "with the mark, and not cut");
  });
}

// A process that was killed may have left commits that no sync covered: a checkpoint syncs the WAL before it changes the
// main file.
TEST_F(BlankWalTest, WhatAKilledProcessLeftIsSyncedBeforeItIsCopied) {
  core_.Run([&] {
    Use("CREATE TABLE t(x)");
    {
      const auto store = OpenStore();
      const auto connection = Connect(*store);
      EXPECT_EQ(RunScript(*connection, "INSERT INTO t VALUES(1)"), "");
      connection->Close(/*keep_wal=*/true);
    }
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    const size_t syncs = core_.syncs.done;
    EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kPassive));
    EXPECT_EQ(core_.syncs.done, syncs + 2) << "of the WAL, and of the main file";
  });
}

TEST_F(BlankWalTest, ASyncThatFailsWhenItBecomesBlankIsFinal) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    EXPECT_EQ(RunScript(*connection, "CREATE TABLE t(x)"), "");
    EXPECT_TRUE(store->log().WaitDurable());
    EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kPassive));
    core_.syncs.failing = true;
    EXPECT_FALSE(connection->Checkpoint(CheckpointMode::kTruncate));
    core_.syncs.failing = false;
    EXPECT_TRUE(store->log().failure().has_value());
    EXPECT_NE(RunScript(*connection, "INSERT INTO t VALUES(1)"), "");
    connection->Close(/*keep_wal=*/true);
  });
}

TEST_F(BlankWalTest, AReaderOfTheMainFileGoesOnWhileItBecomesBlank) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    const auto reader = Connect(*store);
    EXPECT_EQ(RunScript(*connection, "CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(100000))"), "");
    EXPECT_TRUE(store->log().WaitDurable());
    EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kPassive));
    core_.syncs.held = true;
    runtime::TaskGroup group(core_);
    group.Spawn("blank", [&] { EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate)); });
    while (core_.syncs.waiting == 0) runtime::Yield();
    EXPECT_EQ(Ask(*reader, "SELECT length(x) FROM t"), "100000");
    std::vector<std::byte> page(4096);
    EXPECT_TRUE(store->ReadNewest(PageNumber{1}, page));
    EXPECT_EQ(std::memcmp(page.data(), "SQLite format 3", 16), 0);
    core_.syncs.Release();
    group.Join();
  });
}

TEST_F(BlankWalTest, HotPagesOfAnEarlierOpeningAreHotAgain) {
  core_.Run([&] {
    Use("CREATE TABLE t(x); INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE "
        "i<200) "
        "SELECT zeroblob(3000) FROM c");
    const auto store = OpenStore();
    EXPECT_TRUE(store->HotPages(10).empty());
    const std::vector<PageNumber> hot{PageNumber{7}, PageNumber{3}, PageNumber{90}, PageNumber{100'000}};
    store->RememberHotPages(hot);
    EXPECT_EQ(store->HotPages(10), (std::vector<PageNumber>{PageNumber{7}, PageNumber{3}, PageNumber{90}}));
  });
}

}  // namespace
}  // namespace tradewind::sqlite
