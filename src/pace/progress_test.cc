#include "pace/progress.h"

#include <gtest/gtest.h>

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

TEST(Progress, ExpectsWhatTheLastSecondsShowedAndBoundsItByTheirExtremes) {
  Progress progress;
  EXPECT_FALSE(progress.Estimate(1000));
  uint64_t bytes = 0;
  runtime::TimePoint now{};
  for (int step = 0; step < 24; ++step) {
    progress.Note(now, bytes);
    now += 500ms;
    bytes += step % 2 == 0 ? 10'000'000 : 30'000'000;  // 20 and 60 MB/s in turn.
  }
  progress.Note(now, bytes);
  EXPECT_NEAR(progress.rate().value(), 40e6, 1e6);
  const Eta eta = progress.Estimate(400'000'000).value();
  EXPECT_NEAR(eta.seconds, 10, 0.3);
  EXPECT_NEAR(eta.low_s, 400.0 / 60, 0.3);
  EXPECT_NEAR(eta.high_s, 20, 0.5);
}

TEST(Progress, ForgetsHowFastItWentBefore) {
  Progress progress;
  runtime::TimePoint now{};
  uint64_t bytes = 0;
  for (int step = 0; step < 100; ++step) {
    progress.Note(now, bytes);
    now += 500ms;
    bytes += step < 50 ? 50'000'000 : 5'000'000;
  }
  EXPECT_NEAR(progress.rate().value(), 10e6, 1e5);
}

TEST(Progress, HasNoEstimateWhenNothingMoves) {
  Progress progress;
  for (int step = 0; step < 10; ++step) progress.Note(runtime::TimePoint(step * 500ms), 77);
  EXPECT_FALSE(progress.Estimate(1000));
}

}  // namespace
}  // namespace tradewind::pace
