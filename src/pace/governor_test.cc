// Moves that nobody is in the way of, and requests that begin in the middle of one: against a simulated plant,
// seen through real sensors at both ends. Virtual time, a seed each.
#include "pace/governor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "pace/test_plant.h"

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

constexpr double kFullSpeed = 400e6;  // What disk and link of the moves take.

double Seconds(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Requests at one end, and a governor that looks at it as a pacer does.
class Drive {
 public:
  explicit Drive(Plant plant, double setpoint_ms = 10, uint32_t seed = 1)
      : plant_(plant), setpoint_ms_(setpoint_ms), random_(seed) {}

  Plant& plant() { return plant_; }
  Governor& governor() { return governor_; }
  void set_setpoint(double setpoint_ms) { setpoint_ms_ = setpoint_ms; }
  // Requests come at random, or one every so often.
  void ComeEvery(runtime::Duration pause) {
    every_ = pause;
    next_ = now_ + pause;
  }
  void set_unknown(bool unknown) { unknown_ = unknown; }
  void set_idle_p95_ms(double p95_ms) { idle_p95_ms_ = p95_ms; }
  void set_sends(bool sends) { sends_ = sends; }
  double rate() const {
    const double most = std::min(kFullSpeed, plant_.disk_bytes_per_s);
    return governor_.rate() == 0 ? most : std::min(most, governor_.rate());
  }
  double sent() const { return sent_; }
  double last_latency_ms() const { return last_latency_ms_; }
  bool free() const { return governor_.free(); }

  // Runs for so long; the p95 of the requests that arrived.
  double Run(runtime::Duration length) {
    latencies_.clear();
    for (const runtime::TimePoint until = now_ + length; now_ < until;) Tick();
    if (std::getenv("SHOW_LOOP") != nullptr)
      std::printf("%6.1f s: %7.1f ms of %5.1f, %8.2f MB/s%s\n", Seconds(now_.time_since_epoch()), P95(),
                  setpoint_ms_, rate() / 1e6, free() ? ", free" : "");
    return P95();
  }

 private:
  static constexpr runtime::Duration kStep = 1ms;

  double P95() {
    if (latencies_.empty()) return 0;
    std::sort(latencies_.begin(), latencies_.end());
    return latencies_[latencies_.size() * 95 / 100];
  }

  void Tick() {
    now_ += kStep;
    sent_ += sends_ ? rate() * Seconds(kStep) : 0;
    for (auto ends = under_way_.begin(); ends != under_way_.end() && ends->first <= now_;) {
      window_.Record(ends->first, ends->first - ends->second);
      arrivals_.erase(arrivals_.find(ends->second));
      last_seen_ = ends->first;
      ends = under_way_.erase(ends);
    }
    int count = 0;
    if (every_) {
      if (now_ >= next_) {
        next_ += *every_;
        count = 1;
      }
    } else if (plant_.requests_per_s > 0) {
      count = std::poisson_distribution<int>(plant_.requests_per_s * Seconds(kStep))(random_);
    }
    for (int i = 0; i < count; ++i) Arrive();
    if (now_ >= look_at_) Look();
  }

  void Arrive() {
    // One that comes alone is typical, not drawn.
    const double p95 = plant_.P95(sends_ ? rate() : 0);
    const double ms = every_ ? p95 / 3 : std::exponential_distribution<double>(3 / p95)(random_);
    latencies_.push_back(ms);
    last_latency_ms_ = ms;
    if (last_seen_ && arrivals_.empty()) {
      const double gap = Seconds(now_ - *last_seen_);
      gap_.Note(gap < 20 ? gap : 0, gap);
    }
    last_seen_ = now_;
    arrivals_.insert(now_);
    under_way_.emplace(now_ + runtime::Duration(static_cast<int64_t>(ms * 1e6)), now_);
  }

  void Look() {
    Governor::Look look;
    look.unknown = unknown_;
    look.activity.under_way = arrivals_.size();
    look.activity.lately = arrivals_.size() + window_.CountEnded(now_, 500ms);
    look.activity.gap_s = gap_.value();
    if (last_seen_) look.activity.quiet_s = arrivals_.empty() ? Seconds(now_ - *last_seen_) : 0;
    const Reading reading = window_.Read(now_, arrivals_, governor_.since());
    look.samples = reading.samples;
    look.ratio = reading.samples == 0 ? 0 : reading.p95_ms / setpoint_ms_;
    look.idle_ratio = idle_p95_ms_ / setpoint_ms_;
    look.used_bytes_per_s = (sent_ - sent_before_) / Seconds(now_ - looked_at_);
    sent_before_ = sent_;
    looked_at_ = now_;
    governor_.Step(look, now_);
    look_at_ = now_ + governor_.pause();
  }

  Plant plant_;
  double setpoint_ms_;
  std::mt19937 random_;
  Governor governor_;
  LatencyWindow window_;
  std::multiset<runtime::TimePoint> arrivals_;                       // Of those under way.
  std::multimap<runtime::TimePoint, runtime::TimePoint> under_way_;  // From their ends.
  std::optional<runtime::TimePoint> last_seen_;
  DecayingPeak gap_{30};
  std::optional<runtime::Duration> every_;
  runtime::TimePoint next_{};
  bool unknown_ = false;
  bool sends_ = true;
  double idle_p95_ms_ = 0;
  runtime::TimePoint now_{1s};
  runtime::TimePoint look_at_{};
  runtime::TimePoint looked_at_{};
  double sent_ = 0, sent_before_ = 0;
  double last_latency_ms_ = 0;
  std::vector<double> latencies_;
};

Plant Nobody(Plant plant = {}) {
  plant.requests_per_s = 0;
  return plant;
}

TEST(Governor, HasNoLimitFromTheFirstLookOnWhenNobodyIsThere) {
  Drive drive(Nobody());
  drive.Run(5s);
  EXPECT_GT(drive.sent(), kFullSpeed * 5 * 0.999);
  EXPECT_EQ(drive.governor().rate(), 0);
  EXPECT_FALSE(drive.governor().at_floor());
}

TEST(Governor, HasNoLimitThoughSomebodyHasJustLookedWhatIsThere) {
  Drive drive(Nobody());
  drive.set_sends(false);
  drive.ComeEvery(50ms);
  drive.Run(150ms);
  drive.ComeEvery(1h);
  drive.governor() = Governor();
  drive.set_sends(true);
  const double before = drive.sent();
  drive.Run(1s);
  EXPECT_GT(drive.sent() - before, kFullSpeed * 0.85);
}

struct Case {
  const char* name;
  Plant plant;
  double setpoint_ms;
};

class RequestsThatBeginInTheMiddle : public testing::TestWithParam<Case> {};

TEST_P(RequestsThatBeginInTheMiddle, ArePacedForWithinASecondAndTheRateDoesNotHunt) {
  const Case& one = GetParam();
  const double right = std::min(one.plant.RateFor(one.setpoint_ms), kFullSpeed);
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    Drive drive(Nobody(one.plant), one.setpoint_ms, seed);
    drive.Run(3s);
    EXPECT_TRUE(drive.free());
    drive.plant() = one.plant;
    drive.Run(1s);
    EXPECT_FALSE(drive.free()) << "seed " << seed;
    EXPECT_LT(drive.rate(), right * 1.1) << "seed " << seed;
    EXPECT_GT(drive.rate(), right / 4) << "and not far below, seed " << seed;
    const double sent = drive.sent();
    double sum = 0;
    int over = 0;
    for (int window = 0; window < 7; ++window) {
      const double p95 = drive.Run(3s);
      sum += p95;
      over += p95 > one.setpoint_ms * 1.3 ? 1 : 0;
    }
    EXPECT_LE(sum / 7, one.setpoint_ms * 1.15) << "seed " << seed;
    EXPECT_LE(over, 1) << "seed " << seed;
    EXPECT_GT((drive.sent() - sent) / 21, right / 1.5) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Plants, RequestsThatBeginInTheMiddle,
    testing::Values(Case{"Roomy", {}, 8}, Case{"Tight", {.busy = 0.5}, 8},
                    Case{"Slow", {.capacity_bytes_per_s = 30e6}, 8}, Case{"NearTheKnee", {.busy = 0.3}, 30},
                    Case{"AFullLink", {.disk_bytes_per_s = 112e6, .link_bytes_per_s = 100e6}, 16},
                    Case{"FewRequests", {.requests_per_s = 100}, 10}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Governor, IsAtItsFloorWithinASecondWhenTheSetpointCannotBeMetAtAnyRate) {
  Drive drive(Nobody({.busy = 0.9}), 10);
  drive.Run(2s);
  drive.plant().requests_per_s = 500;
  drive.Run(1s);
  EXPECT_TRUE(drive.governor().at_floor());
}

TEST(Governor, CutsTheRateForRequestsThatAllWaitAndNeverEnd) {
  Drive drive(Nobody(), 10);
  drive.Run(2s);
  drive.plant().disturbance = 1e6;
  drive.plant().requests_per_s = 50;
  drive.Run(1s);
  EXPECT_LT(drive.rate(), kFullSpeed / 64);
}

TEST(Governor, KeepsFullSpeedForAsLongAsRequestsAreWithinTheirSetpointAllTheSame) {
  Drive drive(Nobody({.capacity_bytes_per_s = 2e9}), 10);
  drive.Run(2s);
  drive.plant().requests_per_s = 200;
  const double before = drive.sent();
  EXPECT_LT(drive.Run(10s), 10);
  EXPECT_GT(drive.sent() - before, kFullSpeed * 10 * 0.8);
}

TEST(Governor, LetsOnlyTheFirstOfRequestsThatComeSeldomFindFullSpeed) {
  for (const auto pause : {1s, 3s, 10s}) {
    Drive drive(Nobody(), 5);
    drive.ComeEvery(pause);
    drive.Run(pause + 500ms);
    EXPECT_GT(drive.last_latency_ms(), 5) << "one look";
    int slow = 0;
    for (int request = 0; request < 10; ++request) {
      drive.Run(pause);
      slow += drive.last_latency_ms() > 5 ? 1 : 0;
      EXPECT_FALSE(drive.free()) << Seconds(pause) << " s, request " << request;
    }
    EXPECT_LE(slow, 2) << Seconds(pause) << " s";
  }
}

TEST(Governor, DoesNotCareForSeldomRequestsThatFullSpeedDoesNotSlowDown) {
  Drive drive(Nobody({.capacity_bytes_per_s = 2e9}), 10);
  drive.ComeEvery(2s);
  drive.Run(20s);
  EXPECT_GT(drive.sent(), kFullSpeed * 20 * 0.99);
}

TEST(Governor, GoesBackToFullSpeedSoonAfterALoadHasGone) {
  Drive drive({}, 8);
  drive.Run(10s);
  EXPECT_FALSE(drive.free());
  drive.plant().requests_per_s = 0;
  drive.Run(1s);
  EXPECT_TRUE(drive.free());
  drive.plant().requests_per_s = 1000;
  drive.Run(1s);
  EXPECT_LE(drive.Run(5s), 8 * 1.3) << "and gives way again";
  drive.plant().requests_per_s = 0;
  drive.Run(4s);
  EXPECT_TRUE(drive.free()) << "and again, though it may be a pause";
}

TEST(Governor, DoesNotTakeThePausesOfABurstyLoadForAnEnd) {
  Drive drive({}, 8);
  drive.Run(3s);
  int freed = 0;
  for (int second = 0; second < 20; ++second) {
    drive.plant().requests_per_s = 1000;
    drive.Run(400ms);
    drive.plant().requests_per_s = 0;
    drive.Run(700ms);
    freed += drive.free() ? 1 : 0;
  }
  EXPECT_LE(freed, 1) << "the first is news";
}

TEST(Governor, FallsBelowFullSpeedWhileAnEndDoesNotSayHowItStands) {
  Drive drive(Nobody());
  drive.set_unknown(true);
  drive.Run(1s);
  EXPECT_FALSE(drive.free());
  EXPECT_DOUBLE_EQ(drive.rate(), ControllerOptions{}.start_bytes_per_s);
  drive.set_unknown(false);
  drive.Run(300ms);
  EXPECT_TRUE(drive.free());
  drive.set_unknown(true);
  drive.Run(300ms);
  EXPECT_FALSE(drive.free());
}

TEST(Governor, DoesNotFallForABulkLoadThatEndedBeforeTheMove) {
  Drive drive({.requests_per_s = 100, .disturbance = 30}, 8);
  drive.set_sends(false);
  drive.Run(3s);
  drive.plant() = Nobody();
  drive.Run(300ms);
  drive.governor() = Governor();
  drive.set_sends(true);
  double lowest = kFullSpeed;
  for (int at = 0; at < 20; ++at) {
    drive.Run(50ms);
    lowest = std::min(lowest, drive.rate());
  }
  EXPECT_GE(lowest, ControllerOptions{}.start_bytes_per_s);
  EXPECT_TRUE(drive.free()) << "as soon as it is over";
}

TEST(Governor, IsNotSlowedByRequestsThatItsMovesDoNotSlowDown) {
  Drive drive(Nobody(), 10);
  drive.set_sends(false);  // A move that prepares.
  drive.Run(1s);
  drive.plant().requests_per_s = 300;
  drive.plant().disturbance = 8;
  drive.Run(300ms);
  EXPECT_GE(drive.rate(), ControllerOptions{}.start_bytes_per_s / 2) << "it has sent nothing";
}

TEST(Governor, KeepsItsFloorWhileItFalls) {
  Drive drive(Nobody({.busy = 0.9}), 10);
  drive.Run(1s);
  drive.governor().SetFloor(30e6);
  drive.plant().requests_per_s = 500;
  drive.Run(2s);
  EXPECT_DOUBLE_EQ(drive.rate(), 30e6);
  EXPECT_TRUE(drive.governor().at_floor());
}

}  // namespace
}  // namespace tradewind::pace
