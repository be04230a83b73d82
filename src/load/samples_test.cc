#include "load/samples.h"

#include <gtest/gtest.h>

namespace tradewind::load {
namespace {

using namespace std::chrono_literals;

runtime::TimePoint At(runtime::Duration since_start) {
  return runtime::TimePoint(since_start);
}

TEST(Samples, PercentilesAreOfTheNearestRankWithinTheWindow) {
  Samples samples;
  for (int i = 1; i <= 100; ++i) samples.Record(At(i * 1ms), i * 10us);
  samples.Record(At(200ms), 5s);

  const LatencySummary summary = samples.Summarize({{At(0ms), At(101ms)}});
  EXPECT_EQ(summary.count, 100u);
  EXPECT_EQ(summary.p50, 500us);
  EXPECT_EQ(summary.p99, 990us);
  EXPECT_EQ(summary.max, 1ms);
}

TEST(Samples, WindowsAreTakenTogetherAndEndBeforeTheirEnd) {
  Samples samples;
  for (int i = 1; i <= 9; ++i) samples.Record(At(i * 1ms), i * 1ms);
  const LatencySummary summary = samples.Summarize({{At(1ms), At(3ms)}, {At(8ms), At(9ms)}});
  EXPECT_EQ(summary.count, 3u);
  EXPECT_EQ(summary.max, 8ms);
}

TEST(Samples, AWindowWithoutAnswersHasNoPercentiles) {
  Samples samples;
  samples.Record(At(5ms), 1ms);
  EXPECT_EQ(samples.Summarize({{At(6ms), At(9ms)}}).count, 0u);
  EXPECT_EQ(samples.Summarize({{At(6ms), At(9ms)}}).p99, 0ms);
}

TEST(Samples, ARequestBelongsToTheWindowInWhichItWasToBeSent) {
  Samples samples;
  samples.Record(At(30ms), 1ms);
  samples.Record(At(30ms), 25ms);  // Waited for the end of a stall.
  samples.Record(At(30ms), 20ms);
  const LatencySummary summary = samples.SummarizeSentIn({At(5ms), At(10ms)});
  EXPECT_EQ(summary.count, 1u);
  EXPECT_EQ(summary.max, 25ms);
}

TEST(Samples, TheLongestGapCountsTheEdgesOfTheWindow) {
  Samples samples;
  for (auto at : {10ms, 12ms, 19ms}) samples.Record(At(at), 1ms);
  EXPECT_EQ(samples.LongestGap({At(9ms), At(20ms)}), 7ms);
  EXPECT_EQ(samples.LongestGap({At(0ms), At(20ms)}), 10ms);
  EXPECT_EQ(samples.LongestGap({At(9ms), At(60ms)}), 41ms);
  EXPECT_EQ(samples.LongestGap({At(30ms), At(40ms)}), 10ms);
}

}  // namespace
}  // namespace tradewind::load
