// The seam between the steps of a move and what travels in it (payload.h), by two engines that are as unlike as engines can
// be: one sends its rest after the swap, the other is complete before it and follows as a replica afterwards. Each goes
// through every step, a death at each, and a cancel in each; the tenant is written to all the while.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "move/fake_cluster.h"
#include "move/fake_replica_engine.h"
#include "move/fake_rest_engine.h"
#include "move/seam_fixture.h"

namespace tradewind::move {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<FakeEngine> MakeEngine(const std::string& name) {
  if (name == "rest") return std::make_unique<RestEngine>();
  return std::make_unique<ReplicaEngine>();
}

// Those of what travels that an engine of the test does not come to.
bool IsReached(const std::string& engine, Step step) {
  if (step == Step::kDestinationSyncedList || step == Step::kDestinationHasHalf) return false;
  return engine == "rest" ? step != Step::kDestinationPrepared : step != Step::kSourcePushedHalf;
}

// -- Each engine, at each step

class EachStep : public SeamTest,
                 public testing::WithParamInterface<std::tuple<std::string, std::string_view>> {
 protected:
  std::string engine_name() const { return std::get<0>(GetParam()); }
  Step step() const { return *ParseStep(std::get<1>(GetParam())); }
};

TEST_P(EachStep, ADeathLosesNothingAndTheMoveEnds) {
  if (!IsReached(engine_name(), step())) GTEST_SKIP() << "no step of this engine";
  const auto engine = MakeEngine(engine_name());
  ExpectNothingLostByADeath(*engine, step());
}

TEST_P(EachStep, ACancelBringsTheTenantBack) {
  if (!IsReached(engine_name(), step())) GTEST_SKIP() << "no step of this engine";
  const auto engine = MakeEngine(engine_name());
  ExpectBackAfterACancel(*engine, step());
}

TEST_P(EachStep, ADeathOnTheWayBackLosesNothing) {
  if (!IsReached(engine_name(), step()) || step() == Step::kSourceSentInit ||
      step() == Step::kDestinationPrepared)
    GTEST_SKIP() << "no step of a move that goes back";
  const auto engine = MakeEngine(engine_name());
  ExpectBackAfterADeathOnTheWay(*engine, step());
}

INSTANTIATE_TEST_SUITE_P(Seam, EachStep,
                         testing::Combine(testing::Values("rest", "replica"), testing::ValuesIn(kStepNames)),
                         [](const auto& of) {
                           std::string name =
                               std::get<0>(of.param) + "_" + std::string(std::get<1>(of.param));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// -- What only one of them shows

TEST_F(SeamTest, WhatTheDestinationWantsIsAnsweredBeforeTheRest) {
  RestEngine engine;
  With(engine, [&](FakeCluster& cluster) {
    const auto record = AwaitEnd(cluster, Start(cluster));
    EXPECT_EQ(record.state, catalog::MoveState::kDone);
    EXPECT_EQ(engine.answered, 1u);
    ExpectAllAt(cluster, cluster.n2(), cluster.n1());
  });
}

TEST_F(SeamTest, AFreezeThatFailsIsTriedAgainAndTheTenantIsServedInBetween) {
  ReplicaEngine engine;
  With(engine, [&](FakeCluster& cluster) {
    engine.freezes_that_fail = 3;
    const MoveId id = Start(cluster);
    while (engine.freezes_that_fail > 0) {
      const auto receipts = cluster.n1().moves().outgoing().receipts();
      ASSERT_EQ(receipts.size(), 1u);
      EXPECT_EQ(receipts[0].phase, Phase::kInit);
      if (engine.freezes > 0) {
        EXPECT_THAT(receipts[0].waiting_for, testing::HasSubstr("holds a lock"));
      }
      cluster.Write("between");
      EXPECT_EQ(cluster.catalog->GetTenant("shop")->ownership.owner, "n1");
      runtime::SleepFor(20ms);
    }
    const auto record = AwaitEnd(cluster, id);
    EXPECT_EQ(record.state, catalog::MoveState::kDone);
    EXPECT_EQ(engine.freezes, 4);
    ExpectAllAt(cluster, cluster.n2(), cluster.n1());
  });
}

TEST_F(SeamTest, AMoveThatCannotBeFrozenCanBeCancelled) {
  ReplicaEngine engine;
  With(engine, [&](FakeCluster& cluster) {
    engine.freezes_that_fail = 1'000'000;
    const MoveId id = Start(cluster);
    while (engine.freezes < 3) runtime::SleepFor(10ms);
    EXPECT_TRUE(Cancel(cluster, id));
    EXPECT_EQ(AwaitEnd(cluster, id).state, catalog::MoveState::kCancelled);
    ExpectAllAt(cluster, cluster.n1(), cluster.n2());
  });
}

TEST_F(SeamTest, TheSourceFollowsAsAReplicaAndTheTenantGoesBackByThat) {
  ReplicaEngine engine;
  With(engine, [&](FakeCluster& cluster) {
    engine.keeps_source = true;
    const MoveId id = Start(cluster);
    while (cluster.catalog->GetTenant("shop")->ownership.owner != "n2") runtime::SleepFor(5ms);
    for (auto& link : cluster.links) link.pair->Cut();  // It follows over a new one, too.
    for (int number = 0; number < 5; ++number) cluster.Write("at n2, " + std::to_string(number));
    for (int look = 0; look < 500 && cluster.ContentAt(cluster.n1()) != cluster.written; ++look)
      runtime::SleepFor(5ms);
    EXPECT_EQ(cluster.ContentAt(cluster.n1()), cluster.written) << "it follows";
    EXPECT_EQ(RoleAt(cluster.n1()), "dual");
    const uint64_t sent = engine.sent;
    const uint64_t streamed = engine.streamed;
    const size_t before = cluster.written.size();
    EXPECT_TRUE(Cancel(cluster, id));
    engine.keeps_source = false;
    while (cluster.catalog->GetTenant("shop")->ownership.owner != "n1") runtime::SleepFor(5ms);
    const size_t since = cluster.written.size() - before;
    EXPECT_EQ(engine.sent, sent) << "a snapshot travels again";
    EXPECT_LE(engine.streamed - streamed, since + 1) << "what it had followed travels again";
    EXPECT_EQ(AwaitEnd(cluster, id).state, catalog::MoveState::kCancelled);
    ExpectAllAt(cluster, cluster.n1(), cluster.n2());
  });
}

// Who cancels hears of its answer only when the tenant has been deleted and nobody else knows of the move any more.
TEST_F(SeamTest, ACancelWhoseAnswerComesAfterTheMoveIsForgottenEndsByItself) {
  ReplicaEngine engine;
  With(engine, [&](FakeCluster& cluster) {
    engine.keeps_source = true;  // The move does not end by itself.
    const MoveId id = Start(cluster);
    while (RoleAt(cluster.n2()) != "owner") runtime::SleepFor(5ms);
    runtime::Event asked;
    runtime::Event answered;
    cluster.answer_change = [&](catalog::MoveState to) -> Result<void> {
      if (to != catalog::MoveState::kReverse) return {};
      asked.Set();
      answered.Wait();
      return Fail(ErrorKind::kTimeout, std::string(catalog::kAnswerLostCode), "the answer was lost");
    };
    runtime::TaskGroup fibers(core_);
    bool cancelled = false;
    fibers.Spawn("cancel", [&] {
      EXPECT_FALSE(cluster.n2().moves().Cancel(id));
      cancelled = true;
    });
    asked.Wait();
    fibers.Spawn("abandon", [&] { cluster.n2().moves().incoming().Abandon("shop"); });
    for (int turn = 0; turn < 100; ++turn) runtime::Yield();
    EXPECT_FALSE(cancelled);
    answered.Set();
    fibers.Join();
    EXPECT_FALSE(cluster.n2().moves().Knows(id));
    cluster.answer_change = {};
  });
}

TEST_F(SeamTest, SumsThatDifferStopTheMoveAndDeleteNothing) {
  RestEngine engine;
  With(engine, [&](FakeCluster& cluster) {
    engine.corrupt = true;
    const MoveId id = Start(cluster);
    for (int look = 0; look < 500 && RoleAt(cluster.n2()) != "mismatch"; ++look) runtime::SleepFor(5ms);
    ASSERT_EQ(RoleAt(cluster.n2()), "mismatch");
    const auto stopped = [&] {
      const auto receipts = cluster.n1().moves().outgoing().receipts();
      return receipts.size() == 1 && receipts[0].stopped == kMismatchCode;
    };
    for (int look = 0; look < 500 && !stopped(); ++look) runtime::SleepFor(5ms);
    EXPECT_TRUE(stopped());
    EXPECT_TRUE(cluster.n1().moves().outgoing().VerifyAgain(id));
    for (int look = 0; look < 500 && !stopped(); ++look) runtime::SleepFor(5ms);
    EXPECT_TRUE(stopped()) << "they still differ";
    cluster.Write("in between");
    EXPECT_TRUE(std::filesystem::exists(cluster.n1().TenantPath("shop")));
    EXPECT_TRUE(Cancel(cluster, id));
    EXPECT_EQ(AwaitEnd(cluster, id).state, catalog::MoveState::kCancelled);
    ExpectAllAt(cluster, cluster.n1(), cluster.n2());
  });
}

TEST_F(SeamTest, AnEngineThatANodeLacksIsAnsweredAsSuch) {
  RestEngine engine;
  With(engine, [&](FakeCluster& cluster) {
    catalog::MoveRecord record;
    record.id = "m1";
    record.tenant = "shop";
    record.source = "n1";
    record.destination = "n2";
    record.epoch_before = Epoch{1};
    ASSERT_TRUE(cluster.catalog->BeginMove(record));
    const auto channel = cluster.n1().OpenChannel("n2", "shop", core_.Now()).value();
    ASSERT_TRUE(channel->Send(Offer{OfferKind::kInit, 1, Epoch{1}, "m1", "shop", "n1", "other", {}}));
    EXPECT_EQ(channel->Receive().error().code, "ENGINE_UNKNOWN");
  });
}

}  // namespace
}  // namespace tradewind::move
