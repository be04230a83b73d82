#include "runtime/processors.h"

#include <gtest/gtest.h>

#include <map>

namespace tradewind::runtime {
namespace {

using Files = std::map<std::string, std::string>;

size_t Usable(size_t affinity, const Files& files) {
  return UsableProcessors(affinity, [&](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(ProcessorsTest, AreThoseOfTheAffinityWhereThereIsNoGroup) {
  EXPECT_EQ(Usable(8, {}), 8u);
  EXPECT_EQ(Usable(1, {}), 1u);
}

TEST(ProcessorsTest, AreAtLeastOne) {
  EXPECT_EQ(Usable(0, {}), 1u);
  EXPECT_EQ(Usable(8, {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "10000 100000\n"}}), 1u);
}

TEST(ProcessorsTest, AreNoMoreThanTheQuotaOfVersionTwo) {
  const std::string own = "0::/\n";
  EXPECT_EQ(Usable(8, {{"/proc/self/cgroup", own}, {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}}), 3u);
  EXPECT_EQ(Usable(2, {{"/proc/self/cgroup", own}, {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}}), 2u);
  EXPECT_EQ(Usable(8, {{"/proc/self/cgroup", own}, {"/sys/fs/cgroup/cpu.max", "max 100000\n"}}), 8u);
}

TEST(ProcessorsTest, LeaveThePartOfAProcessorThatAQuotaHasOver) {
  EXPECT_EQ(Usable(8, {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "270000 100000\n"}}), 2u);
}

TEST(ProcessorsTest, KeepToTheStrictestOfNestedGroups) {
  Files files = {{"/proc/self/cgroup", "0::/a/b\n"},
                 {"/sys/fs/cgroup/a/cpu.max", "200000 100000\n"},
                 {"/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n"}};
  EXPECT_EQ(Usable(8, files), 2u);
  files["/sys/fs/cgroup/a/b/cpu.max"] = "100000 100000\n";
  EXPECT_EQ(Usable(8, files), 1u);
  files["/sys/fs/cgroup/a/cpu.max"] = "max 100000\n";
  files["/sys/fs/cgroup/a/b/cpu.max"] = "max 100000\n";
  EXPECT_EQ(Usable(8, files), 8u);
}

TEST(ProcessorsTest, AreNoMoreThanTheQuotaOfVersionOne) {
  for (const std::string mount : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"}) {
    Files files = {{"/proc/self/cgroup", "7:memory:/m\n4:cpu,cpuacct:/a\n1:name=systemd:/a\n0::/a\n"},
                   {mount + "/a/cpu.cfs_quota_us", "250000\n"},
                   {mount + "/a/cpu.cfs_period_us", "100000\n"}};
    EXPECT_EQ(Usable(8, files), 2u) << mount;
    files[mount + "/a/cpu.cfs_quota_us"] = "-1\n";
    EXPECT_EQ(Usable(8, files), 8u) << mount;
  }
}

// The path is the machine's there, and what is mounted is the container's own group.
TEST(ProcessorsTest, FindTheQuotaOfAContainerAtTheMount) {
  EXPECT_EQ(Usable(8, {{"/proc/self/cgroup", "4:cpu,cpuacct:/docker/5e0c\n"},
                       {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n"},
                       {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "200000\n"}}),
            2u);
}

TEST(ProcessorsTest, AnotherControllerHasNoQuotaOfProcessors) {
  EXPECT_EQ(Usable(8, {{"/proc/self/cgroup", "4:cpuset:/a\n5:cpuacct:/a\n"},
                       {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "100000\n"},
                       {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"}}),
            8u);
}

TEST(ProcessorsTest, WhatCannotBeReadBoundsNothing) {
  for (const std::string text : {"", "\n", "max", "100000", "x 100000\n", "100000 0\n", "100000 x\n",
                                 "-5 100000\n", "99999999999999999999999 100000\n"}) {
    EXPECT_EQ(Usable(8, {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", text}}), 8u) << text;
  }
  for (const std::string text : {"", ":", "::", "0:", "0::", "nonsense", "\n\n"})
    EXPECT_EQ(Usable(8, {{"/proc/self/cgroup", text}}), 8u) << text;
}

TEST(ProcessorsTest, OfThisProcessAreSome) {
  EXPECT_GE(UsableProcessors(), 1u);
}

}  // namespace
}  // namespace tradewind::runtime
