#include "tenant/write_turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "runtime/test_core.h"

namespace tradewind::tenant {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class WriteTurnTest : public testing::Test {
 protected:
  runtime::TestCore core_;
  WriteTurn turn_{core_};
  std::vector<std::string> order_;
  int a_ = 0, b_ = 0, c_ = 0;

  void Want(runtime::TaskGroup& group, const std::string& name, const void* holder,
            runtime::Duration patience) {
    group.Spawn(name, [this, name, holder, deadline = core_.Now() + patience] {
      if (!turn_.Acquire(holder, deadline)) {
        order_.push_back(name + " gave up");
        return;
      }
      order_.push_back(name);
      runtime::SleepFor(10ms);
      turn_.Release(holder);
    });
  }
};

TEST_F(WriteTurnTest, IsGivenInTheOrderOfAsking) {
  core_.Run([&] {
    runtime::TaskGroup group(core_);
    Want(group, "a", &a_, 1s);
    Want(group, "b", &b_, 1s);
    Want(group, "c", &c_, 1s);
    group.Join();
  });
  EXPECT_THAT(order_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(turn_.holder(), nullptr);
}

TEST_F(WriteTurnTest, ANewcomerDoesNotSlipInBetweenReleaseAndGrant) {
  core_.Run([&] {
    ASSERT_TRUE(turn_.Acquire(&a_, core_.Now()));
    runtime::TaskGroup group(core_);
    Want(group, "b", &b_, 1s);
    runtime::Yield();
    turn_.Release(&a_);
    EXPECT_EQ(turn_.holder(), &b_);  // Before b has run.
    EXPECT_FALSE(turn_.Acquire(&a_, core_.Now()));
    group.Join();
  });
}

TEST_F(WriteTurnTest, AHolderThatAsksAgainHasIt) {
  core_.Run([&] {
    ASSERT_TRUE(turn_.Acquire(&a_, core_.Now()));
    EXPECT_TRUE(turn_.Acquire(&a_, core_.Now()));
    turn_.Release(&a_);
    EXPECT_EQ(turn_.holder(), nullptr);
  });
}

TEST_F(WriteTurnTest, OneWhoseTimeIsUpLeavesTheQueue) {
  core_.Run([&] {
    runtime::TaskGroup group(core_);
    Want(group, "a", &a_, 1s);
    Want(group, "b", &b_, 5ms);
    Want(group, "c", &c_, 1s);
    group.Join();
  });
  EXPECT_THAT(order_, ElementsAre("a", "b gave up", "c"));
}

TEST_F(WriteTurnTest, OnlyTheHolderReleasesIt) {
  core_.Run([&] {
    ASSERT_TRUE(turn_.Acquire(&a_, core_.Now()));
    turn_.Release(&b_);
    EXPECT_EQ(turn_.holder(), &a_);
    turn_.Release(&a_);
  });
}

}  // namespace
}  // namespace tradewind::tenant
