#include "pace/token_bucket.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/test_core.h"

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

bool Never() {
  return false;
}

class TokenBucketTest : public testing::Test {
 protected:
  double SecondsOf(const std::function<void()>& work) {
    const runtime::TimePoint began = core_.Now();
    work();
    return std::chrono::duration<double>(core_.Now() - began).count();
  }
  runtime::TestCore core_;
};

TEST_F(TokenBucketTest, LetsThroughAsMuchAsItsRate) {
  core_.Run([&] {
    TokenBucket bucket(core_, 10e6, 100'000);
    const double seconds = SecondsOf([&] {
      for (int i = 0; i < 500; ++i) bucket.TakePaced(100'000, Never);
    });
    EXPECT_NEAR(seconds, 5, 0.05);
    EXPECT_EQ(bucket.taken(), 50'000'000u);
  });
}

TEST_F(TokenBucketTest, HasNoLimitAtZero) {
  core_.Run([&] {
    TokenBucket bucket(core_, 0, 100'000);
    EXPECT_LT(SecondsOf([&] {
                for (int i = 0; i < 500; ++i) bucket.TakePaced(100'000, Never);
              }),
              0.1);
  });
}

TEST_F(TokenBucketTest, MakesPushesPayForPullsWhichNeverWait) {
  core_.Run([&] {
    TokenBucket bucket(core_, 1e6, 100'000);
    EXPECT_LT(SecondsOf([&] { bucket.TakeUrgent(600'000); }), 0.01);
    EXPECT_NEAR(SecondsOf([&] { bucket.TakePaced(1, Never); }), 0.5, 0.05);
    bucket.TakeUrgent(300'000'000);
    EXPECT_NEAR(SecondsOf([&] { bucket.TakePaced(1, Never); }), 1, 0.05) << "a debt is bounded";
  });
}

TEST_F(TokenBucketTest, ServesThoseThatWaitInTurnSoThatAllGetTheSame) {
  core_.Run([&] {
    TokenBucket bucket(core_, 1e6, 10'000);
    std::string order;
    runtime::TaskGroup fibers(core_);
    for (const char name : {'a', 'b', 'c'})
      fibers.Spawn(std::string(1, name), [&, name] {
        for (int i = 0; i < 3; ++i) {
          bucket.TakePaced(50'000, Never);
          order += name;
        }
      });
    fibers.Join();
    EXPECT_EQ(order.substr(1, 6), "abcabc") << order << ": once all of them wait";
  });
}

TEST_F(TokenBucketTest, TakesANewRateWhileAPushWaits) {
  core_.Run([&] {
    TokenBucket bucket(core_, 1, 1'000'000);
    bucket.TakeUrgent(2'000'000);
    runtime::TaskGroup fibers(core_);
    const double seconds = SecondsOf([&] {
      fibers.Spawn("push", [&] { bucket.TakePaced(1, Never); });
      runtime::SleepFor(1s);
      bucket.SetRate(1e6);
      fibers.Join();
    });
    EXPECT_NEAR(seconds, 2, 0.05);
  });
}

TEST_F(TokenBucketTest, HasNoBurstOnceThereIsALimitAgain) {
  core_.Run([&] {
    TokenBucket bucket(core_, 0, 256'000);
    for (int i = 0; i < 1000; ++i) bucket.TakePaced(100'000, Never);
    runtime::SleepFor(1s);
    bucket.SetRate(1e6);
    EXPECT_GT(SecondsOf([&] {
                for (int i = 0; i < 3; ++i) bucket.TakePaced(50'000, Never);
              }),
              0.099)
        << "all but the last are paid";
  });
}

TEST_F(TokenBucketTest, SavesUpNoMoreThanSomeMillisecondsOfItsRate) {
  core_.Run([&] {
    TokenBucket bucket(core_, 1e6, 256'000);
    bucket.TakePaced(256'000, Never);
    runtime::SleepFor(10s);
    EXPECT_GT(SecondsOf([&] {
                for (int i = 0; i < 11; ++i) bucket.TakePaced(10'000, Never);
              }),
              0.085);
    bucket.SetRate(100e6);
    runtime::SleepFor(10s);
    bucket.SetRate(1e6);
    EXPECT_GT(SecondsOf([&] {
                for (int i = 0; i < 11; ++i) bucket.TakePaced(10'000, Never);
              }),
              0.085)
        << "what a higher rate had saved is no more at a lower";
  });
}

TEST_F(TokenBucketTest, ForgivesTheDebtOfAHighRateAtALowOne) {
  core_.Run([&] {
    TokenBucket bucket(core_, 500e6, 100'000);
    bucket.TakeUrgent(400'000'000);
    bucket.SetRate(1e6);
    EXPECT_LT(SecondsOf([&] { bucket.TakePaced(1, Never); }), 1.1);
  });
}

TEST_F(TokenBucketTest, LetsOneThatGivesUpGoWithoutTokens) {
  core_.Run([&] {
    TokenBucket bucket(core_, 1, 1'000'000);
    bucket.TakeUrgent(2'000'000);
    const uint64_t before = bucket.taken();
    bool given_up = false;
    runtime::TaskGroup fibers(core_);
    for (const char* name : {"at the head", "behind it"})
      fibers.Spawn(name, [&] { bucket.TakePaced(1, [&] { return given_up; }); });
    runtime::SleepFor(1s);
    given_up = true;
    bucket.Wake();
    fibers.Join();
    EXPECT_EQ(bucket.taken(), before);
  });
}

TEST_F(TokenBucketTest, LetsOneThatGivesUpGoWhileAnotherStillWaitsBeforeIt) {
  core_.Run([&] {
    TokenBucket bucket(core_, 1, 1'000'000);
    bucket.TakeUrgent(2'000'000);
    bool given_up = false, gone = false;
    runtime::TaskGroup fibers(core_);
    fibers.Spawn("at the head", [&] { bucket.TakePaced(1, Never); });
    fibers.Spawn("behind it", [&] {
      bucket.TakePaced(1, [&] { return given_up; });
      gone = true;
    });
    runtime::SleepFor(1s);
    given_up = true;
    bucket.Wake();
    for (int turn = 0; turn < 10; ++turn) runtime::Yield();
    EXPECT_TRUE(gone);
    bucket.SetRate(1e9);
    fibers.Join();
  });
}

}  // namespace
}  // namespace tradewind::pace
