#include "runtime/cores.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/out_of_memory.h"
#include "runtime/call_on.h"
#include "runtime/descriptors.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {
namespace {

using namespace std::chrono_literals;

class CoresTest : public testing::Test {
 protected:
  // All runs end: what has not returned would keep the test from it.
  static void Run(Cores& cores, std::function<void()> body) {
    const auto ran = cores.RunUntilReturned("test", std::move(body));
    EXPECT_TRUE(ran) << (ran ? "" : Describe(ran.error()));
  }
};

// A small generator: what is called by whom does not depend on time.
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  size_t Below(size_t bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % bound;
  }

 private:
  uint64_t state_;
};

TEST_F(CoresTest, ACallRunsOnTheOtherCoreAndReturnsWhatItReturned) {
  Cores cores(2);
  Run(cores, [&] {
    const auto here = std::this_thread::get_id();
    const std::string answer = CallOn(cores[1], [&] {
      EXPECT_NE(std::this_thread::get_id(), here);
      EXPECT_EQ(&CurrentCore(), &cores[1]);
      EXPECT_EQ(CurrentCore().number(), 1u);
      return std::string("a text that is too long for the string itself");
    });
    EXPECT_EQ(answer, "a text that is too long for the string itself");
    EXPECT_EQ(std::this_thread::get_id(), here);
    int ran = 0;
    CallOn(cores[1], [&] { ++ran; });
    EXPECT_EQ(ran, 1);
    const auto pointer = CallOn(cores[1], [] { return std::make_unique<int>(7); });
    EXPECT_EQ(*pointer, 7);
    const auto failed =
        CallOn(cores[1], []() -> Result<int> { return Fail(ErrorKind::kRefused, "NO", "not here"); });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, "NO");
  });
}

TEST_F(CoresTest, ACallOfTheCoreItselfRunsAtOnceInTheSameFiber) {
  Cores cores(2);
  Run(cores, [&] {
    Fiber* const fiber = CurrentFiber();
    EXPECT_EQ(CallOn(cores[0], [] { return CurrentFiber(); }), fiber);
    EXPECT_NE(CallOn(cores[1], [] { return CurrentFiber(); }), fiber);
  });
}

TEST_F(CoresTest, ACoreThatIsMadeAloneIsTheOnlyOneOfItsNode) {
  const auto core = RealCore::Create();
  EXPECT_EQ(core->number(), 0u);
  ASSERT_EQ(core->siblings().size(), 1u);
  EXPECT_EQ(core->siblings()[0], core.get());
  Cores cores(1);
  bool ran = false;
  Run(cores, [&] { CallOn(cores[0], [&] { ran = true; }); });
  EXPECT_TRUE(ran);
}

// Calls within calls, to any core, the caller's included, with pauses in between.
TEST_F(CoresTest, ManyCoresCallEachOtherAtRandom) {
  constexpr size_t kCores = 4;
  constexpr size_t kFibers = 16;
  constexpr size_t kCalls = 100;
  Cores cores(kCores);
  std::vector<uint64_t> served(kCores);  // Each element is of its core alone.
  std::function<uint64_t(Draw&, size_t)> call = [&](Draw& draw, size_t depth) -> uint64_t {
    Core& to = cores[draw.Below(kCores)];
    return CallOn(to, [&]() -> uint64_t {
      ++served[CurrentCore().number()];
      if (draw.Below(8) == 0) Yield();
      if (draw.Below(64) == 0) CurrentCore().RunOffCore([] {});
      return 1 + (depth == 0 ? 0 : call(draw, depth - 1));
    });
  };
  uint64_t returned = 0;
  Run(cores, [&] {
    TaskGroup group(cores[0]);
    for (size_t fiber = 0; fiber < kFibers; ++fiber) {
      group.Spawn("caller", [&, fiber] {
        returned += CallOn(cores[fiber % kCores], [&]() -> uint64_t {
          Draw draw(fiber);
          uint64_t sum = 0;
          for (size_t at = 0; at < kCalls; ++at) sum += call(draw, draw.Below(4));
          return sum;
        });
      });
    }
    group.Join();
  });
  EXPECT_GE(returned, kFibers * kCalls);
  EXPECT_EQ(returned, std::accumulate(served.begin(), served.end(), uint64_t{0}));
  EXPECT_TRUE(std::all_of(served.begin(), served.end(), [](uint64_t count) { return count > 0; }));
}

// Each core calls the next one, and that the one after it, all around, from all of them at once.
TEST_F(CoresTest, ARingOfCallsDoesNotStandStill) {
  constexpr size_t kCores = 4;
  Cores cores(kCores);
  std::function<size_t(size_t, size_t)> around = [&](size_t at, size_t left) -> size_t {
    if (left == 0) return 0;
    return 1 + CallOn(cores[(at + 1) % kCores], [&] { return around((at + 1) % kCores, left - 1); });
  };
  Run(cores, [&] {
    TaskGroup group(cores[0]);
    for (size_t first = 0; first < kCores; ++first) {
      group.Spawn("first", [&, first] {
        for (int round = 0; round < 25; ++round)
          EXPECT_EQ(CallOn(cores[first], [&] { return around(first, 3 * kCores); }), 3 * kCores);
      });
    }
    group.Join();
  });
}

TEST_F(CoresTest, ASlowCoreHoldsUpOnlyWhoCallsIt) {
  Cores cores(3);
  std::atomic<bool> go_on = false;
  Run(cores, [&] {
    bool slow_returned = false;
    TaskGroup group(cores[0]);
    group.Spawn("calls the slow one", [&] {
      CallOn(cores[1], [&] { go_on.wait(false); });
      slow_returned = true;
    });
    Yield();
    for (int at = 0; at < 100; ++at) EXPECT_EQ(CallOn(cores[2], [&] { return at; }), at);
    EXPECT_FALSE(slow_returned);
    go_on = true;
    go_on.notify_all();
    group.Join();
    EXPECT_TRUE(slow_returned);
  });
}

TEST_F(CoresTest, CallsOfOneCoreToAnotherBeginInTheOrderInWhichTheyWereMade) {
  constexpr size_t kCores = 3;
  constexpr size_t kCalls = 600;
  Cores cores(kCores);
  // Of each pair of cores, from the first to the second, what came.
  std::vector<size_t> came[kCores][kCores];
  Run(cores, [&] {
    TaskGroup group(cores[0]);
    for (size_t from = 0; from < kCores; ++from) {
      group.Spawn("from", [&, from] {
        CallOn(cores[from], [&] {
          TaskGroup calls(cores[from]);
          for (size_t number = 0; number < kCalls; ++number) {
            calls.Spawn("call", [&, number] {
              const size_t to = (from + 1 + number % (kCores - 1)) % kCores;
              CallOn(cores[to], [&, to] { came[from][to].push_back(number); });
            });
          }
          calls.Join();
        });
      });
    }
    group.Join();
  });
  size_t count = 0;
  for (const auto& of_one : came) {
    for (const auto& numbers : of_one) {
      EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
      count += numbers.size();
    }
  }
  EXPECT_EQ(count, kCores * kCalls);
}

TEST_F(CoresTest, ManyCallsTakeOneWake) {
  constexpr size_t kCalls = 300;
  Cores cores(2);
  std::atomic<bool> go_on = false;
  std::atomic<bool> is_there = false;
  Run(cores, [&] {
    const auto mail = [&] { return CallOn(cores[1], [&] { return cores[1].mail(); }); };
    const RealCore::Mail before = mail();
    TaskGroup group(cores[0]);
    group.Spawn("first", [&] {
      CallOn(cores[1], [&] {
        is_there = true;
        is_there.notify_all();
        go_on.wait(false);
      });
    });
    Yield();
    is_there.wait(false);
    size_t came = 0;
    for (size_t at = 0; at < kCalls; ++at) group.Spawn("call", [&] { CallOn(cores[1], [&] { ++came; }); });
    Yield();  // All of them have called now, and the core has not looked.
    go_on = true;
    go_on.notify_all();
    group.Join();
    EXPECT_EQ(came, kCalls);
    const RealCore::Mail after = mail();
    EXPECT_EQ(after.came - before.came, kCalls + 2);  // And the first one, and the question itself.
    // It may have slept before the first one, and before the question.
    EXPECT_LE(after.wakes - before.wakes, 2u);
  });
}

// The body of the first core has returned long before what it has begun.
TEST_F(CoresTest, WorkThatOutlivesWhoBeganItEndsBeforeTheCoresDo) {
  constexpr size_t kCores = 4;
  for (int round = 0; round < 8; ++round) {
    Cores cores(kCores);
    std::atomic<size_t> ended = 0;
    std::function<void(size_t)> begin_next = [&](size_t left) {
      ++ended;
      if (left == 0) return;
      Core& here = CurrentCore();
      SpawnOn(here, *here.siblings()[(here.number() + 1) % kCores], "next", [&, left] {
        if (left % 3 == 0) SleepFor(100us);
        if (left % 5 == 0) CurrentCore().RunOffCore([] {});
        begin_next(left - 1);
      });
    };
    Run(cores, [&] {
      for (int at = 0; at < 3; ++at) begin_next(30);
    });
    EXPECT_EQ(ended, 3u * 31u);
    for (size_t at = 0; at < kCores; ++at) EXPECT_EQ(cores[at].fiber_count(), 0u);
  }
}

TEST_F(CoresTest, WhatSpawnedWorkHoldsEndsOnItsCore) {
  Cores cores(2);
  std::atomic<size_t> ended_on = 99;
  struct Held {
    ~Held() { *where = CurrentCore().number(); }
    std::atomic<size_t>* where;
  };
  Run(cores, [&] {
    SpawnOn(cores[0], cores[1], "holds", [held = std::make_shared<Held>(Held{&ended_on})] {});
    ended_on = 99;  // The first one, which was moved from.
  });
  EXPECT_EQ(ended_on, 1u);
}

TEST_F(CoresTest, StartAndStopAtOnce) {
  for (size_t count = 1; count <= 6; ++count) {
    for (int round = 0; round < 5; ++round) {
      Cores cores(count);
      bool ran = false;
      Run(cores, [&] { ran = true; });
      EXPECT_TRUE(ran);
    }
  }
}

TEST_F(CoresTest, WhereTheOtherCoreLacksMemoryTheCallerIsToldSo) {
  Cores cores(2);
  Run(cores, [&] {
    EXPECT_THROW(CallOn(cores[1], [] { ThrowOutOfMemory(); }), std::bad_alloc);
    EXPECT_THROW(CallOn(cores[1], []() -> Result<std::string> { ThrowOutOfMemory(); }), std::bad_alloc);
    EXPECT_EQ(CallOn(cores[1], [] { return 3; }), 3) << "both cores go on";
  });
}

using CoresDeathTest = CoresTest;

TEST_F(CoresDeathTest, AnyOtherExceptionOfACallEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Cores cores(2);
        Run(cores, [&] { CallOn(cores[1], [] { throw std::runtime_error("of the work"); }); });
      },
      "no exception leaves a call to another core.*of the work");
}

TEST_F(CoresDeathTest, WhatBelongsToOneCoreIsNotUsedOnAnother) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Cores cores(2);
        Run(cores, [&] { CallOn(cores[1], [&] { cores[0].AssertHere(); }); });
      },
      "what belongs to one core is used on another");
}

TEST_F(CoresDeathTest, NorOnAThreadThatMayBlock) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Cores cores(1);
        Run(cores, [&] { cores[0].RunOffCore([&] { cores[0].AssertHere(); }); });
      },
      "on no core's thread");
}

TEST_F(CoresTest, WhatBelongsToACoreMayBeMadeBeforeItRunsAndLookedAtAfterwards) {
  Cores cores(2);
  cores[0].AssertHere();
  cores[1].AssertHere();
  Run(cores, [&] {
    cores[0].AssertHere();
    CallOn(cores[1], [&] { cores[1].AssertHere(); });
  });
  cores[0].AssertHere();
  cores[1].AssertHere();
}

TEST_F(CoresTest, WhatIsDoneOffACoreComesBackToIt) {
  Cores cores(3);
  Run(cores, [&] {
    TaskGroup group(cores[0]);
    for (size_t at = 0; at < cores.size(); ++at) {
      group.Spawn("asks", [&, at] {
        CallOn(cores[at], [&, at] {
          for (int round = 0; round < 100; ++round) {
            const auto here = std::this_thread::get_id();
            int done = 0;
            CurrentCore().RunOffCore([&] {
              EXPECT_NE(std::this_thread::get_id(), here);
              done = round;
            });
            EXPECT_EQ(done, round);
            EXPECT_EQ(std::this_thread::get_id(), here);
            EXPECT_EQ(&CurrentCore(), &cores[at]);
          }
          SleepFor(1ms);
          EXPECT_EQ(&CurrentCore(), &cores[at]);
        });
      });
    }
    group.Join();
  });
}

// The handler of a signal may run on any thread; who is told is one core.
TEST_F(CoresTest, SignalsComeToTheCoreThatAskedForThem) {
  Cores cores(3);
  Run(cores, [&] {
    Event told;
    cores[0].OnSignal([&](int signal) {
      EXPECT_EQ(signal, SIGTERM);
      cores[0].AssertHere();
      told.Set();
    });
    CallOn(cores[1], [] { ::kill(::getpid(), SIGTERM); });
    EXPECT_TRUE(told.WaitUntil(cores[0].Now() + 10s));
  });
}

TEST_F(CoresTest, EachHasItsPartOfTheDescriptors) {
  const auto alone = RealCore::Create();
  Cores cores(4);
  if (alone->descriptors().limit() == Descriptors::kUnlimited) GTEST_SKIP() << "there is no limit here";
  EXPECT_EQ(cores[3].descriptors().limit(), alone->descriptors().limit() / 4);
}

}  // namespace
}  // namespace tradewind::runtime
