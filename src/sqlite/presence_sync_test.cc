// When the presence map of a moving tenant becomes durable, beside checkpoints and the end of the move.
#include <filesystem>
#include <fstream>
#include <iterator>
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
    store->arrival().DropPresence();
    core_.syncs.Release();
    fibers.Join();
    EXPECT_TRUE(done);
    EXPECT_EQ(store->arrival().presence(), nullptr);
  });
}

TEST_F(PresenceSyncTest, ASyncEndsOnlyWhenWhatAnotherHasTakenIsDurable) {
  core_.Run([&] {
    const auto store = MakeDatabase();
    MakeMoving(*store, 2);
    const PageNumber second{2};
    ASSERT_TRUE(store->arrival().Arrive({&second, 1}, std::vector<std::byte>(store->page_size())));
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

// The map of a file of `blocks` times 504 pages (what one block of the map holds), with one arrival in each
// block but every hundredth.
std::unique_ptr<PresenceMap> MakeScattered(runtime::Disk& disk, const std::string& path, uint32_t blocks) {
  auto map = PresenceMap::Create(disk, path, 4096, blocks * 504, 1);
  TW_CHECK(map.has_value(), "the map is made");
  for (uint32_t block = 0; block < blocks; ++block)
    if (block % 100 != 99) (*map)->NoteArrived(PageNumber{block * 504 + 7}, block + 1);
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

// -- Damage

// As map writes leave it: of 700 pages some have arrived, some were written here.
std::string MakeMapFile(runtime::Disk& disk, const std::string& path) {
  auto map = PresenceMap::Create(disk, path, 512, 700, 7).value();
  for (uint32_t page = 1; page <= 700; page += 3) map->NoteArrived(PageNumber{page}, page * 77);
  for (uint32_t page = 2; page <= 700; page += 50) map->NoteWrittenHere(PageNumber{page});
  EXPECT_TRUE(map->Write(map->TakeChanges()));
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(PresenceSyncTest, OneFlippedBitOfAMapIsFoundOrHarmless) {
  core_.Run([&] {
    const std::string whole = MakeMapFile(core_.disk(), core_.folder() + "/map");
    const auto expected = PresenceMap::Parse(std::as_bytes(std::span(whole)), "map").value();
    size_t harmless = 0;
    for (size_t byte = 0; byte < whole.size(); byte += byte < 64 ? 1 : 3) {
      std::string flipped = whole;
      const int bit = static_cast<int>(byte % 8);
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
      const auto map = PresenceMap::Parse(std::as_bytes(std::span(flipped)), "map");
      if (!map) {
        ASSERT_EQ(map.error().code, "PRESENCE_MAP_CORRUPT");
        continue;
      }
      ++harmless;
      ASSERT_EQ((*map)->Arrived().words(), expected->Arrived().words()) << byte;
      ASSERT_EQ((*map)->Present().words(), expected->Present().words()) << byte;
      ASSERT_EQ((*map)->arrived_sum(), expected->arrived_sum()) << byte;
      ASSERT_EQ((*map)->list(), 7u);
    }
    EXPECT_LE(harmless, 4096u - 40) << "only in what the header leaves of its block";
  });
}

TEST_F(PresenceSyncTest, AMapThatIsTornWithinASectorOrCutIsFoundAndOneOfOldAndNewSectorsIsTrue) {
  core_.Run([&] {
    const std::string path = core_.folder() + "/map";
    const std::string before = MakeMapFile(core_.disk(), path);
    auto map = PresenceMap::Load(core_.disk(), path).value();
    for (uint32_t page = 3; page <= 700; page += 3) map->NoteArrived(PageNumber{page}, page);
    ASSERT_TRUE(map->Write(map->TakeChanges()));
    std::ifstream file(path, std::ios::binary);
    const std::string after{std::istreambuf_iterator<char>(file), {}};
    ASSERT_EQ(after.size(), before.size());
    const auto parse = [](const std::string& bytes) {
      return PresenceMap::Parse(std::as_bytes(std::span(bytes)), "map");
    };
    std::string sectors = before;
    for (size_t at = 0; at < after.size(); at += 1024) sectors.replace(at, 512, after, at, 512);
    const auto mixed = parse(sectors);
    ASSERT_TRUE(mixed);
    EXPECT_GT((*mixed)->arrived(), parse(before).value()->arrived());
    EXPECT_LT((*mixed)->arrived(), parse(after).value()->arrived());
    std::string torn = before;
    torn.replace(4096, 200, after, 4096, 200);
    EXPECT_FALSE(parse(torn));
    for (const size_t size : {size_t{0}, size_t{39}, size_t{4096}, before.size() - 1, before.size() - 4096})
      EXPECT_FALSE(parse(before.substr(0, size))) << size;
    std::string moved = before;
    moved.replace(4096, 512, before, 4608, 512);
    EXPECT_FALSE(parse(moved)) << "a sector in another place";
  });
}

TEST_F(PresenceSyncTest, WhatAFullDiskKeepsFromAMapIsWrittenTheNextTime) {
  core_.Run([&] {
    const auto late = PresenceMap::Create(core_.disk(), core_.folder() + "/other", 512, 3000, 1).value();
    std::filesystem::resize_file(core_.folder() + "/other", 0);
    late->NoteArrived(PageNumber{5}, 5);
    core_.disk_full = true;
    EXPECT_EQ(late->WriteUnsynced(late->TakeChanges()).error().code, "DISK_FULL");
    core_.disk_full = false;
    ASSERT_TRUE(late->Write(late->TakeChanges()));
    std::filesystem::resize_file(core_.folder() + "/other", late->file_bytes());
    EXPECT_TRUE(
        PresenceMap::Load(core_.disk(), core_.folder() + "/other").value()->HasArrived(PageNumber{5}));
  });
}

// A process that is killed after a failed sync leaves marks that the system has in memory alone, and takes for written.
TEST_F(PresenceSyncTest, AMapThatAnEarlierProcessLeftIsWrittenWholeByItsFirstSync) {
  core_.Run([&] {
    const std::string path = core_.folder() + "/map";
    MakeMapFile(core_.disk(), path);
    const auto map = PresenceMap::Load(core_.disk(), path).value();
    std::filesystem::resize_file(path, 0);  // What the disk has of it.
    ASSERT_TRUE(map->Write(map->TakeChanges()));
    const auto again = PresenceMap::Load(core_.disk(), path);
    ASSERT_TRUE(again);
    EXPECT_GT(map->arrived(), 0u);
    EXPECT_EQ((*again)->arrived(), map->arrived());
    for (uint32_t page = 1; page <= map->page_count(); ++page) {
      EXPECT_EQ((*again)->HashOf(PageNumber{page}), map->HashOf(PageNumber{page})) << page;
      EXPECT_EQ((*again)->WasWrittenHere(PageNumber{page}), map->WasWrittenHere(PageNumber{page})) << page;
    }
  });
}

}  // namespace
}  // namespace tradewind::sqlite
