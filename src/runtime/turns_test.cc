#include "runtime/turns.h"

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"
#include "runtime/test_core.h"
#include "runtime/turn_watch.h"

namespace tradewind::runtime {
namespace {

using std::chrono::milliseconds;

void Compute(Duration duration) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
  };
  for (const Duration until = now() + duration; now() < until;) {
  }
}

TEST(Turns, TenantsTakeTurns) {
  TestCore core;
  std::string order;
  core.Run([&] {
    TaskGroup group(core);
    bool over = false;
    for (int i = 0; i < 20; ++i)
      group.Spawn("many", [&] {
        const Turns turns("many");
        while (!over) {
          if (order.size() < 200) order += 'm';
          Yield();
        }
      });
    group.Spawn("one", [&] {
      const Turns turns("one");
      while (order.size() < 200) {
        order += 'o';
        Yield();
      }
      over = true;
    });
    group.Join();
  });
  const std::string later = order.substr(100);
  EXPECT_NEAR(static_cast<double>(std::count(later.begin(), later.end(), 'o')), 50, 5) << order;
}

TEST(RunTimeMeter, CountsTheTurnsOfItsTenantAndNoOthers) {
  TestCore core;
  core.Run([&] {
    const auto spend = [&](const char* tenant, Duration time) {
      const Turns turns(tenant);
      for (const TimePoint until = core.Now() + time; core.Now() < until;) {
      }
    };
    spend("shop", milliseconds(5));
    const RunTimeMeter meter("shop");
    EXPECT_EQ(meter.used(), Duration::zero());
    spend("shop", milliseconds(2));
    spend("blog", milliseconds(3));
    EXPECT_NEAR(static_cast<double>(meter.used().count()), 2e6, 1e5);
    std::optional<RunTimeMeter> later(std::in_place, "shop");
    spend("shop", milliseconds(1));
    EXPECT_NEAR(static_cast<double>(meter.used().count()), 3e6, 1e5);
    EXPECT_NEAR(static_cast<double>(later->used().count()), 1e6, 1e5);
    later.reset();
    const Turns turns("shop");
    spend("shop", milliseconds(1));
    Yield();
    EXPECT_NEAR(static_cast<double>(meter.used().count()), 4e6, 1e5) << "also of turns within one request";
  });
}

TEST(Turns, WhatWorksForNobodyDoesNotWaitForTenants) {
  TestCore core;
  core.Run([&] {
    TaskGroup group(core);
    bool over = false;
    size_t turns_of_tenants = 0;
    for (int i = 0; i < 100; ++i)
      group.Spawn("tenant", [&, i] {
        const Turns turns("t" + std::to_string(i));
        while (!over) {
          ++turns_of_tenants;
          Yield();
        }
      });
    Yield();
    const size_t before = turns_of_tenants;
    for (int i = 0; i < 10; ++i) Yield();
    EXPECT_LE(turns_of_tenants, before + 10 * 32);
    over = true;
    group.Join();
  });
}

TEST(Turns, WhatIsLongGivesWayBeforeItsTurnHasLasted) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    TaskGroup group(*core);
    bool gave_way = false;
    // A machine that is busy may take the processor away for as long as a turn lasts: then it is over anyway.
    for (int tries = 0; tries < 1000 && !gave_way; ++tries) {
      const Turns turns("long");
      while (!IsTurnOver()) {
      }
      for (const TimePoint until = core->Now() + 2 * limits::kShortRequest; core->Now() < until;
           YieldIfTurnIsOver()) {
      }
      Yield();
      const TimePoint began = core->Now();
      group.Spawn("what is there now", [] {});
      while (!IsTurnOver()) {
      }
      gave_way = core->Now() - began < limits::kTimeSlice / 2;
      group.Join();
    }
    EXPECT_TRUE(gave_way);
  });
}

TEST(Turns, WhatIsShortGivesWayToInputBeforeItsTurnHasLasted) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    TaskGroup group(*core);
    bool gave_way = false;
    for (int tries = 0; tries < 1000 && !gave_way; ++tries) {
      Yield();
      const Turns turns("short");
      const TimePoint began = core->Now();
      group.Spawn("what is there now", [] {});
      while (!IsTurnOver()) {
      }
      gave_way = core->Now() - began < limits::kTimeSlice / 2;
      group.Join();
    }
    EXPECT_TRUE(gave_way);
  });
}

TEST(Turns, WhatIsShortAndHoldsALockHasItsWholeTurn) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    TaskGroup group(*core);
    for (int tries = 0; tries < 20; ++tries) {
      const TimePoint before = core->Now();
      Yield();
      const Turns turns("short");
      group.Spawn("what is there now", [] {});
      {
        const LockHeld held;
        while (!IsTurnOver()) {
        }
      }
      EXPECT_GE(core->Now() - before, limits::kTimeSlice);
      group.Join();
    }
  });
}

TEST(Turns, AFiberThatWasWokenTakesItsTurn) {
  TestCore core;
  core.Run([&] {
    WaitQueue queue;
    TaskGroup group(core);
    int woken = 0;
    for (int i = 0; i < 3; ++i)
      group.Spawn("tenant", [&] {
        const Turns turns("t");
        const Turns inner("another");
        queue.Wait();
        ++woken;
      });
    while (queue.size() < 3) Yield();
    queue.NotifyAll();
    group.Join();
    EXPECT_EQ(woken, 3);
  });
}

TEST(TurnWatch, SaysWhatTookLongest) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    Yield();
    {
      const Activity outer("outer");
      {
        const Activity inner("inner");
        Compute(milliseconds(30));
      }
      Compute(milliseconds(3));
    }
    Yield();
    EXPECT_EQ(core->turn_watch().longest().by, "inner");
    EXPECT_GE(core->turn_watch().longest().time, milliseconds(33));
    EXPECT_LT(core->turn_watch().longest().time, milliseconds(60));
    EXPECT_EQ(core->turn_watch().longest_lately(core->Now()).by, "inner");
    EXPECT_EQ(core->turn_watch().long_turns(), (std::map<std::string, uint64_t>{{"inner", 1}}));
  });
}

TEST(TurnWatch, DoesNotCountTimeInWhichTheThreadDidNotRun) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    Yield();
    timespec pause{0, 100'000'000};
    ::nanosleep(&pause, nullptr);
    Yield();
    EXPECT_LT(core->turn_watch().longest().time, milliseconds(20));
    EXPECT_TRUE(core->turn_watch().long_turns().empty());
  });
}

TEST(TurnWatch, ForgetsTheLongestOfAWhileAgo) {
  TurnWatch watch;
  Duration processor_time{};
  TimePoint now{};
  const auto turn = [&](Duration took, const char* label) {
    now += took;
    processor_time += took;
    watch.End(now, label, [&] { return processor_time; });
  };
  turn(milliseconds(2), "the first, with which there is nothing to compare");
  turn(milliseconds(50), "long");
  for (int second = 0; second < 30; ++second) {
    now += std::chrono::seconds(1);
    turn(milliseconds(5), "short");
  }
  EXPECT_EQ(watch.longest_lately(now).by, "long");
  for (int second = 0; second < 60; ++second) {
    now += std::chrono::seconds(1);
    turn(milliseconds(5), "short");
  }
  EXPECT_EQ(watch.longest_lately(now).by, "short");
  EXPECT_EQ(watch.longest().by, "long");
}

}  // namespace
}  // namespace tradewind::runtime
