#include "pace/pacer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/test_core.h"

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

const double kFloor = ControllerOptions{}.floor_bytes_per_s;

class FakeMove final : public PacedMove {
 public:
  explicit FakeMove(TenantName tenant, NodeName peer = "n2")
      : id_("m-" + tenant), tenant_(std::move(tenant)), peer_(std::move(peer)) {}
  const MoveId& id() const override { return id_; }
  const TenantName& tenant() const override { return tenant_; }
  const NodeName& peer() const override { return peer_; }
  bool follows_latency() const override { return follows; }
  std::optional<Objective> setpoint() const override { return given; }
  int64_t finish_by_ms() const override { return finish_by; }
  uint64_t bytes_left() const override { return left; }
  uint64_t TakePulledBytes() override { return pulled_at_once; }
  void NotePace(const PaceNote& noted) override { note = noted; }

  bool follows = true;
  std::optional<Objective> given;
  int64_t finish_by = 0;
  uint64_t left = 0;
  uint64_t pulled_at_once = 0;
  PaceNote note;

 private:
  const MoveId id_;
  const TenantName tenant_;
  const NodeName peer_;
};

Reading P95(double milliseconds) {
  return {600, milliseconds / 2, milliseconds, milliseconds * 2};
}

// An end at which somebody always asks for something.
EndLatency Busy(double p95_ms, double usual_p95_ms = 0) {
  return {P95(p95_ms), usual_p95_ms, {3, 50, 0, 0.01}, {}};
}

class PacerTest : public testing::Test {
 protected:
  // The pacer of n1, in a fiber, until the body has returned.
  void Run(const std::function<void(Pacer&)>& body) {
    core_.Run([&] {
      NodeSensors sensors;
      sensors.Add(core_, sensor_);
      Pacer pacer(core_, "n1", sensors, [this] { return Pacer::Moves(moves_.begin(), moves_.end()); },
                  {[this](const NodeName& node, const LatencyCall&) -> Result<EndLatency> {
                     if (const auto found = ends_.find(node); found != ends_.end()) return found->second;
                     return Fail(failure_);
                   },
                   [this]() -> Result<std::vector<TenantObjective>> { return objectives_; }});
      pacer.Wake();
      body(pacer);
      pacer.Stop();
      pacer.Join();
    });
  }
  std::shared_ptr<FakeMove> Add(const TenantName& tenant) {
    return moves_.emplace_back(std::make_shared<FakeMove>(tenant));
  }

  runtime::TestCore core_;
  Sensor sensor_{core_};
  std::vector<std::shared_ptr<FakeMove>> moves_;
  std::map<NodeName, EndLatency> ends_;
  std::vector<TenantObjective> objectives_;
  Error failure_{ErrorKind::kUnavailable, "NODE_UNREACHABLE", "nobody is there", ""};
};

TEST_F(PacerTest, TakesTheSetpointOfTheOperatorBeforeThatOfTheTenantBeforeTwiceWhatIsUsual) {
  const auto given = Add("given"), tenant = Add("tenant"), neither = Add("neither");
  given->given = Objective{Signal::kP99, 7};
  objectives_ = {{"given", "n1", {Signal::kP95, 3}}, {"tenant", "n1", {Signal::kMean, 4}}};
  ends_["n2"] = Busy(20, 10);
  Run([](Pacer&) { runtime::SleepFor(2s); });
  EXPECT_EQ(given->note.setpoint, (Objective{Signal::kP99, 7}));
  EXPECT_EQ(tenant->note.setpoint, (Objective{Signal::kMean, 4}));
  EXPECT_EQ(neither->note.setpoint, (Objective{Signal::kP95, 20}));
}

TEST_F(PacerTest, SlowsDownToItsFloorWhileTheOtherEndIsFarOverTheSetpoint) {
  const auto move = Add("shop");
  move->given = Objective{Signal::kP95, 5};
  ends_["n2"] = Busy(50);
  Run([&](Pacer& pacer) {
    runtime::SleepFor(30s);
    EXPECT_NEAR(pacer.worst_ratio(), 10, 1e-6);
    EXPECT_NEAR(pacer.bucket().rate(), kFloor, 1);
  });
  EXPECT_TRUE(move->note.at_floor);
  EXPECT_EQ(move->note.p95_ms, 50);
}

TEST_F(PacerTest, LooksAtTheSignalThatTheSetpointNames) {
  Add("shop")->given = Objective{Signal::kP99, 5};
  ends_["n2"] = Busy(50);
  Run([](Pacer& pacer) {
    runtime::SleepFor(5s);
    EXPECT_NEAR(pacer.worst_ratio(), 20, 1e-6);
  });
}

TEST_F(PacerTest, HoldsTheObjectiveOfANeighbourThatDoesNotMove) {
  Add("shop")->given = Objective{Signal::kP95, 100};
  objectives_ = {{"neighbour", "n2", {Signal::kP95, 2}}};
  ends_["n2"] = Busy(10);
  ends_["n2"].tenants["neighbour"] = P95(12);
  Run([](Pacer& pacer) {
    runtime::SleepFor(5s);
    EXPECT_NEAR(pacer.worst_ratio(), 6, 1e-6);
  });
}

TEST_F(PacerTest, LeavesAMoveAloneThatDoesNotFollowLatency) {
  const auto move = Add("shop");
  move->follows = false;
  ends_["n2"] = Busy(50);
  Run([](Pacer& pacer) {
    runtime::SleepFor(5s);
    EXPECT_EQ(pacer.worst_ratio(), 0);
  });
  EXPECT_FALSE(move->note.setpoint);
}

TEST_F(PacerTest, HasNoLimitOnceNobodyIsAtEitherEnd) {
  Add("shop");
  ends_["n2"] = {};
  Run([](Pacer& pacer) {
    runtime::SleepFor(10s);
    EXPECT_EQ(pacer.bucket().rate(), 0);
  });
}

TEST_F(PacerTest, HasNoLimitWhereTheOtherEndCannotBeReached) {
  Add("shop");
  Run([](Pacer& pacer) {
    runtime::SleepFor(10s);
    EXPECT_EQ(pacer.bucket().rate(), 0);
  });
}

TEST_F(PacerTest, TakesAnEndThatIsSilentForOneThatMayHaveAnybody) {
  Add("shop");
  failure_ = {ErrorKind::kTimeout, "ANSWER_LOST", "no answer came", ""};
  Run([](Pacer& pacer) {
    runtime::SleepFor(10s);
    EXPECT_GT(pacer.bucket().rate(), 0);
  });
}

TEST_F(PacerTest, GoesAsFastAsADeadlineNeedsWhateverTheLatency) {
  const auto move = Add("shop");
  move->given = Objective{Signal::kP95, 5};
  move->left = 20'000'000;
  ends_["n2"] = Busy(50);
  Run([&](Pacer& pacer) {
    move->finish_by = core_.UnixMilliseconds() + 30'000;
    runtime::SleepFor(10s);
    EXPECT_GT(pacer.bucket().rate(), 20e6 / 20) << "twenty seconds are left";
    EXPECT_LT(pacer.bucket().rate(), 20e6 / 15);
  });
}

TEST_F(PacerTest, PushesAMultipleOfWhatIsPulled) {
  const auto move = Add("shop");
  move->given = Objective{Signal::kP95, 5};
  move->pulled_at_once = 100'000;
  ends_["n2"] = Busy(50);
  Run([&](Pacer& pacer) {
    runtime::SleepFor(10s);
    EXPECT_GT(pacer.bucket().rate(), 4 * kFloor);
    move->pulled_at_once = 0;
    runtime::SleepFor(30s);
    EXPECT_NEAR(pacer.bucket().rate(), kFloor, 1) << "once nothing is pulled";
  });
}

TEST_F(PacerTest, RestsOnceThereHaveBeenNoMovesForAWhile) {
  Add("shop");
  ends_["n2"] = Busy(50);
  Run([&](Pacer& pacer) {
    runtime::SleepFor(2s);
    moves_.clear();
    runtime::SleepFor(30s);
    EXPECT_EQ(core_.fiber_count(), 1u) << "but for the test's own";
    EXPECT_EQ(pacer.bucket().rate(), ControllerOptions{}.start_bytes_per_s);
  });
}

}  // namespace
}  // namespace tradewind::pace
