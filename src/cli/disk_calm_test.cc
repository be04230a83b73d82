#include "cli/disk_calm.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/test_core.h"

namespace tradewind::cli {
namespace {

using namespace std::chrono_literals;

void AddMany(SyncTimes& times, int count, runtime::Duration each) {
  for (int at = 0; at < count; ++at) times.Add(each);
}

TEST(SyncTimes, AreCalmOnceFiftyInARowWereFast) {
  SyncTimes times;
  AddMany(times, 49, 1ms);
  EXPECT_FALSE(times.calm());
  times.Add(80ms);
  EXPECT_FALSE(times.calm());
  AddMany(times, 49, 1ms);
  EXPECT_FALSE(times.calm());
  times.Add(1ms);
  EXPECT_TRUE(times.calm());
}

TEST(SyncTimes, OfASlowDiskAreCalmWhenTheyAreAllAlike) {
  SyncTimes times;
  AddMany(times, 50, 12ms);
  EXPECT_TRUE(times.calm());
  times.Add(37ms);
  EXPECT_FALSE(times.calm());
}

TEST(SyncTimes, AreTypicallyTheirMedian) {
  SyncTimes times;
  AddMany(times, 30, 2ms);
  AddMany(times, 20, 90ms);
  EXPECT_EQ(times.typical(), runtime::Duration(2ms));
}

TEST(WaitUntilCalm, EndsWithACalmDiskAndLeavesNoFile) {
  runtime::TestCore core;
  core.Run([&] {
    const auto times = WaitUntilCalm(core, core.folder(), 1h, [] { return false; });
    ASSERT_TRUE(times) << Describe(times.error());
    EXPECT_TRUE(times->calm());
  });
  EXPECT_EQ(core.syncs.done, 50u);
  EXPECT_TRUE(std::filesystem::is_empty(core.folder()));
}

TEST(WaitUntilCalm, GivesUpOnADiskThatStaysBusy) {
  runtime::TestCore core;
  core.Run([&] {
    int turns = 0;
    const auto times = WaitUntilCalm(core, core.folder(), 10s, [&] {
      core.tick = ++turns % 10 == 0 ? 100ms : 1ms;
      return false;
    });
    ASSERT_TRUE(times) << Describe(times.error());
    EXPECT_FALSE(times->calm());
  });
  EXPECT_GT(core.syncs.done, 50u);
}

TEST(WaitUntilCalm, EndsWhenItIsToldTo) {
  runtime::TestCore core;
  core.Run([&] { EXPECT_TRUE(WaitUntilCalm(core, core.folder(), 1h, [] { return true; })); });
  EXPECT_EQ(core.syncs.done, 1u);
}

TEST(WaitUntilCalm, FailsAsTheDiskDoes) {
  runtime::TestCore core;
  core.syncs.failing = true;
  core.Run([&] {
    const auto times = WaitUntilCalm(core, core.folder(), 1h, [] { return false; });
    ASSERT_FALSE(times);
    EXPECT_EQ(times.error().code, "DISK_IO");
  });
}

}  // namespace
}  // namespace tradewind::cli
