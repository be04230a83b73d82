#include "pace/sensor.h"

#include <gtest/gtest.h>

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

runtime::TimePoint At(runtime::Duration since_start) {
  return runtime::TimePoint(since_start);
}

TEST(LatencyWindow, IsThreeSecondsLongUnderALoadAndLongerUnderLess) {
  LatencyWindow busy;
  for (int i = 0; i < 6000; ++i) busy.Record(At(i * 1ms), i < 2500 ? 10ms : 1ms);
  EXPECT_NEAR(busy.Read(At(6s), {}).p95_ms, 1, 0.05) << "what is older than about three seconds is forgotten";
  LatencyWindow calm;
  for (int i = 0; i < 60; ++i) calm.Record(At(i * 100ms), i < 24 ? 10ms : 1ms);
  EXPECT_NEAR(calm.Read(At(6s), {}).p95_ms, 10, 0.2) << "with few samples it reaches further back";
}

TEST(LatencyWindow, DoesNotShowAShortStallAndShowsWhatSlowsAllSoon) {
  const auto read = [](int slow) {
    LatencyWindow window;
    for (int i = 0; i < 6000; ++i) window.Record(At(i * 1ms), i >= 6000 - slow ? 30ms : 1ms);
    return window.Read(At(6s), {}).p95_ms;
  };
  EXPECT_NEAR(read(50), 1, 0.05);
  EXPECT_NEAR(read(250), 30, 0.5);
}

TEST(LatencyWindow, HasNoSamplesOnceTheLoadHasGone) {
  LatencyWindow window;
  for (int i = 0; i < 1000; ++i) window.Record(At(i * 1ms), 3ms);
  EXPECT_GT(window.Read(At(2s), {}).samples, 0u);
  EXPECT_EQ(window.Read(At(8s), {}).samples, 0u);
  EXPECT_EQ(window.ReadKept(At(8s)).samples, 1000u);
  EXPECT_EQ(window.ReadKept(At(30s)).samples, 0u);
}

TEST(LatencyWindow, CountsRequestsThatAreStillWaiting) {
  LatencyWindow window;
  for (int i = 0; i < 100; ++i) window.Record(At(i * 1ms), 1ms);
  std::multiset<runtime::TimePoint> under_way;
  for (int i = 0; i < 50; ++i) under_way.insert(At(100ms));
  EXPECT_NEAR(window.Read(At(4100ms), under_way).p95_ms, 4000, 80);
  const auto none = LatencyWindow().Read(At(9s), under_way);
  EXPECT_EQ(none.samples, 50u) << "a node on which everything waits is not idle";
}

TEST(LatencyWindow, TakesRequestsThatHaveJustComeForNothing) {
  LatencyWindow window;
  for (int i = 0; i < 100; ++i) window.Record(At(i * 1ms), 1ms);
  EXPECT_NEAR(window.Read(At(100ms), {At(99ms), At(99ms), At(99ms)}).p95_ms, 1, 0.05);
}

TEST(Reading, GivesTheFigureThatIsAskedFor) {
  const Reading reading{10, 1, 2, 3};
  EXPECT_EQ(reading.Of(Signal::kMean), 1);
  EXPECT_EQ(reading.Of(Signal::kP95), 2);
  EXPECT_EQ(reading.Of(Signal::kP99), 3);
}

}  // namespace
}  // namespace tradewind::pace
