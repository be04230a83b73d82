#include "pace/usual_latency.h"

#include <gtest/gtest.h>

#include "pace/sensor.h"
#include "runtime/test_core.h"

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

// So many requests of this length in each second.
class History {
 public:
  void Run(std::chrono::seconds length, int requests_per_s, runtime::Duration latency, bool move = false) {
    for (const runtime::TimePoint until = now_ + length; now_ < until; now_ += 1s) {
      if (move) usual_.NoteMove(now_);
      for (int i = 0; i < requests_per_s; ++i) usual_.Record(now_ + 1s * i / requests_per_s, latency);
    }
  }
  double p95_ms() const { return usual_.p95_ms(now_); }

 private:
  UsualLatency usual_;
  runtime::TimePoint now_{};
};

TEST(UsualLatency, IsThatOfALoadWhetherFastOrSlow) {
  History fast, slow;
  fast.Run(30s, 100, 2ms);
  EXPECT_NEAR(fast.p95_ms(), 2, 0.1);
  slow.Run(30s, 100, 40ms);
  EXPECT_NEAR(slow.p95_ms(), 40, 1)
      << "a node that is slow has a loose setpoint, and gets rid of its tenants";
}

TEST(UsualLatency, DoesNotFollowABulkLoadOfThreeMinutesThatJustEnded) {
  History history;
  history.Run(120s, 100, 2ms);
  history.Run(180s, 20, 200ms);
  EXPECT_NEAR(history.p95_ms(), 2, 0.1);
}

TEST(UsualLatency, DoesNotFollowOneClientThatFillsATenant) {
  History history;
  history.Run(100s, 16, 60ms);
  EXPECT_EQ(history.p95_ms(), 0);
}

TEST(UsualLatency, DoesNotFollowAPauseOrAFewStatements) {
  History history;
  history.Run(60s, 100, 20ms);
  history.Run(120s, 0, 0ms);
  history.Run(100s, 1, 900ms);
  EXPECT_NEAR(history.p95_ms(), 20, 0.5);
}

TEST(UsualLatency, IsNotTakenFromMovesSoThatOneAfterTheOtherHasTheSame) {
  History history;
  history.Run(60s, 100, 3ms);
  for (int move = 0; move < 3; ++move) {
    history.Run(75s, 100, 9ms, true);
    history.Run(5s, 100, 3ms);
  }
  EXPECT_NEAR(history.p95_ms(), 3, 0.1);
}

TEST(UsualLatency, IsForgottenAfterMinutesAndUnknownBefore) {
  History history;
  EXPECT_EQ(history.p95_ms(), 0);
  history.Run(10s, 100, 3ms);
  history.Run(200s, 0, 0ms);
  EXPECT_NEAR(history.p95_ms(), 3, 0.1);
  history.Run(200s, 0, 0ms);
  EXPECT_EQ(history.p95_ms(), 0);
}

TEST(UsualLatency, IsKnownFromTheFirstSecondsOfANode) {
  History history;
  history.Run(2s, 50, 3ms);
  EXPECT_NEAR(history.p95_ms(), 3, 0.1);
}

TEST(UsualLatency, OfSeveralCoresIsThatOfAllRequests) {
  const auto at = [](int ms) { return runtime::TimePoint(std::chrono::milliseconds(ms)); };
  UsualLatency cores[2];
  for (int i = 0; i < 60'000; i += 10) {
    cores[(i / 10) % 2].Record(at(i), i % 100 == 0 ? 40ms : 2ms);
  }
  const double alone = cores[1].p95_ms(at(60'000));
  UsualLatency node;
  for (const UsualLatency& core : cores) node.Add(core);
  EXPECT_NEAR(alone, 2, 0.1);
  EXPECT_NEAR(node.p95_ms(at(60'000)), 40, 1) << "a tenth of all is slow, all of them on one core";
}

TEST(UsualLatency, OfSeveralCoresLeavesOutWindowsInWhichAMoveWasFelt) {
  const auto at = [](int ms) { return runtime::TimePoint(std::chrono::milliseconds(ms)); };
  UsualLatency cores[2];
  for (int i = 0; i < 5'000; i += 10) cores[0].Record(at(i), 2ms);
  cores[1].Record(at(0), 2ms);
  cores[1].NoteMove(at(1'000));
  UsualLatency node;
  for (const UsualLatency& core : cores) node.Add(core);
  EXPECT_GT(cores[0].p95_ms(at(6'000)), 0);
  EXPECT_EQ(node.p95_ms(at(6'000)), 0);
}

TEST(UsualLatency, DoesNotCountRequestsThatAreLarge) {
  runtime::TestCore core;
  Sensor sensor(core);
  core.Run([&] {
    for (int i = 0; i < 100; ++i) {
      const Sensor::Measurement bulk(sensor, "shop", core.Now(), 1 << 20);
      runtime::SleepFor(50ms);
    }
    EXPECT_EQ(sensor.View({}).usual.p95_ms(core.Now()), 0);
    EXPECT_NEAR(sensor.Read().p95_ms, 50, 2) << "but they are there";
    for (int i = 0; i < 100; ++i) {
      const Sensor::Measurement one(sensor, "shop", core.Now(), 200);
      runtime::SleepFor(2ms);
    }
    EXPECT_NEAR(sensor.View({}).usual.p95_ms(core.Now()), 2, 0.1);
  });
}

Reading Of(double p95_ms, uint64_t samples = 1000) {
  return {samples, p95_ms / 3, p95_ms, p95_ms * 1.5};
}

TEST(UsualDuringMove, FallsToWhatIsSeenBesideTheMove) {
  UsualDuringMove usual(100);
  usual.Note(Of(3), 1, false);
  EXPECT_EQ(usual.p95_ms(), 100) << "not yet a whole window";
  usual.Note(Of(3), 3, false);
  EXPECT_EQ(usual.p95_ms(), 3);
  usual.Note(Of(6), 60, false);
  EXPECT_EQ(usual.p95_ms(), 3) << "that is the move";
}

TEST(UsualDuringMove, RisesToWhatIsSeenWhenTheMoveIsAsSlowAsItGets) {
  UsualDuringMove usual;
  usual.Note(Of(40), 10, false);
  EXPECT_EQ(usual.p95_ms(), 0);
  usual.Note(Of(40), 1, true);
  EXPECT_EQ(usual.p95_ms(), 0) << "it has only just got there";
  usual.Note(Of(40), 3, true);
  EXPECT_EQ(usual.p95_ms(), 40);
  usual.Note(Of(60, 4), 5, true);
  EXPECT_EQ(usual.p95_ms(), 40) << "a few requests say no more than their mean";
  usual.Note(Of(9'000), 10, true);
  EXPECT_EQ(usual.p95_ms(), UsualDuringMove::kMostMs) << "beyond that nothing is usual";
}

}  // namespace
}  // namespace tradewind::pace
