// The controller against a simulated plant: requests that arrive at random and take longer the faster the
// moves send, seen through a real window. Virtual time, a seed each.
#include "pace/rate_controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <set>
#include <vector>

#include "pace/sensor.h"
#include "pace/test_plant.h"

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

constexpr runtime::Duration kTick = 250ms;

class Loop {
 public:
  Loop(Plant plant, double setpoint_ms, uint32_t seed = 1)
      : plant_(plant), setpoint_ms_(setpoint_ms), idle_p95_ms_(plant.P95(0)), random_(seed) {}

  struct Point {
    double p95_ms;  // Of the requests of the last second, exactly.
    double rate;
  };
  // The run of each second.
  std::vector<Point> Run(int seconds) {
    std::vector<Point> points;
    for (int second = 0; second < seconds; ++second) {
      std::vector<double> latencies;
      for (int tick = 0; tick < 4; ++tick) Tick(latencies);
      std::sort(latencies.begin(), latencies.end());
      const double p95 = latencies.empty() ? 0 : latencies[latencies.size() * 95 / 100];
      if (std::getenv("SHOW_LOOP") != nullptr)
        std::printf("%7.1f ms of %5.1f  %8.2f MB/s\n", p95, setpoint_ms_, controller_.rate() / 1e6);
      points.push_back({p95, controller_.rate()});
    }
    return points;
  }

  Plant& plant() { return plant_; }
  RateController& controller() { return controller_; }
  void SetSetpoint(double setpoint_ms) {
    controller_.NoteSetpointChange(setpoint_ms / setpoint_ms_);
    setpoint_ms_ = setpoint_ms;
  }

 private:
  void Tick(std::vector<double>& latencies) {
    const double seconds = std::chrono::duration<double>(kTick).count();
    std::poisson_distribution<int> arrivals(plant_.requests_per_s * seconds);
    std::exponential_distribution<double> latency(3 / plant_.P95(controller_.rate()));
    const int count = plant_.requests_per_s > 0 ? arrivals(random_) : 0;
    for (int i = 0; i < count; ++i) {
      latencies.push_back(latency(random_));
      window_.Record(now_ + kTick * i / count,
                     runtime::Duration(static_cast<int64_t>(latencies.back() * 1e6)));
    }
    now_ += kTick;
    const Reading reading = window_.Read(now_, {});
    controller_.Step({.ratio = reading.samples == 0 ? 0 : reading.p95_ms / setpoint_ms_,
                      .idle_ratio = idle_p95_ms_ / setpoint_ms_,
                      .used_bytes_per_s = std::min(controller_.rate(), plant_.disk_bytes_per_s)},
                     kTick);
  }

  Plant plant_;
  double setpoint_ms_;
  double idle_p95_ms_;  // As before the run: what happens later to the load is not known.
  std::mt19937 random_;
  LatencyWindow window_;
  RateController controller_;
  runtime::TimePoint now_{};
};

double MeanP95(const std::vector<Loop::Point>& points, size_t from, size_t to) {
  double sum = 0;
  for (size_t at = from; at < to; ++at) sum += points[at].p95_ms;
  return sum / static_cast<double>(to - from);
}

double ShareOver(const std::vector<Loop::Point>& points, size_t from, double limit) {
  double over = 0;
  for (size_t at = from; at < points.size(); ++at) over += points[at].p95_ms > limit ? 1 : 0;
  return over / static_cast<double>(points.size() - from);
}

struct Case {
  const char* name;
  Plant plant;
  double setpoint_ms;
};

class ControllerOnPlants : public testing::TestWithParam<Case> {};

TEST_P(ControllerOnPlants, HoldsTheSetpointWithinFivePercentAndSeldomOvershoots) {
  const Case& one = GetParam();
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    Loop loop(one.plant, one.setpoint_ms, seed);
    const auto points = loop.Run(60);
    EXPECT_NEAR(MeanP95(points, 10, 60), one.setpoint_ms, one.setpoint_ms * 0.05) << "seed " << seed;
    EXPECT_LT(ShareOver(points, 10, one.setpoint_ms * 1.2), 0.1) << "seed " << seed;
    double sent = 0;
    for (const auto& point : points) sent += point.rate;
    EXPECT_GT(sent / 60, one.plant.RateFor(one.setpoint_ms) / 1.15) << "slower than the best fixed rate";
  }
}

INSTANTIATE_TEST_SUITE_P(Plants, ControllerOnPlants,
                         testing::Values(Case{"Roomy", {}, 8}, Case{"Tight", {.busy = 0.5}, 8},
                                         Case{"Slow", {.capacity_bytes_per_s = 30e6}, 8},
                                         Case{"Fast", {.capacity_bytes_per_s = 1e9}, 8},
                                         Case{"NearTheKnee", {.busy = 0.3}, 30},
                                         Case{"FewRequests", {.requests_per_s = 400}, 10}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(RateController, HoldsTheSetpointAgainWithinFiveSecondsOfAStepOfTheLoad) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    Loop loop({.busy = 0.3}, 10, seed);
    loop.Run(30);
    loop.plant().busy = 0.45;
    loop.plant().requests_per_s *= 1.5;
    const auto more = loop.Run(30);
    EXPECT_NEAR(MeanP95(more, 5, 30), 10, 0.7) << "seed " << seed;
    EXPECT_LT(ShareOver(more, 5, 12), 0.1) << "seed " << seed;
    loop.plant().busy = 0.3;
    loop.plant().requests_per_s /= 1.5;
    const auto less = loop.Run(30);
    EXPECT_NEAR(MeanP95(less, 5, 30), 10, 0.7) << "seed " << seed;
  }
}

TEST(RateController, RisesFromTheFirstLookAfterASpikeOn) {
  RateController controller({.start_bytes_per_s = 80e6});
  const auto step = [&](double ratio) {
    return controller.Step({.ratio = ratio, .idle_ratio = 0.45, .used_bytes_per_s = controller.rate()},
                           kTick);
  };
  for (int i = 0; i < 8; ++i) step(1);
  for (int i = 0; i < 8; ++i) step(2.6);
  double rate = controller.rate();
  EXPECT_LT(rate, 40e6);
  for (const double below : {0.5, 0.55, 0.55, 0.5}) {
    EXPECT_GT(step(below), rate) << "there is slack";
    rate = controller.rate();
  }
}

// Over windows of three seconds, as a sensor's: at the edge a percent of the rate is a fifth of the latency.
TEST(RateController, HoldsTheSetpointAtTheEdgeOfAFullLink) {
  const Plant plant{.link_bytes_per_s = 100e6};
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    Loop loop(plant, 16, seed);
    const auto points = loop.Run(60);
    double over = 0, sent = 0;
    for (size_t at = 10; at + 3 <= 60; ++at) over += MeanP95(points, at, at + 3) > 16 * 1.2 ? 1 : 0;
    for (size_t at = 10; at < 60; ++at) sent += points[at].rate;
    EXPECT_NEAR(MeanP95(points, 10, 60), 16, 16 * 0.05) << "seed " << seed;
    EXPECT_LT(over / 48, 0.1) << "seed " << seed;
    EXPECT_GT(sent / 50, plant.RateFor(16) / 1.15) << "seed " << seed;
  }
}

TEST(RateController, ComesBackSoonAfterADisturbance) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    Loop loop({.link_bytes_per_s = 100e6}, 12, seed);
    const double before = loop.Run(30).back().rate;
    loop.plant().disturbance = 4;
    loop.Run(2);
    EXPECT_LT(loop.controller().rate(), before * 0.8) << "seed " << seed;
    loop.plant().disturbance = 1;
    const auto after = loop.Run(8);
    for (size_t second = 3; second < 8; ++second)
      EXPECT_GT(after[second].rate, before * 0.85) << "seed " << seed << ", second " << second;
  }
}

TEST(RateController, DoesNotWindUpDuringAMinuteOfSaturation) {
  Loop loop({.busy = 0.9}, 10);  // The setpoint cannot be met at any rate.
  const auto saturated = loop.Run(60);
  EXPECT_TRUE(loop.controller().at_floor());
  EXPECT_GT(saturated.back().p95_ms, 20);
  loop.plant().busy = 0.2;
  const auto after = loop.Run(15);
  EXPECT_GT(after[5].rate, loop.plant().RateFor(10) / 3) << "it rises at once";
  EXPECT_LT(ShareOver(after, 0, 15), 0.1) << "and does not overshoot";
}

TEST(RateController, DoesNotWindUpWhileTheDiskIsTheBottleneck) {
  Loop loop({.disk_bytes_per_s = 20e6}, 10);
  loop.Run(60);
  EXPECT_LT(loop.controller().rate(), 40e6) << "not raised beyond what is used";
  loop.plant().disk_bytes_per_s = 1e12;
  EXPECT_LT(ShareOver(loop.Run(20), 0, 15), 0.1);
}

TEST(RateController, GoesAtFullSpeedWhenNobodyIsThereAndGivesWayWhenSomebodyComes) {
  Loop loop({.requests_per_s = 0, .disk_bytes_per_s = 400e6}, 10);
  loop.Run(6);
  EXPECT_GT(loop.controller().rate(), 400e6);
  loop.plant().requests_per_s = 1000;
  const auto points = loop.Run(20);
  EXPECT_NEAR(MeanP95(points, 5, 20), 10, 1);
}

TEST(RateController, TakesANewSetpointWithoutAKick) {
  Loop loop({}, 10);
  loop.Run(30);
  const double before = loop.controller().rate();
  loop.SetSetpoint(6);
  RateController& controller = loop.controller();
  const double after = controller.Step({.ratio = 10.0 / 6, .used_bytes_per_s = before}, kTick);
  EXPECT_GT(after, before * 0.7) << "the integral alone acts";
  EXPECT_NEAR(MeanP95(loop.Run(30), 6, 30), 6, 0.4);
}

TEST(RateController, KeepsItsRateWhileAMovePreparesAndLatencyRisesBelowTheSetpoint) {
  RateController controller;
  const double before = controller.rate();
  for (const double ratio : {0.55, 0.9, 0.92})
    controller.Step({.ratio = ratio, .idle_ratio = 0.5, .used_bytes_per_s = 0}, kTick);
  EXPECT_GT(controller.rate(), before / 2);
}

TEST(RateController, NeverGoesBelowItsFloor) {
  RateController controller;
  for (int step = 0; step < 100; ++step) controller.Step({.ratio = 50}, kTick);
  EXPECT_TRUE(controller.at_floor());
  controller.SetFloor(30e6);
  EXPECT_DOUBLE_EQ(controller.Step({.ratio = 50}, kTick), 30e6);
}

}  // namespace
}  // namespace tradewind::pace
