// When the presence map of a moving tenant becomes durable, beside checkpoints and the end of the move.
#include <string>
#include <vector>

#include "sqlite/database_fixture.h"
#include "sqlite/presence_map.h"

namespace tradewind::sqlite {
namespace {

class PresenceSyncTest : public DatabaseFixture {
 protected:
  // A copy of which every page is there but those from `first_missing` on.
  void MakeMoving(PageStore& store, uint32_t first_missing) {
    const auto pages = store.page_count();
    ASSERT_GE(pages, 2u);
    auto map =
        PresenceMap::Create(core_.disk(), core_.folder() + "/t.db-presence", store.page_size(), pages, 1);
    ASSERT_TRUE(map);
    for (uint32_t value = 1; value < first_missing && value <= pages; ++value)
      (*map)->NoteArrived(PageNumber{value}, 1);
    store.SetPresence(std::move(*map), [](PageNumber) {});
  }
  // A database of two pages that lie in the main file.
  std::unique_ptr<PageStore> MakeDatabase() {
    auto store = OpenStore();
    auto connection = Connect(*store);
    EXPECT_TRUE(connection->Run({.sql = "CREATE TABLE a(x)"}));
    EXPECT_TRUE(connection->Checkpoint(CheckpointMode::kTruncate));
    return store;
  }
  void AwaitCalls(size_t waiting) {
    while (core_.syncs.waiting < waiting) runtime::Yield();
  }
};

TEST_F(PresenceSyncTest, AMoveMayEndWhileACheckpointSyncsItsMap) {
  core_.Run([&] {
    const auto store = MakeDatabase();
    const auto connection = Connect(*store);
    MakeMoving(*store, 3);
    ASSERT_TRUE(connection->Run({.sql = "INSERT INTO a VALUES(1)"}));
    core_.syncs.held = true;
    runtime::TaskGroup fibers(core_);
    Result<void> done = Fail(ErrorKind::kInternal, "NOT_RUN", "");
    fibers.Spawn("checkpoint", [&] { done = connection->Checkpoint(CheckpointMode::kPassive); });
    for (const char* file : {"the WAL", "the main file"}) {
      SCOPED_TRACE(file);
      AwaitCalls(1);
      const size_t before = core_.syncs.done;
      core_.syncs.ReleaseOne();
      while (core_.syncs.done == before) runtime::Yield();
    }
    AwaitCalls(1);  // The map.
    store->DropPresence();
    core_.syncs.Release();
    fibers.Join();
    EXPECT_TRUE(done);
    EXPECT_EQ(store->presence(), nullptr);
  });
}

TEST_F(PresenceSyncTest, ASyncEndsOnlyWhenWhatAnotherHasTakenIsDurable) {
  core_.Run([&] {
    const auto store = MakeDatabase();
    MakeMoving(*store, 2);
    const PageNumber second{2};
    ASSERT_TRUE(store->Arrive({&second, 1}, std::vector<std::byte>(store->page_size())));
    core_.syncs.held = true;
    std::vector<std::string> ended;
    runtime::TaskGroup fibers(core_);
    for (const char* name : {"first", "second"})
      fibers.Spawn(name, [&, name] {
        EXPECT_TRUE(store->SyncPresence());
        ended.emplace_back(name);
      });
    while (ended.empty()) {
      if (core_.syncs.waiting > 0) core_.syncs.ReleaseOne();
      runtime::Yield();
    }
    EXPECT_EQ(ended.front(), "first");
    core_.syncs.Release();
    fibers.Join();
  });
}

// The map of a file of `blocks` times 512 pages (what one block of the map holds), with one arrival in each
// block but every hundredth.
std::unique_ptr<PresenceMap> MakeScattered(runtime::Disk& disk, const std::string& path, uint32_t blocks) {
  auto map = PresenceMap::Create(disk, path, 4096, blocks * 512, 1);
  TW_CHECK(map.has_value(), "the map is made");
  for (uint32_t block = 0; block < blocks; ++block)
    if (block % 100 != 99) (*map)->NoteArrived(PageNumber{block * 512 + 7}, block + 1);
  return std::move(*map);
}

TEST_F(PresenceSyncTest, ChangedNeighboursOfAMapAreOneWriteOfBoundedSizeAndNothingElseIsWritten) {
  core_.Run([&] {
    const std::string path = core_.folder() + "/map";
    const auto map = MakeScattered(core_.disk(), path, 300);
    const auto changes = map->TakeChanges();
    // The header, which is shorter than a block, and three times 99 blocks in two writes each.
    ASSERT_EQ(changes.runs.size(), 7u);
    uint64_t bytes = 0, end = 0;
    for (const auto& [offset, content] : changes.runs) {
      EXPECT_GE(offset, end);
      EXPECT_LE(content.size(), 256u << 10);
      end = offset + content.size();
      bytes += content.size();
    }
    EXPECT_GE(bytes, 297u * 4096);
    EXPECT_LT(bytes, 298u * 4096);
    ASSERT_TRUE(map->Write(changes));
    EXPECT_TRUE(map->TakeChanges().runs.empty());
    const auto loaded = PresenceMap::Load(core_.disk(), path);
    ASSERT_TRUE(loaded);
    EXPECT_EQ((*loaded)->arrived_sum(), map->arrived_sum());
    EXPECT_EQ((*loaded)->Arrived().words(), map->Arrived().words());
  });
}

TEST_F(PresenceSyncTest, OthersHaveTheirTurnWhileALargeMapIsWritten) {
  core_.Run([&] {
    const auto map = MakeScattered(core_.disk(), core_.folder() + "/map", 300);
    const auto changes = map->TakeChanges();
    core_.syncs.held = true;
    size_t turns = 0;
    runtime::TaskGroup fibers(core_);
    fibers.Spawn("write", [&] { EXPECT_TRUE(map->Write(changes)); });
    fibers.Spawn("other", [&] {
      while (core_.syncs.waiting == 0) {
        ++turns;
        runtime::Yield();
      }
    });
    AwaitCalls(1);
    EXPECT_GE(turns, changes.runs.size() - 1);
    core_.syncs.Release();
    fibers.Join();
  });
}

}  // namespace
}  // namespace tradewind::sqlite
