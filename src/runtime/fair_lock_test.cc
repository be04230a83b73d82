#include "runtime/fair_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "runtime/test_core.h"

namespace tradewind::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class FairLockTest : public testing::Test {
 protected:
  TestCore core_;
  FairLock lock_{core_};
  std::vector<std::string> order_;
  int a_ = 0, b_ = 0, c_ = 0;

  void Want(TaskGroup& group, const std::string& name, const void* holder, Duration patience) {
    group.Spawn(name, [this, name, holder, deadline = core_.Now() + patience] {
      if (!lock_.Acquire(holder, deadline)) {
        order_.push_back(name + " gave up");
        return;
      }
      order_.push_back(name);
      SleepFor(10ms);
      lock_.Release(holder);
    });
  }
};

TEST_F(FairLockTest, IsGivenInTheOrderOfAsking) {
  core_.Run([&] {
    TaskGroup group(core_);
    Want(group, "a", &a_, 1s);
    Want(group, "b", &b_, 1s);
    Want(group, "c", &c_, 1s);
    group.Join();
  });
  EXPECT_THAT(order_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(lock_.holder(), nullptr);
}

TEST_F(FairLockTest, ANewcomerDoesNotSlipInBetweenReleaseAndGrant) {
  core_.Run([&] {
    ASSERT_TRUE(lock_.Acquire(&a_, core_.Now()));
    TaskGroup group(core_);
    Want(group, "b", &b_, 1s);
    Yield();
    lock_.Release(&a_);
    EXPECT_EQ(lock_.holder(), &b_);  // Before b has run.
    EXPECT_FALSE(lock_.Acquire(&a_, core_.Now()));
    group.Join();
  });
}

TEST_F(FairLockTest, AHolderThatAsksAgainHasIt) {
  core_.Run([&] {
    ASSERT_TRUE(lock_.Acquire(&a_, core_.Now()));
    EXPECT_TRUE(lock_.Acquire(&a_, core_.Now()));
    lock_.Release(&a_);
    EXPECT_EQ(lock_.holder(), nullptr);
  });
}

TEST_F(FairLockTest, OneWhoseTimeIsUpLeavesTheQueue) {
  core_.Run([&] {
    TaskGroup group(core_);
    Want(group, "a", &a_, 1s);
    Want(group, "b", &b_, 5ms);
    Want(group, "c", &c_, 1s);
    group.Join();
  });
  EXPECT_THAT(order_, ElementsAre("a", "b gave up", "c"));
}

TEST_F(FairLockTest, OnlyTheHolderReleasesIt) {
  core_.Run([&] {
    ASSERT_TRUE(lock_.Acquire(&a_, core_.Now()));
    lock_.Release(&b_);
    EXPECT_EQ(lock_.holder(), &a_);
    lock_.Release(&a_);
  });
}

TEST_F(FairLockTest, OneThatIsTakenOutOfTheQueueDoesNotHoldUpThoseBehindIt) {
  core_.Run([&] {
    ASSERT_TRUE(lock_.Acquire(&a_));
    TaskGroup group(core_);
    Want(group, "b", &b_, 1s);
    Want(group, "c", &c_, 1s);
    Yield();
    lock_.GiveUp(&b_);
    lock_.Release(&a_);
    group.Join();
  });
  EXPECT_THAT(order_, ElementsAre("b gave up", "c"));
}

TEST_F(FairLockTest, IsHeldForAsLongAsAHoldLives) {
  core_.Run([&] {
    TaskGroup group(core_);
    for (const char* name : {"a", "b", "c"})
      group.Spawn(name, [this, name] {
        const FairLock::Hold hold(lock_);
        order_.push_back(std::string(name) + " begins");
        SleepFor(10ms);
        order_.push_back(std::string(name) + " ends");
      });
    group.Join();
  });
  EXPECT_THAT(order_, ElementsAre("a begins", "a ends", "b begins", "b ends", "c begins", "c ends"));
  EXPECT_EQ(lock_.holder(), nullptr);
}

}  // namespace
}  // namespace tradewind::runtime
