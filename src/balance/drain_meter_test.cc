#include "balance/drain_meter.h"

#include <gtest/gtest.h>

namespace tradewind::balance {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr runtime::TimePoint kStart{hours(1)};

TEST(DrainMeter, KnowsOfNoneBeforeTheFirstBegins) {
  DrainMeter meter;
  EXPECT_EQ(meter.started_at(), 0);
  meter.Begin(kStart, 1234);
  EXPECT_EQ(meter.started_at(), 1234);
  EXPECT_EQ(meter.RecentRate(kStart), 0);
  EXPECT_EQ(meter.OverallRate(), 0);
}

TEST(DrainMeter, MeasuresFromTheBeginningWhileThatIsShort) {
  DrainMeter meter;
  meter.Begin(kStart, 1);
  for (int second = 1; second <= 4; ++second) meter.NoteMoved(kStart + seconds(second), 100);
  EXPECT_EQ(meter.moved(), 4u);
  EXPECT_EQ(meter.bytes_moved(), 400u);
  EXPECT_DOUBLE_EQ(meter.RecentRate(kStart + seconds(4)), 1);
  EXPECT_DOUBLE_EQ(meter.RecentRate(kStart + seconds(8)), 0.5);
}

TEST(DrainMeter, ForgetsWhatWasMovedMoreThanTenSecondsAgo) {
  DrainMeter meter;
  meter.Begin(kStart, 1);
  for (int i = 0; i < 50; ++i) meter.NoteMoved(kStart + seconds(1), 1);
  meter.NoteMoved(kStart + seconds(5), 1);
  EXPECT_DOUBLE_EQ(meter.RecentRate(kStart + seconds(11)), 5.1);
  EXPECT_DOUBLE_EQ(meter.RecentRate(kStart + seconds(12)), 0.1);
  EXPECT_DOUBLE_EQ(meter.RecentRate(kStart + seconds(60)), 0);
  EXPECT_EQ(meter.moved(), 51u);
}

TEST(DrainMeter, MeasuresAllOfItUpToTheLastOne) {
  DrainMeter meter;
  meter.Begin(kStart, 1);
  meter.NoteMoved(kStart + seconds(1), 1);
  for (int i = 0; i < 79; ++i) meter.NoteMoved(kStart + seconds(40), 1);
  EXPECT_DOUBLE_EQ(meter.OverallRate(), 2);
}

TEST(DrainMeter, CountsAnewWhenAnotherBegins) {
  DrainMeter meter;
  meter.Begin(kStart, 1);
  meter.NoteMoved(kStart + seconds(1), 10);
  meter.Begin(kStart + seconds(2), 2);
  EXPECT_EQ(meter.moved(), 0u);
  EXPECT_EQ(meter.bytes_moved(), 0u);
  EXPECT_EQ(meter.RecentRate(kStart + seconds(3)), 0);
  EXPECT_EQ(meter.OverallRate(), 0);
}

}  // namespace
}  // namespace tradewind::balance
