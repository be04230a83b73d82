#include "sim/sim_disk.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "runtime/fiber.h"
#include "sim/disk_image.h"
#include "sim/sim_core.h"
#include "sim/sim_world.h"

namespace tradewind::sim {
namespace {

using runtime::Disk;
using runtime::File;
using runtime::OpenMode;

constexpr uint64_t kSeeds = 200;

std::string ReadAll(Disk& disk, const std::string& path) {
  auto file = disk.Open(path, OpenMode::kExisting);
  if (!file) return "no " + path;
  std::string text((*file)->Size().value(), '?');
  EXPECT_EQ((*file)->Read(0, std::as_writable_bytes(std::span(text))).value(), text.size());
  return text;
}

void Overwrite(Disk& disk, const std::string& path, const std::string& text) {
  auto file = disk.Open(path, OpenMode::kCreate).value();
  ASSERT_TRUE(file->Write(0, AsBytes(text)));
}

void MakeDurable(Disk& disk, const std::string& path, const std::string& text) {
  Overwrite(disk, path, text);
  ASSERT_TRUE(disk.Open(path, OpenMode::kExisting).value()->Sync());
  ASSERT_TRUE(disk.SyncDirectory("/"));
}

// Does `before`, takes the host down, and gives what `after` finds on the new core's disk.
template <typename Before, typename After>
auto AcrossACrash(uint64_t seed, Before before, After after, bool power_lost = true) {
  SimWorld world(seed);
  SimCore& core = world.AddCore("n1");
  world.RunFiber(core, "before", [&] { before(core.disk()); });
  power_lost ? world.Crash("n1") : world.Kill("n1");
  SimCore& again = world.Restart("n1");
  decltype(after(again.disk())) found;
  world.RunFiber(again, "after", [&] { found = after(again.disk()); });
  return found;
}

std::string Filled(size_t sectors, char with) {
  return std::string(sectors * 512, with);
}

TEST(SimDisk, KeepsWhatWasSynced) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string found = AcrossACrash(
        seed,
        [](Disk& disk) {
          MakeDurable(disk, "/a", Filled(20, 'x') + "tail");
          auto file = disk.Open("/a", OpenMode::kExisting).value();
          ASSERT_TRUE(file->Truncate(600));
          ASSERT_TRUE(file->Write(700, AsBytes("end")));
          ASSERT_TRUE(file->Sync());
        },
        [](Disk& disk) { return ReadAll(disk, "/a"); });
    ASSERT_EQ(found, std::string(600, 'x') + std::string(100, '\0') + "end") << seed;
  }
}

TEST(SimDisk, LosesTearsOrKeepsWhatWasNotSynced) {
  std::map<std::string, int> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string found = AcrossACrash(
        seed,
        [](Disk& disk) {
          MakeDurable(disk, "/a", Filled(8, 'o'));
          Overwrite(disk, "/a", Filled(8, 'n'));
          EXPECT_EQ(ReadAll(disk, "/a"), Filled(8, 'n'));
        },
        [](Disk& disk) { return ReadAll(disk, "/a"); });
    ASSERT_EQ(found.size(), 8u * 512);
    for (size_t sector = 0; sector < 8; ++sector) {
      const std::string part = found.substr(sector * 512, 512);
      ASSERT_TRUE(part == Filled(1, 'o') || part == Filled(1, 'n')) << "a sector is never torn";
    }
    ++outcomes[found == Filled(8, 'o') ? "lost" : found == Filled(8, 'n') ? "kept" : "torn"];
  }
  EXPECT_GT(outcomes["lost"], 20);
  EXPECT_GT(outcomes["kept"], 20);
  EXPECT_GT(outcomes["torn"], 20);
}

TEST(SimDisk, GrowsWithZerosOrNotAtAllWhenTheGrowthWasNotSynced) {
  std::set<size_t> sizes;
  bool zeros_seen = false;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string found = AcrossACrash(
        seed,
        [](Disk& disk) {
          MakeDurable(disk, "/a", Filled(2, 'o'));
          ASSERT_TRUE(disk.Open("/a", OpenMode::kExisting).value()->Write(1024, AsBytes(Filled(4, 'n'))));
        },
        [](Disk& disk) { return ReadAll(disk, "/a"); });
    ASSERT_TRUE(found.starts_with(Filled(2, 'o')));
    ASSERT_LE(found.size(), 6u * 512);
    for (size_t i = 1024; i < found.size(); ++i) ASSERT_TRUE(found[i] == 'n' || found[i] == '\0');
    zeros_seen = zeros_seen || found.find('\0') != std::string::npos;
    sizes.insert(found.size());
  }
  EXPECT_TRUE(sizes.contains(1024) && sizes.contains(3072) && sizes.size() > 10);
  EXPECT_TRUE(zeros_seen);
}

// What was cut off never shows again between what was written later, and what was written later never shows
// before the cut.
TEST(SimDisk, CutsAtOnceOrNotAtAll) {
  std::map<std::string, int> outcomes;
  for (uint64_t seed = 0; seed < 2 * kSeeds; ++seed) {
    const std::string found = AcrossACrash(
        seed,
        [](Disk& disk) {
          MakeDurable(disk, "/a", Filled(8, 'o'));
          auto file = disk.Open("/a", OpenMode::kExisting).value();
          ASSERT_TRUE(file->Truncate(1024));
          ASSERT_TRUE(file->Write(1024, AsBytes(Filled(6, 'n'))));
        },
        [](Disk& disk) { return ReadAll(disk, "/a"); });
    ASSERT_TRUE(found.starts_with(Filled(2, 'o')));
    const bool old_seen = found.find('o', 1024) != std::string::npos;
    const bool new_seen = found.find('n') != std::string::npos;
    ASSERT_FALSE(old_seen && new_seen) << seed;
    ++outcomes[old_seen ? "old" : new_seen ? "new" : "neither"];
  }
  EXPECT_EQ(outcomes.size(), 3u);
}

TEST(SimDisk, KeepsACutBeforeWhatCameAfterItWhileASyncRuns) {
  for (uint64_t seed = 0; seed < 2 * kSeeds; ++seed) {
    FileImage image(Filled(8, 'o'));
    image.Truncate(1024);
    image.StartSync();
    image.Write(1024, AsBytes(Filled(6, 'n')));
    Random random(seed);
    const std::string found = image.AfterPowerLoss(random);
    ASSERT_FALSE(found.find('o', 1024) != std::string::npos && found.find('n') != std::string::npos) << seed;
  }
}

TEST(SimDisk, LosesANameThatWasNotSynced) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    outcomes.insert(AcrossACrash(
        seed,
        [](Disk& disk) {
          Overwrite(disk, "/a", "text");
          ASSERT_TRUE(disk.Open("/a", OpenMode::kExisting).value()->Sync());
        },
        [](Disk& disk) { return ReadAll(disk, "/a"); }));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"no /a", "text"}));
}

TEST(SimDisk, LosesAFileWithTheFolderThatHoldsIt) {
  std::set<bool> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    outcomes.insert(AcrossACrash(
        seed,
        [](Disk& disk) {
          ASSERT_TRUE(disk.CreateFolders("/x/y"));
          Overwrite(disk, "/x/y/a", "text");
          ASSERT_TRUE(disk.Open("/x/y/a", OpenMode::kExisting).value()->Sync());
          ASSERT_TRUE(disk.SyncDirectory("/x/y"));
        },
        [](Disk& disk) {
          EXPECT_EQ(disk.Exists("/x/y/a").value(), disk.Exists("/x/y").value());
          return disk.Exists("/x/y").value();
        }));
  }
  EXPECT_EQ(outcomes.size(), 2u);
}

// The pattern by which files are replaced: write beside, sync, rename, sync the folder.
TEST(SimDisk, ReplacesAFileByRenameAtomically) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    outcomes.insert(AcrossACrash(
        seed,
        [](Disk& disk) {
          MakeDurable(disk, "/a", "old");
          Overwrite(disk, "/a.new", "new text");
          ASSERT_TRUE(disk.Open("/a.new", OpenMode::kExisting).value()->Sync());
          ASSERT_TRUE(disk.Rename("/a.new", "/a"));
        },
        [](Disk& disk) { return ReadAll(disk, "/a"); }));
    EXPECT_EQ(
        AcrossACrash(
            seed,
            [](Disk& disk) {
              MakeDurable(disk, "/a", "old");
              MakeDurable(disk, "/a.new", "new text");
              ASSERT_TRUE(disk.Rename("/a.new", "/a"));
              ASSERT_TRUE(disk.SyncDirectory("/"));
            },
            [](Disk& disk) { return ReadAll(disk, "/a") + (disk.Exists("/a.new").value() ? " twice" : ""); }),
        "new text");
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"old", "new text"}));
}

TEST(SimDisk, BringsARemovedFileBackWhenTheRemovalWasNotSynced) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    outcomes.insert(AcrossACrash(
        seed,
        [](Disk& disk) {
          MakeDurable(disk, "/a", "text");
          ASSERT_TRUE(disk.Remove("/a"));
          EXPECT_FALSE(disk.Exists("/a").value());
        },
        [](Disk& disk) { return ReadAll(disk, "/a"); }));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"no /a", "text"}));
}

TEST(SimDisk, KeepsEverythingWhenOnlyTheProcessDies) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::string found = AcrossACrash(
        seed, [](Disk& disk) { Overwrite(disk, "/a", Filled(8, 'x')); },
        [](Disk& disk) { return ReadAll(disk, "/a"); }, false);
    ASSERT_EQ(found, Filled(8, 'x'));
  }
}

// A crash at every moment around a sync: what the sync was to cover may be torn until it returns, and never
// after.
TEST(SimDisk, CoversWhatWasWrittenBeforeASyncOnceItReturns) {
  std::set<bool> returned_in_time;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimWorld world(seed);
    SimCore& core = world.AddCore("n1");
    std::unique_ptr<File> file;
    world.RunFiber(core, "prepare", [&] {
      MakeDurable(core.disk(), "/a", Filled(8, '0'));
      file = core.disk().Open("/a", OpenMode::kExisting).value();
    });
    char written = '0';
    char synced = '0';
    for (const char* name : {"first", "second"}) {
      core.Spawn(name, [&] {
        while (!core.crashed()) {
          const char version = ++written;
          if (!file->Write(0, AsBytes(Filled(8, version)))) break;
          if (file->Sync()) synced = std::max(synced, version);
        }
      });
    }
    world.RunUntil([] { return false; }, std::chrono::microseconds(100 + seed * 7));
    const char durable_at_crash = synced;
    world.Crash("n1");
    world.RunUntil([&] { return core.fiber_count() == 0; });
    EXPECT_EQ(synced, durable_at_crash) << "no sync succeeds after the crash";
    SimCore& again = world.Restart("n1");
    world.RunFiber(again, "check", [&] {
      const std::string found = ReadAll(again.disk(), "/a");
      for (const char c : found) ASSERT_TRUE(c >= durable_at_crash && c <= written) << seed;
    });
    returned_in_time.insert(durable_at_crash > '0');
  }
  EXPECT_EQ(returned_in_time.size(), 2u);
}

TEST(SimDisk, FailsEveryCallAfterTheCrash) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1");
  std::unique_ptr<File> file;
  world.RunFiber(core, "open", [&] { file = core.disk().Open("/a", OpenMode::kCreate).value(); });
  world.Crash("n1");
  world.RunFiber(core, "after", [&] {
    std::byte byte{};
    EXPECT_EQ(file->Read(0, {&byte, 1}).error().code, "CRASHED");
    EXPECT_EQ(file->Write(0, {&byte, 1}).error().code, "CRASHED");
    EXPECT_EQ(file->Sync().error().code, "CRASHED");
    EXPECT_EQ(core.disk().Open("/a", OpenMode::kCreate).error().code, "CRASHED");
    EXPECT_EQ(core.disk().SyncDirectory("/").error().code, "CRASHED");
  });
}

TEST(SimDisk, NamesFilesAndFoldersAsARealOneDoes) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1");
  world.RunFiber(core, "test", [&] {
    Disk& disk = core.disk();
    EXPECT_EQ(disk.Open("/x/a", OpenMode::kCreate).error().kind, ErrorKind::kNotFound) << "no such folder";
    ASSERT_TRUE(disk.CreateFolders("/x//y/"));
    ASSERT_TRUE(disk.CreateFolders("/x/y"));
    for (const char* name : {"/x/b", "/x/a", "/x/y/c"}) Overwrite(disk, name, name);
    EXPECT_EQ(disk.List("/x").value(), (std::vector<std::string>{"a", "b", "y"}));
    EXPECT_EQ(disk.List("/").value(), (std::vector<std::string>{"x"}));
    EXPECT_EQ(disk.Open("/x/a", OpenMode::kCreateExclusive).error().kind, ErrorKind::kExists);
    ASSERT_TRUE(disk.Rename("/x/a", "/x/b"));
    EXPECT_EQ(ReadAll(disk, "/x/b"), "/x/a");
    EXPECT_EQ(disk.Open("/x/a", OpenMode::kExisting).error().kind, ErrorKind::kNotFound);
    EXPECT_TRUE(disk.Remove("/x/a")) << "a missing file is no error";
    EXPECT_FALSE(disk.Remove("/x/y")) << "not empty";
    ASSERT_TRUE(disk.Remove("/x/y/c"));
    EXPECT_TRUE(disk.Remove("/x/y"));
  });
}

TEST(SimDisk, FillsUp) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1");
  world.SetDiskCapacity("n1", 4'096);
  world.RunFiber(core, "test", [&] {
    auto file = core.disk().Open("/a", OpenMode::kCreate).value();
    ASSERT_TRUE(file->Write(0, AsBytes(Filled(8, 'x'))));
    EXPECT_EQ(file->Write(1, AsBytes(Filled(8, 'x'))).error().code, "DISK_FULL");
    EXPECT_TRUE(file->Write(0, AsBytes(Filled(8, 'y')))) << "what it has, it can overwrite";
    EXPECT_EQ(core.disk().FreeBytes("/").value(), 0u);
  });
}

}  // namespace
}  // namespace tradewind::sim
