#include "pace/portioned_bucket.h"

#include <gtest/gtest.h>

#include <memory>

#include "runtime/call_on.h"
#include "runtime/cores.h"

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

class PortionedBucketTest : public testing::Test {
 protected:
  // `body` runs on core 1, beside a bucket of this rate on core 0.
  void Run(double bytes_per_second, const std::function<void(PortionedBucket&, TokenBucket&)>& body) {
    EXPECT_TRUE(cores_.RunUntilReturned("test", [&] {
      TokenBucket bucket(cores_[0], bytes_per_second, 64u << 10);
      runtime::CallOn(cores_[1], [&] {
        PortionedBucket portions(cores_[1], cores_[0], bucket);
        body(portions, bucket);
        portions.Stop();
      });
      taken_ = bucket.taken();
    }));
  }
  static bool Take(PortionedBucket& portions, uint64_t bytes) {
    return portions.TakePaced(bytes, [] { return false; });
  }

  runtime::Cores cores_{2};
  uint64_t taken_ = 0;
};

TEST_F(PortionedBucketTest, InTheEndTheBucketHasGivenWhatWasSent) {
  Run(0, [](PortionedBucket& portions, TokenBucket&) {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(Take(portions, 10'000));
    portions.TakeUrgent(5'000);
  });
  EXPECT_EQ(taken_, 1'005'000u);
}

TEST_F(PortionedBucketTest, WhatMayNotWaitIsADebtThatIsDrawn) {
  Run(1e9, [](PortionedBucket& portions, TokenBucket&) { portions.TakeUrgent(10'000'000); });
  EXPECT_EQ(taken_, 10'000'000u);
}

TEST_F(PortionedBucketTest, NoMoreIsLetThroughThanTheRateOfAllCores) {
  runtime::Duration took{};
  Run(10e6, [&](PortionedBucket& portions, TokenBucket&) {
    const runtime::TimePoint began = cores_[1].Now();
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Take(portions, 50'000));
    took = cores_[1].Now() - began;
    EXPECT_EQ(portions.rate(), 10e6);
  });
  // A megabyte; what the bucket began with, and the last push, did not wait.
  EXPECT_GE(took, 75ms);
}

TEST_F(PortionedBucketTest, WhoGivesUpTakesNothing) {
  Run(1, [&](PortionedBucket& portions, TokenBucket&) {
    EXPECT_TRUE(Take(portions, 100'000));  // There is a debt of a day from now on.
    bool given_up = false;
    runtime::TaskGroup group(cores_[1]);
    bool taken = true;
    group.Spawn("waits", [&] { taken = portions.TakePaced(1, [&] { return given_up; }); });
    runtime::Yield();
    given_up = true;
    portions.Wake();
    group.Join();
    EXPECT_FALSE(taken);
  });
  EXPECT_EQ(taken_, 100'000u);
}

}  // namespace
}  // namespace tradewind::pace
