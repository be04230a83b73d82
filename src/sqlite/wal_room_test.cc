// The room that a WAL file is given beyond what is written, and that nothing else notices it.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstddef>
#include <set>
#include <vector>

#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

class WalRoomTest : public DatabaseFixture {
 protected:
  std::unique_ptr<runtime::File> OpenWal() {
    return core_.disk().Open(core_.folder() + "/t.db-wal", runtime::OpenMode::kExisting).value();
  }
  static uint64_t EndOfFrames(const PageStore& store) {
    return WalTracker::kHeaderBytes +
           store.log().frames() * (WalTracker::kFrameHeaderBytes + uint64_t{store.page_size()});
  }
  // As a process that dies: the WAL stays.
  static void Die(std::unique_ptr<Connection> connection) { connection->Close(/*keep_wal=*/true); }
};

// Files cannot grow past a size while this lives; the system says so by an error, as when the disk is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    TW_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "the limit is set");
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(WalRoomTest, HardlyAnyCommitChangesTheSizeOfTheFile) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    ASSERT_EQ(RunScript(*connection, "CREATE TABLE t(x)"), "");
    const auto wal = OpenWal();
    std::set<uint64_t> sizes;
    for (int i = 0; i < 500; ++i) {
      ASSERT_EQ(RunScript(*connection, "INSERT INTO t VALUES(1)"), "");
      sizes.insert(wal->Size().value());
      ASSERT_GE(*sizes.rbegin(), EndOfFrames(*store));
    }
    EXPECT_GE(store->log().frames(), 500u);
    EXPECT_LE(sizes.size(), 10u);
    EXPECT_LE(*sizes.rbegin(), EndOfFrames(*store) + (512u << 10)) << "room is bounded";
  });
}

TEST_F(WalRoomTest, RoomIsZeroesThatAreWrittenAndNoHole) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    ASSERT_EQ(RunScript(*connection, "CREATE TABLE t(x)"), "");
    ASSERT_TRUE(store->log().WaitDurable());
    const uint64_t frames = EndOfFrames(*store);
    const uint64_t size = OpenWal()->Size().value();
    ASSERT_GT(size, frames);
    std::vector<std::byte> room(size - frames);
    ASSERT_EQ(OpenWal()->Read(frames, room).value(), room.size());
    EXPECT_EQ(room, std::vector<std::byte>(room.size()));
    struct stat status = {};
    ASSERT_EQ(stat((core_.folder() + "/t.db-wal").c_str(), &status), 0);
    EXPECT_GE(static_cast<uint64_t>(status.st_blocks) * 512, size) << "a hole would be filled at each commit";
  });
}

TEST_F(WalRoomTest, RecoveryEndsAtTheRoom) {
  core_.Run([&] {
    {
      const auto store = OpenStore();
      auto connection = Connect(*store);
      ASSERT_EQ(RunScript(*connection, "CREATE TABLE t(x); INSERT INTO t VALUES(42)"), "");
      ASSERT_TRUE(store->log().WaitDurable());
      ASSERT_GT(OpenWal()->Size().value(), EndOfFrames(*store));
      Die(std::move(connection));
    }
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    EXPECT_EQ(Ask(*connection, "SELECT x FROM t"), "42");
    ASSERT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));  // As a tenant that is opened.
    ASSERT_EQ(RunScript(*connection, "INSERT INTO t VALUES(43)"), "");
    EXPECT_EQ(Ask(*connection, "SELECT x FROM t"), "42 43");
    EXPECT_EQ(Ask(*connection, "PRAGMA quick_check"), "ok");
  });
}

TEST_F(WalRoomTest, RoomIsMadeAnewAfterTheFileWasCut) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    ASSERT_EQ(RunScript(*connection, "CREATE TABLE t(x)"), "");
    ASSERT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
    ASSERT_EQ(OpenWal()->Size().value(), limits::kBlankWalBytes);
    for (int i = 0; i < 5; ++i) ASSERT_EQ(RunScript(*connection, "INSERT INTO t VALUES(1)"), "");
    EXPECT_GT(OpenWal()->Size().value(), EndOfFrames(*store));
  });
}

TEST_F(WalRoomTest, CommitsGoOnWhereThereIsSpaceForThemButNoneForRoom) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    {
      const FileSizeLimit limit(60'000);
      ASSERT_EQ(RunScript(*connection, "CREATE TABLE t(x)"), "");
      for (int i = 0; i < 5; ++i) ASSERT_EQ(RunScript(*connection, "INSERT INTO t VALUES(1)"), "");
      EXPECT_EQ(OpenWal()->Size().value(), EndOfFrames(*store)) << "what did not suffice is given back";
      ASSERT_TRUE(store->log().WaitDurable());
    }
    for (int i = 0; i < 5; ++i) ASSERT_EQ(RunScript(*connection, "INSERT INTO t VALUES(1)"), "");
    EXPECT_GT(OpenWal()->Size().value(), EndOfFrames(*store)) << "space came back";
    ASSERT_TRUE(store->log().WaitDurable());
    EXPECT_EQ(Ask(*connection, "SELECT count(*) FROM t"), "10");
  });
}

}  // namespace
}  // namespace tradewind::sqlite
