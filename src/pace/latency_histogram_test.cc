#include "pace/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

TEST(LatencyHistogram, KnowsQuantilesWithinTwoPercentFromMicrosecondsToMinutes) {
  std::mt19937 random(7);
  std::lognormal_distribution<double> latency(std::log(2e6), 2.5);  // Around 2 ms, in nanoseconds.
  LatencyHistogram histogram;
  std::vector<double> exact;
  for (int i = 0; i < 20'000; ++i) {
    exact.push_back(std::max(50'000.0, latency(random)));
    histogram.Record(std::chrono::nanoseconds(static_cast<int64_t>(exact.back())));
  }
  std::sort(exact.begin(), exact.end());
  double sum = 0;
  for (const double one : exact) sum += one;
  for (const double share : {0.01, 0.5, 0.95, 0.99, 0.999}) {
    const double wanted = exact[static_cast<size_t>(share * 20'000) - 1];
    EXPECT_NEAR(static_cast<double>(histogram.Quantile(share).count()), wanted, wanted * 0.02) << share;
  }
  EXPECT_NEAR(static_cast<double>(histogram.Mean().count()), sum / 20'000, sum / 20'000 * 0.001);
}

TEST(LatencyHistogram, AddsUpToWhatOneOfAllWouldBe) {
  LatencyHistogram one, other, all;
  for (int i = 1; i <= 1000; ++i) {
    (i % 3 == 0 ? one : other).Record(i * 37us);
    all.Record(i * 37us);
  }
  one.Merge(other);
  EXPECT_EQ(one.count(), all.count());
  for (const double share : {0.1, 0.5, 0.95, 1.0}) EXPECT_EQ(one.Quantile(share), all.Quantile(share));
  EXPECT_EQ(one.Mean(), all.Mean());
}

TEST(LatencyHistogram, IsEmptyAtFirstAndAfterClear) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.95), 0ns);
  histogram.Record(5ms);
  histogram.Clear();
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.Quantile(0.95), 0ns);
  EXPECT_EQ(histogram.Mean(), 0ns);
}

TEST(LatencyHistogram, TakesWhatIsOutOfRangeForTheEndOfTheRange) {
  LatencyHistogram histogram;
  histogram.Record(-5ms);
  EXPECT_LE(histogram.Quantile(1), 1us);
  histogram.Record(std::chrono::hours(30));
  EXPECT_GE(histogram.Quantile(1), std::chrono::minutes(59));
}

}  // namespace
}  // namespace tradewind::pace
