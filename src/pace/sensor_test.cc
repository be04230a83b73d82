#include "pace/sensor.h"

#include <gtest/gtest.h>

#include "runtime/test_core.h"

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
}

TEST(LatencyWindow, ShowsWhatHasArrivedSinceARateHolds) {
  LatencyWindow window;
  for (int i = 0; i < 1000; ++i) window.Record(At(i * 1ms), 30ms);
  EXPECT_EQ(window.Read(At(1s), {}, At(1s)).samples, 0u);
  for (int i = 0; i < 100; ++i) window.Record(At(1s + i * 1ms), i < 30 ? 30ms : 2ms);
  const Reading soon = window.Read(At(1100ms), {}, At(1s));
  EXPECT_EQ(soon.samples, 70u) << "those that came before were under way";
  EXPECT_NEAR(soon.p95_ms, 2, 0.1);
  for (int i = 100; i < 2000; ++i) window.Record(At(1s + i * 1ms), 2ms);
  EXPECT_NEAR(window.Read(At(3s), {}, At(1s)).p95_ms, 2, 0.1) << "and when it is longer ago";
  EXPECT_NEAR(window.Read(At(3s), {}).p95_ms, 30, 1);
}

TEST(LatencyWindow, CountsWhatHasBeenWaitedSince) {
  LatencyWindow window;
  const Reading reading = window.Read(At(1300ms), {At(200ms), At(1250ms)}, At(1s));
  EXPECT_EQ(reading.samples, 2u);
  EXPECT_NEAR(reading.p99_ms, 300, 6);
}

TEST(Sensor, TellsWhetherAnybodyIsThere) {
  runtime::TestCore core;
  Sensor sensor(core);
  const auto request = [&](runtime::Duration length) {
    const Sensor::Measurement one(sensor, "shop", core.Now());
    runtime::SleepFor(length);
    EXPECT_EQ(sensor.ReadActivity().under_way, 1u);
    EXPECT_EQ(sensor.ReadActivity().quiet_s, 0);
  };
  core.Run([&] {
    EXPECT_EQ(sensor.ReadActivity().quiet_s, Activity::kLongAgo);
    request(10ms);
    EXPECT_EQ(sensor.ReadActivity().lately, 1u);
    runtime::SleepFor(3s);
    EXPECT_EQ(sensor.ReadActivity().lately, 0u);
    EXPECT_NEAR(sensor.ReadActivity().quiet_s, 3, 0.01);
    request(10ms);
    EXPECT_NEAR(sensor.ReadActivity().gap_s, 3, 0.01);
    runtime::SleepFor(40s);
    request(10ms);
    EXPECT_LT(sensor.ReadActivity().gap_s, 1.5) << "a pause is not a gap";
  });
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

TEST(LatencyStream, OfSeveralCoresIsAsIfAllRequestsHadBeenOnOne) {
  LatencyStream cores[2], both;
  for (int i = 0; i < 6000; ++i) {
    const runtime::Duration latency = i % 100 < 7 ? 30ms : 1ms;
    cores[i % 100 < 50 ? 0 : 1].latencies.Record(At(i * 1ms), latency);
    both.latencies.Record(At(i * 1ms), latency);
  }
  for (LatencyStream* const one : {&cores[1], &both}) one->under_way.insert(At(1s));
  LatencyStream added;
  for (const LatencyStream& core : cores) added.Add(core);
  for (const auto since : {runtime::TimePoint{}, At(5500ms)}) {
    const Reading reading = added.Read(At(6s), since), wanted = both.Read(At(6s), since);
    EXPECT_EQ(reading.samples, wanted.samples);
    EXPECT_EQ(reading.p95_ms, wanted.p95_ms) << "the p95 of neither core";
    EXPECT_GT(reading.p95_ms, 20);
  }
}

TEST(Activity, OfSeveralCoresIsThatOfAllAndItsGapThatOfWhomeverHasTheLongest) {
  Activity node{1, 10, 2, 5};
  node.Add({2, 20, 3, 0});
  EXPECT_EQ(node.under_way, 3u);
  EXPECT_EQ(node.lately, 30u);
  EXPECT_EQ(node.quiet_s, 2);
  EXPECT_EQ(node.gap_s, 5) << "of a core with one request nothing is known of gaps";
  node.Add({});
  EXPECT_EQ(node.gap_s, 5);
  EXPECT_EQ(node.quiet_s, 2);
}

TEST(Reading, GivesTheFigureThatIsAskedFor) {
  const Reading reading{10, 1, 2, 3};
  EXPECT_EQ(reading.Of(Signal::kMean), 1);
  EXPECT_EQ(reading.Of(Signal::kP95), 2);
  EXPECT_EQ(reading.Of(Signal::kP99), 3);
}

}  // namespace
}  // namespace tradewind::pace
