#include "runtime/fiber.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/real_core.h"

namespace tradewind::runtime {
namespace {

using namespace std::chrono_literals;

class FiberTest : public testing::Test {
 protected:
  void Run(std::function<void()> body) { core_->RunUntilReturned("test", std::move(body)); }

  std::unique_ptr<RealCore> core_ = RealCore::Create();
};

TEST_F(FiberTest, RunsInTheOrderOfSpawning) {
  std::string order;
  Run([&] {
    TaskGroup group(*core_);
    for (const char name : {'a', 'b', 'c'}) group.Spawn(std::string(1, name), [&, name] { order += name; });
    EXPECT_EQ(order, "");
    group.Join();
  });
  EXPECT_EQ(order, "abc");
}

TEST_F(FiberTest, WakesInTheOrderOfWaiting) {
  std::string order;
  Run([&] {
    WaitQueue queue;
    TaskGroup group(*core_);
    for (const char name : {'a', 'b', 'c'}) {
      group.Spawn(std::string(1, name), [&, name] {
        queue.Wait();
        order += name;
      });
    }
    Yield();
    EXPECT_EQ(queue.size(), 3u);
    queue.NotifyOne();
    Yield();
    EXPECT_EQ(order, "a");
    queue.NotifyAll();
    EXPECT_EQ(order, "a") << "a notified fiber runs at a later turn, not inside the call";
    group.Join();
  });
  EXPECT_EQ(order, "abc");
}

TEST_F(FiberTest, SharesOneQueueWithTasks) {
  std::string order;
  Run([&] {
    TaskGroup group(*core_);
    group.Spawn("a", [&] { order += 'a'; });
    core_->Post([&] { order += 'b'; });
    group.Spawn("c", [&] { order += 'c'; });
    core_->Post([&] { order += 'd'; });
    group.Join();
    Yield();
  });
  EXPECT_EQ(order, "abcd");
}

TEST_F(FiberTest, StopsWaitingAtTheDeadline) {
  Run([&] {
    WaitQueue queue;
    const TimePoint deadline = core_->Now() + 5ms;
    EXPECT_FALSE(queue.WaitUntil(deadline));
    EXPECT_GE(core_->Now(), deadline);
    EXPECT_TRUE(queue.empty());
  });
}

TEST_F(FiberTest, IsNotifiedBeforeTheDeadline) {
  Run([&] {
    WaitQueue queue;
    core_->Post([&] { queue.NotifyOne(); });
    EXPECT_TRUE(queue.WaitUntil(core_->Now() + 1h));
  });
}

// The deadline passes between the notification and the turn in which the fiber runs.
TEST_F(FiberTest, CountsAsNotifiedWhenTheDeadlinePassesAfterTheNotification) {
  Run([&] {
    WaitQueue queue;
    // Far enough away for the fiber to wait before it, though others have the processor meanwhile.
    TimePoint deadline = core_->Now() + 200ms;
    core_->Post([&] {
      while (core_->Now() < deadline) {
      }
      queue.NotifyOne();
    });
    EXPECT_TRUE(queue.WaitUntil(deadline));
  });
}

TEST_F(FiberTest, SleepsInTheOrderOfTimes) {
  std::string order;
  Run([&] {
    TaskGroup group(*core_);
    const TimePoint start = core_->Now();
    group.Spawn("c", [&] { SleepUntil(start + 3ms), order += 'c'; });
    group.Spawn("a", [&] { SleepUntil(start + 1ms), order += 'a'; });
    group.Spawn("b", [&] { SleepUntil(start + 2ms), order += 'b'; });
    group.Join();
  });
  EXPECT_EQ(order, "abc");
}

TEST_F(FiberTest, DoesNotRunACancelledTimer) {
  bool fired = false;
  Run([&] {
    const TimePoint at = core_->Now() + 1ms;
    const Core::TimerId id = core_->StartTimer(at, [&] { fired = true; });
    core_->StartTimer(at - 1us, [&] { core_->CancelTimer(id); });
    SleepUntil(at + 1ms);
  });
  EXPECT_FALSE(fired);
}

TEST_F(FiberTest, RunsTenThousandAtOnce) {
  constexpr int kFibers = 10'000;
  int finished = 0;
  Run([&] {
    Event start;
    TaskGroup group(*core_);
    for (int i = 0; i < kFibers; ++i) {
      group.Spawn("one of many", [&] {
        start.Wait();
        Yield();
        ++finished;
      });
    }
    Yield();
    EXPECT_EQ(core_->fiber_count(), static_cast<size_t>(kFibers) + 1);
    start.Set();
    group.Join();
  });
  EXPECT_EQ(finished, kFibers);
}

[[gnu::noinline]] int UseStack(int kilobytes) {
  volatile char block[1024];
  std::memset(const_cast<char*>(block), kilobytes, sizeof block);
  if (kilobytes == 1) {
    Yield();
    return block[17];
  }
  const int below = UseStack(kilobytes - 1);
  return below + (block[1000] == static_cast<char>(kilobytes) ? 1 : 0);
}

TEST_F(FiberTest, HasFourMegabytesOfStackAndMore) {
  Run([&] {
    TaskGroup group(*core_);
    for (int i = 0; i < 3; ++i) group.Spawn("deep", [] { EXPECT_EQ(UseStack(4'096), 4'096); });
    group.Join();
    // On stacks whose depths were given back to the system.
    for (int i = 0; i < 3; ++i) group.Spawn("deep again", [] { EXPECT_EQ(UseStack(4'096), 4'096); });
    group.Join();
  });
}

void SuspendWhileUnwinding(int& finished) {
  struct Yields {
    ~Yields() { Yield(); }
  };
  try {
    Yields yields;
    throw std::runtime_error("one");
  } catch (const std::runtime_error& first) {
    Yield();
    try {
      throw std::logic_error("two");
    } catch (const std::logic_error& second) {
      Yield();
      EXPECT_STREQ(second.what(), "two");
    }
    EXPECT_STREQ(first.what(), "one");
    EXPECT_EQ(std::uncaught_exceptions(), 0);
    try {
      throw;
    } catch (const std::runtime_error& again) {
      EXPECT_STREQ(again.what(), "one");
    }
  }
  EXPECT_EQ(std::current_exception(), nullptr);
  ++finished;
}

// Exception state belongs to the thread, and is swapped with the fibers: their order must not matter.
TEST_F(FiberTest, KeepsItsExceptionsToItself) {
  int finished = 0;
  Run([&] {
    TaskGroup group(*core_);
    for (int i = 0; i < 5; ++i) {
      group.Spawn("throws", [&, i] {
        for (int skip = 0; skip < i; ++skip) Yield();
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        EXPECT_EQ(std::current_exception(), nullptr);
        SuspendWhileUnwinding(finished);
      });
    }
    group.Join();
  });
  EXPECT_EQ(finished, 5);
}

TEST_F(FiberTest, NamesTheFiberThatAnExceptionLeft) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(Run([] { throw std::runtime_error("no luck"); }), "left the fiber 'test': no luck");
}

TEST_F(FiberTest, TakesTasksFromOtherThreadsInTheirOrder) {
  std::vector<int> order;
  Run([&] {
    Event done;
    std::thread thread([&] {
      for (int i = 0; i < 100; ++i) core_->Post([&, i] { order.push_back(i); });
      core_->Post([&] { done.Set(); });
    });
    done.Wait();
    thread.join();
  });
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST_F(FiberTest, LetsOthersRunWhileItWorksOffCore) {
  Run([&] {
    bool ran_meanwhile = false;
    core_->Post([&] { ran_meanwhile = true; });
    std::thread::id thread;
    core_->RunOffCore([&] { thread = std::this_thread::get_id(); });
    EXPECT_NE(thread, std::this_thread::get_id());
    EXPECT_TRUE(ran_meanwhile);
  });
}

TEST_F(FiberTest, GetsTheExceptionOfWorkOffCore) {
  Run([&] {
    EXPECT_THROW(core_->RunOffCore([] { throw std::runtime_error("off core"); }), std::runtime_error);
  });
}

TEST_F(FiberTest, HearsOfSignals) {
  Run([&] {
    int heard = 0;
    WaitQueue queue;
    core_->OnSignal([&](int signal) {
      heard += signal == SIGTERM ? 1 : 0;
      queue.NotifyAll();
    });
    ::raise(SIGTERM);
    WaitFor(queue, [&] { return heard == 1; });
    ::raise(SIGTERM);
    WaitFor(queue, [&] { return heard == 2; });
  });
}

}  // namespace
}  // namespace tradewind::runtime
