#include "sim/sim_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/call_on.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"
#include "runtime/network.h"
#include "sim/sim_core.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

// Three hosts that talk, sleep, write, crash and restart; gives the lines of the trace.
std::vector<std::string> RunScenario(uint64_t seed, uint64_t* hash) {
  SimWorld world(seed);
  std::vector<std::string> lines;
  world.trace().SetSink([&](const std::string& line) { lines.push_back(line); });
  const std::vector<std::string> hosts{"n1", "n2", "n3"};
  const auto start = [&](SimCore& core) {
    core.Spawn("serve", [&core] {
      auto listener = core.network().Listen({core.host(), 80});
      while (listener) {
        auto connection = (*listener)->Accept();
        if (!connection) return;
        std::byte bytes[100];
        const auto count = (*connection)->Read(bytes);
        if (count) (void)(*connection)->Write(Bytes(bytes).first(*count));
      }
    });
    core.Spawn("work", [&core, &hosts] {
      auto file = core.disk().Open("/log", runtime::OpenMode::kCreate);
      for (uint64_t round = 0; file && round < 20 && !core.crashed(); ++round) {
        std::byte bytes[100];
        core.FillRandom(bytes);
        (void)(*file)->Write(round * sizeof bytes, bytes);
        (void)(*file)->Sync();
        auto peer = core.network().Connect({hosts[static_cast<size_t>(bytes[0]) % 3], 80}, core.Now() + 2s);
        if (!peer || !(*peer)->Write(bytes)) continue;
        (*peer)->SetReadDeadline(core.Now() + 2s);
        (void)(*peer)->Read(bytes);
        core.RunOffCore([] {});
        runtime::SleepFor(1ms);
      }
    });
  };
  for (const std::string& host : hosts) start(world.AddCore(host));
  world.RunUntilIdle(20ms);
  world.CutLink("n1", "n2");
  world.Crash("n3");
  world.RunUntilIdle(10ms);
  start(world.Restart("n3"));
  world.HealLink("n2", "n1");
  world.RunUntilIdle(1min);
  for (const std::string& host : hosts) world.Kill(host);
  world.RunUntilIdle();
  EXPECT_EQ(world.living_fibers(), std::vector<std::string>{});
  *hash = world.trace_hash();
  return lines;
}

TEST(SimWorld, RunsTheSameWayTwiceFromOneSeed) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    uint64_t first = 0;
    uint64_t second = 0;
    const auto lines = RunScenario(seed, &first);
    ASSERT_EQ(RunScenario(seed, &second), lines);
    EXPECT_EQ(first, second);
    EXPECT_GT(lines.size(), 200u);
    hashes.insert(first);
  }
  EXPECT_EQ(hashes.size(), 20u) << "every seed is another run";
}

TEST(SimWorld, SleepsInVirtualTime) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1");
  const int64_t unix_start = core.UnixMilliseconds();
  world.RunFiber(
      core, "sleep", [&] { runtime::SleepFor(24h); }, 48h);
  EXPECT_GE(world.now().time_since_epoch(), 24h);
  EXPECT_GE(core.UnixMilliseconds() - unix_start, 86'400'000);
}

TEST(SimWorld, StopsAtItsLimitAndWhenNothingIsLeft) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1");
  bool done = false;
  core.Spawn("sleep", [&] {
    runtime::SleepFor(10s);
    done = true;
  });
  EXPECT_FALSE(world.RunUntil([&] { return done; }, 1s));
  EXPECT_EQ(world.living_fibers(), std::vector<std::string>{"n1: sleep"});
  EXPECT_TRUE(world.RunUntil([&] { return done; }));
  EXPECT_FALSE(world.RunUntil([] { return false; }, 1'000'000h)) << "idle";
}

TEST(SimWorld, MovesTheClockForAFiberThatNeverSleeps) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1");
  world.RunFiber(core, "busy", [&] {
    const auto start = core.Now();
    while (core.Now() < start + 10ms) {
    }
    while (core.Now() < start + 20ms) runtime::Yield();
  });
}

TEST(SimWorld, MixesTheTurnsOfCores) {
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimWorld world(seed);
    std::string order;
    for (const char* host : {"a", "b", "c"})
      world.AddCore(host).Spawn("name", [&order, host] { order += host; });
    world.RunUntilIdle();
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(SimWorld, LetsFibersOfACrashedHostRunToTheirEnd) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1");
  std::string story;
  core.Spawn("works", [&] {
    while (core.disk().SyncDirectory("/")) runtime::SleepFor(1ms);
    runtime::SleepFor(1s);
    story += "ended";
  });
  world.RunUntilIdle(100ms);
  EXPECT_EQ(story, "");
  world.Crash("n1");
  world.RunUntil([&] { return core.fiber_count() == 0; });
  EXPECT_EQ(story, "ended");
}

TEST(SimWorld, GivesTheExceptionOfWorkOffCore) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1");
  world.RunFiber(core, "work", [&] {
    EXPECT_THROW(core.RunOffCore([] { throw std::runtime_error("off core"); }), std::runtime_error);
  });
}

// Two hosts of several cores that call each other; what each core took, in its order.
std::vector<std::vector<int>> RunCalls(uint64_t seed, uint64_t* hash) {
  SimWorld world(seed);
  constexpr size_t kCores = 3;
  SimCore& first = world.AddCore("n1", kCores);
  SimCore& other = world.AddCore("n2", 2);
  EXPECT_EQ(other.siblings().size(), 2u);
  std::vector<std::vector<int>> took(kCores);
  world.RunFiber(first, "calls", [&] {
    runtime::TaskGroup group(first);
    for (int number = 0; number < 200; ++number) {
      group.Spawn("call", [&, number] {
        runtime::Core& to = *first.siblings()[static_cast<size_t>(1 + number % 2)];
        const int answer = runtime::CallOn(to, [&] {
          to.AssertHere();
          took[to.number()].push_back(number);
          runtime::SleepFor(1ms);
          runtime::CallOn(first, [&] { took[0].push_back(number); });
          return number;
        });
        first.AssertHere();
        EXPECT_EQ(answer, number);
      });
    }
    group.Join();
  });
  *hash = world.trace_hash();
  return took;
}

TEST(SimWorld, CallsBetweenCoresOfAHostComeInTheOrderOfEachPair) {
  uint64_t hash = 0;
  const auto took = RunCalls(5, &hash);
  EXPECT_EQ(took[1].size(), 100u);
  EXPECT_EQ(took[2].size(), 100u);
  EXPECT_TRUE(std::is_sorted(took[1].begin(), took[1].end()));
  EXPECT_TRUE(std::is_sorted(took[2].begin(), took[2].end()));
  EXPECT_FALSE(std::is_sorted(took[0].begin(), took[0].end()))
      << "one core's calls do not wait for another's";
}

TEST(SimWorld, CallsBetweenCoresAreTheSameAgainFromTheSameSeed) {
  uint64_t first = 0;
  uint64_t again = 0;
  uint64_t other = 0;
  EXPECT_EQ(RunCalls(1, &first), RunCalls(1, &again));
  RunCalls(2, &other);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST(SimWorld, AHostComesBackWithAsManyCoresAsItHad) {
  SimWorld world(1);
  SimCore& core = world.AddCore("n1", 4);
  EXPECT_EQ(&world.CoreOf("n1"), &core);
  world.Kill("n1");
  for (runtime::Core* sibling : core.siblings()) EXPECT_TRUE(static_cast<SimCore*>(sibling)->crashed());
  SimCore& again = world.Restart("n1");
  EXPECT_EQ(again.siblings().size(), 4u);
  EXPECT_EQ(again.number(), 0u);
  EXPECT_EQ(&world.CoreOf("n1"), &again);
}

}  // namespace
}  // namespace tradewind::sim
