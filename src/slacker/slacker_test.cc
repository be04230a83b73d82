// Whole moves of instances, without servers and in virtual time (fake_instances.h): each step of a move, with a death, a cut
// and a cancel at each, and whatever of the tools and servers can fail.
#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "move/seam_fixture.h"
#include "slacker/fake_instances.h"
#include "slacker/source.h"

namespace tradewind::slacker {
namespace {

using namespace std::chrono_literals;
using move::FakeCluster;
using move::FakeNode;
using move::Step;

class SlackerTest : public move::SeamTest {
 protected:
  void WithCluster(std::function<void(FakeCluster&)> body) {
    With(engine_, [&](FakeCluster& cluster) {
      body(cluster);
      engine_.instances.Stop();
    });
  }
  move::Receipt ReceiptAt(FakeNode& node) {
    const auto receipts = node.moves().outgoing().receipts();
    EXPECT_EQ(receipts.size(), 1u);
    return receipts.empty() ? move::Receipt() : receipts[0];
  }
  std::string SavedReceipt(FakeCluster& cluster, const MoveId& id) {
    return cluster.catalog->GetMove(id)->receipt;
  }
  void AwaitOwner(FakeCluster& cluster, const NodeName& owner) {
    while (cluster.catalog->GetTenant("shop")->ownership.owner != owner) runtime::SleepFor(2ms);
  }
  void ExpectMoved(FakeCluster& cluster, const MoveId& id) {
    EXPECT_EQ(AwaitEnd(cluster, id).state, catalog::MoveState::kDone);
    ExpectAllAt(cluster, cluster.n2(), cluster.n1());
  }
  // How long a snapshot takes up to its last stages, of 4 MB that are written at 100 kB/s and sent at 10.
  runtime::Duration TimeUntilTheLastStages(uint64_t log_capacity) {
    options_.pace.rate_bytes_per_s = 10'000;
    engine_.servers.log_bytes_per_s = 100'000;
    engine_.servers.log_capacity = log_capacity;
    engine_.servers.snapshot_bytes = 4'000'000;
    engine_.servers.prepare_bytes = 10'000;
    runtime::Duration took{};
    WithCluster([&](FakeCluster& cluster) {
      std::optional<runtime::TimePoint> began;
      engine_.servers.on_read = [&](uint64_t at) {
        if (!began) began = core_.Now();
        if (at <= 3'900'000) took = core_.Now() - *began;
      };
      ExpectMoved(cluster, Start(cluster));
    });
    return took;
  }
  void ExpectCancelled(FakeCluster& cluster, const MoveId& id) {
    EXPECT_EQ(AwaitEnd(cluster, id).state, catalog::MoveState::kCancelled);
    ExpectAllAt(cluster, cluster.n1(), cluster.n2());
  }

  EngineOfFakes engine_;
};

// -- At each step

class EachSlackerStep : public SlackerTest, public testing::WithParamInterface<std::string_view> {
 protected:
  Step step() const { return *move::ParseStep(GetParam()); }
  // Those of what travels that this engine does not come to.
  bool is_reached() const {
    return step() != Step::kDestinationSyncedList && step() != Step::kDestinationHasHalf &&
           step() != Step::kSourcePushedHalf;
  }
};

TEST_P(EachSlackerStep, ADeathLosesNothingAndTheMoveEnds) {
  if (!is_reached()) GTEST_SKIP() << "no step of this engine";
  ExpectNothingLostByADeath(engine_, step());
}

TEST_P(EachSlackerStep, ACancelBringsTheTenantBack) {
  if (!is_reached()) GTEST_SKIP() << "no step of this engine";
  if (move::IsBeforeTheEnd(step())) options_.keep_source = 5s;
  ExpectBackAfterACancel(engine_, step());
}

TEST_P(EachSlackerStep, ADeathOnTheWayBackLosesNothing) {
  if (!is_reached() || step() == Step::kDestinationPrepared)
    GTEST_SKIP() << "no step of a move that goes back";
  options_.keep_source = 5s;
  ExpectBackAfterADeathOnTheWay(engine_, step());
}

TEST_P(EachSlackerStep, ACutOfTheLinkLosesNothingAndTheMoveEnds) {
  if (!is_reached()) GTEST_SKIP() << "no step of this engine";
  WithCluster([&](FakeCluster& cluster) {
    bool cut = false;
    cluster.on_step = [&](FakeNode&, Step reached) {
      if (reached != step() || std::exchange(cut, true)) return;
      for (auto& link : cluster.links) link.pair->Cut();
    };
    ExpectMoved(cluster, Start(cluster));
    EXPECT_TRUE(cut);
  });
}

INSTANTIATE_TEST_SUITE_P(Slacker, EachSlackerStep, testing::ValuesIn(move::kStepNames), [](const auto& of) {
  std::string name(of.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// -- What can fail

TEST_F(SlackerTest, ATenantMovesWithASnapshotRoundsAndOneFreeze) {
  engine_.servers.snapshot_bytes = 20'000'000;  // While it travels more is written.
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    ExpectMoved(cluster, id);
    EXPECT_EQ(engine_.servers.backups, 1);
    EXPECT_EQ(engine_.servers.freezes, 1);
    EXPECT_EQ(engine_.servers.thaws, 0);
    EXPECT_GT(engine_.servers.followed, 0);
    const std::string receipt = SavedReceipt(cluster, id);
    for (const char* part :
         {R"("method":"slacker")", R"("snapshot_ms":)", R"("prepare_ms":)", R"("catchup_ms":)",
          R"("rounds":)", R"("failed_freezes":0)", R"("verified":true)"})
      EXPECT_THAT(receipt, testing::HasSubstr(part));
    EXPECT_THAT(receipt, testing::Not(testing::HasSubstr(R"("snapshot_ms":null)")));
  });
}

TEST_F(SlackerTest, ABackupThatFailsIsMadeAgain) {
  engine_.servers.backups_that_fail = 2;
  WithCluster([&](FakeCluster& cluster) {
    ExpectMoved(cluster, Start(cluster));
    EXPECT_EQ(engine_.servers.backups, 3);
  });
}

TEST_F(SlackerTest, ABackupThatNeverSucceedsCancelsTheMoveAndSaysWhy) {
  engine_.servers.backups_that_fail = 1000;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    ExpectCancelled(cluster, id);
    EXPECT_THAT(SavedReceipt(cluster, id), testing::HasSubstr("the test makes this backup fail"));
  });
}

TEST_F(SlackerTest, APreparationThatFailsIsMadeAgain) {
  engine_.servers.prepares_that_fail = 1;
  WithCluster([&](FakeCluster& cluster) {
    ExpectMoved(cluster, Start(cluster));
    EXPECT_EQ(engine_.servers.backups, 2);
  });
}

TEST_F(SlackerTest, AReplicaThatIsNotLetInCancelsTheMoveAndSaysWhy) {
  engine_.servers.lets_replicas_in = false;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    while (!catalog::IsOver(cluster.catalog->GetMove(id)->state)) {
      cluster.Write("meanwhile");
      runtime::SleepFor(5ms);
    }
    ExpectCancelled(cluster, id);
    EXPECT_THAT(SavedReceipt(cluster, id), testing::HasSubstr("it is not let in"));
  });
}

TEST_F(SlackerTest, AFreezeThatFailsIsTriedAgainAndTheTenantIsServedInBetween) {
  engine_.servers.freezes_that_fail = 3;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    while (engine_.servers.freezes_that_fail > 0) {
      cluster.Write("between");
      EXPECT_EQ(cluster.catalog->GetTenant("shop")->ownership.owner, "n1");
      if (engine_.servers.freezes > 0 && engine_.servers.freezes_that_fail > 0) {
        EXPECT_THAT(ReceiptAt(cluster.n1()).waiting_for, testing::HasSubstr("somebody holds a lock"));
      }
      runtime::SleepFor(20ms);
    }
    ExpectMoved(cluster, id);
    EXPECT_EQ(engine_.servers.freezes, 4);
    EXPECT_EQ(engine_.servers.backups, 1) << "what was copied is copied again";
    EXPECT_THAT(SavedReceipt(cluster, id), testing::HasSubstr(R"("failed_freezes":3)"));
  });
}

TEST_F(SlackerTest, ACopyThatNeverComesNearerEndsTheMoveAndClientsWaitForNoFreeze) {
  engine_.servers.apply_takes = 3s;
  options_.pace.rate_bytes_per_s = 50'000;  // While the snapshot travels something is written.
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    const auto began = core_.Now();
    bool said = false;
    while (!catalog::IsOver(cluster.catalog->GetMove(id)->state)) {
      const auto before = core_.Now();
      cluster.Write("meanwhile");
      EXPECT_LT(core_.Now() - before, 500ms) << "a client waits";
      const auto receipts = cluster.n1().moves().outgoing().receipts();
      for (const auto& receipt : receipts) {
        if (!testing::Value(receipt.waiting_for, testing::HasSubstr("transactions behind"))) continue;
        EXPECT_GT(receipt.lag_transactions, 0u);
        said = true;
      }
      if (core_.Now() - began > 20min) {
        ADD_FAILURE() << "it goes on without end";
        Cancel(cluster, id);
        break;
      }
      runtime::SleepFor(1s);
    }
    EXPECT_TRUE(said);
    EXPECT_GT(core_.Now() - began, 10min);
    EXPECT_EQ(engine_.servers.freezes, 0);
    EXPECT_EQ(engine_.servers.backups, 1) << "another copy would not follow faster";
    ExpectCancelled(cluster, id);
    EXPECT_THAT(SavedReceipt(cluster, id),
                testing::HasSubstr("for 10 min it was no less behind, and is now by "));
  });
}

// Each round is three quarters of the one before, and they take more than half an hour together.
TEST_F(SlackerTest, ACopyThatComesNearerSlowlyIsWaitedForHoweverLongThatTakes) {
  engine_.servers.apply_takes = 3s;
  options_.pace.rate_bytes_per_s = 400;  // A snapshot takes longer than a copy may come no nearer.
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    const auto began = core_.Now();
    std::optional<runtime::TimePoint> snapshot_at;
    while (cluster.catalog->GetTenant("shop")->ownership.owner == "n1" &&
           !catalog::IsOver(cluster.catalog->GetMove(id)->state) && core_.Now() - began < 5h) {
      cluster.Write("meanwhile");
      runtime::SleepFor(4s);
      if (!snapshot_at && engine_.servers.followed > 0) snapshot_at = core_.Now();
    }
    ASSERT_TRUE(snapshot_at);
    EXPECT_GT(*snapshot_at - began, kReplicaPatience);
    EXPECT_GT(core_.Now() - *snapshot_at, 3 * kReplicaPatience);
    engine_.servers.apply_takes = {};
    ExpectMoved(cluster, id);
    EXPECT_EQ(engine_.servers.backups, 1);
  });
}

TEST_F(SlackerTest, ACopyThatIsNearButNeverInTimeForAFreezeEndsTheMove) {
  engine_.servers.apply_takes = 3s;
  WithCluster([&](FakeCluster& cluster) {
    engine_.servers.on_freeze = [&](move::FakeCopy& source) {
      cluster.written.push_back("late " + std::to_string(engine_.servers.freezes));
      source.items[source.next()] = cluster.written.back();
      EXPECT_TRUE(source.Save());
    };
    const MoveId id = Start(cluster);
    const auto began = core_.Now();
    while (!catalog::IsOver(cluster.catalog->GetMove(id)->state) && core_.Now() - began < 30min)
      runtime::SleepFor(1s);
    EXPECT_GT(core_.Now() - began, kReplicaPatience);
    if (core_.Now() - began >= 30min) {
      ADD_FAILURE() << "it goes on without end";
      Cancel(cluster, id);
    }
    EXPECT_GT(engine_.servers.freezes, 10);
    ExpectCancelled(cluster, id);
    EXPECT_THAT(SavedReceipt(cluster, id),
                testing::HasSubstr("for 10 min it was near to it, and had never all"));
  });
}

TEST_F(SlackerTest, AFreezeThatTheCopyWasTooSlowForIsTriedAgainOnlyOnceItIsNear) {
  engine_.servers.apply_takes = 3s;
  WithCluster([&](FakeCluster& cluster) {
    // Behind the rounds, in which nothing is written, and before the freeze.
    engine_.servers.open_since = cluster.core.Now() - 10s;
    const MoveId id = Start(cluster);
    while (!testing::Value(ReceiptAt(cluster.n1()).waiting_for, testing::HasSubstr("stays open")))
      runtime::SleepFor(20ms);
    cluster.Write("late");
    engine_.servers.open_since.reset();
    while (ReceiptAt(cluster.n1()).failed_freezes == 0) runtime::SleepFor(20ms);
    for (int write = 0; write < 60; ++write) {
      cluster.Write("meanwhile");
      runtime::SleepFor(1s);
    }
    EXPECT_EQ(engine_.servers.freezes, 1);
    EXPECT_THAT(ReceiptAt(cluster.n1()).waiting_for, testing::HasSubstr("transactions behind"));
    engine_.servers.apply_takes = {};
    ExpectMoved(cluster, id);
    EXPECT_EQ(engine_.servers.freezes, 2);
    EXPECT_EQ(engine_.servers.backups, 1);
  });
}

// An idle transaction, LOCK TABLES: they are waited for while others are served, and then end.
TEST_F(SlackerTest, WhatAClientKeepsOpenForTooLongEndsBeforeTheGateIsClosed) {
  WithCluster([&](FakeCluster& cluster) {
    engine_.servers.open_since = cluster.core.Now() - 10s;
    const MoveId id = Start(cluster);
    while (!testing::Value(ReceiptAt(cluster.n1()).waiting_for, testing::HasSubstr("stays open")))
      runtime::SleepFor(20ms);
    for (int write = 0; write < 50; ++write) {
      cluster.Write("meanwhile");
      runtime::SleepFor(20ms);
    }
    EXPECT_EQ(engine_.servers.freezes, 0);
    EXPECT_EQ(engine_.servers.open_sessions_ended, 0) << "it has some time";
    ExpectMoved(cluster, id);
    EXPECT_EQ(engine_.servers.open_sessions_ended, 1);
    EXPECT_EQ(engine_.servers.freezes, 1);
  });
}

TEST_F(SlackerTest, SumsThatDifferStopTheMoveAndDeleteNothing) {
  engine_.servers.corrupts_sums = true;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    const auto stopped = [&] {
      const auto receipts = cluster.n1().moves().outgoing().receipts();
      return receipts.size() == 1 && receipts[0].stopped == move::kMismatchCode;
    };
    for (int look = 0; look < 2'000 && !stopped(); ++look) {
      if (look % 10 == 0) cluster.Write("meanwhile");
      runtime::SleepFor(5ms);
    }
    ASSERT_TRUE(stopped());
    EXPECT_EQ(RoleAt(cluster.n2()), "mismatch");
    EXPECT_THAT(ReceiptAt(cluster.n1()).error, testing::HasSubstr("the sums of 1 tables at node n2"));
    EXPECT_TRUE(std::filesystem::exists(cluster.n1().TenantPath("shop")));
    cluster.Write("it serves");
    engine_.servers.corrupts_sums = false;
    EXPECT_TRUE(cluster.n1().moves().outgoing().VerifyAgain(id));
    ExpectMoved(cluster, id);
  });
}

TEST_F(SlackerTest, BothCopiesAreReadSideBySideAtTheMovesPace) {
  engine_.servers.rows_bytes = 4'000'000;
  options_.pace.rate_bytes_per_s = 400'000;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    AwaitOwner(cluster, "n2");
    const auto passed_on = core_.Now();
    ExpectMoved(cluster, id);
    EXPECT_GE(core_.Now() - passed_on, 9s);
    ASSERT_EQ(engine_.servers.rows_read.size(), 2u);
    for (const auto& [instance, bytes] : engine_.servers.rows_read) EXPECT_EQ(bytes, 4'000'000u);
    EXPECT_LE(engine_.servers.rows_apart, limits::kPrepareAheadBytes + 200'000);
  });
}

TEST_F(SlackerTest, WhatTheDestinationReadsBeyondTheSourceHasTheMovesPaceToo) {
  engine_.servers.rows_bytes = 4'000'000;
  engine_.servers.rows_bytes_of_second = 100'000;
  options_.pace.rate_bytes_per_s = 400'000;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    AwaitOwner(cluster, "n2");
    const auto passed_on = core_.Now();
    ExpectMoved(cluster, id);
    EXPECT_GE(core_.Now() - passed_on, 6s);
    EXPECT_LT(core_.Now() - passed_on, 15s);
  });
}

TEST_F(SlackerTest, NothingIsHeldBackOfATableThatSomebodyWaitsFor) {
  engine_.servers.rows_bytes = 4'000'000;
  engine_.servers.rows_are_waited_for = true;
  options_.pace.rate_bytes_per_s = 10'000;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    AwaitOwner(cluster, "n2");
    const auto passed_on = core_.Now();
    ExpectMoved(cluster, id);
    EXPECT_LT(core_.Now() - passed_on, 5s);
  });
}

TEST_F(SlackerTest, TheSourceFollowsForAsLongAsItIsKeptAndTheTenantGoesBackByThat) {
  options_.keep_source = 20s;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    AwaitOwner(cluster, "n2");
    for (auto& link : cluster.links) link.pair->Cut();  // It follows over a new one, too.
    for (int number = 0; number < 5; ++number) cluster.Write("at n2, " + std::to_string(number));
    for (int look = 0; look < 1000 && cluster.ContentAt(cluster.n1()) != cluster.written; ++look)
      runtime::SleepFor(5ms);
    EXPECT_EQ(cluster.ContentAt(cluster.n1()), cluster.written) << "it follows";
    EXPECT_EQ(RoleAt(cluster.n1()), "dual");
    EXPECT_TRUE(Cancel(cluster, id));
    AwaitOwner(cluster, "n1");
    EXPECT_EQ(engine_.servers.backups, 1) << "a snapshot travels again";
    ExpectCancelled(cluster, id);
  });
}

TEST_F(SlackerTest, WhatIsKeptIsGoneOnceItsTimeIsOver) {
  options_.keep_source = 3s;
  WithCluster([&](FakeCluster& cluster) {
    const MoveId id = Start(cluster);
    AwaitOwner(cluster, "n2");
    const auto passed_on = core_.Now();
    ExpectMoved(cluster, id);
    EXPECT_GE(core_.Now() - passed_on, 3s);
  });
}

// -- The traps of a backup (mariadb/backup.h)

// Trap 2: at 20 kB/s the last stages alone would take five seconds, and every commit as long.
TEST_F(SlackerTest, NothingIsHeldBackInTheLastStagesOfABackup) {
  options_.pace.rate_bytes_per_s = 20'000;
  WithCluster([&](FakeCluster& cluster) {
    const auto began = core_.Now();
    ExpectMoved(cluster, Start(cluster));
    EXPECT_GE(core_.Now() - began, 10s) << "what is before them goes at the rate";
    EXPECT_LT(engine_.servers.longest_final_stage, 100ms);
  });
}

// Trap 3: written at 100 kB/s, sent at 10: the log would come round after some seconds.
TEST_F(SlackerTest, ASnapshotIsSentFasterThanTheRedoLogGrows) {
  const runtime::Duration took = TimeUntilTheLastStages(100'000'000);
  EXPECT_LT(took, 39s) << "slower than the log grows";
  EXPECT_GT(took, 5s) << "it has a floor, and no more than that";
}

TEST_F(SlackerTest, NothingIsHeldBackWhileTheRedoLogIsAboutToComeRound) {
  EXPECT_LT(TimeUntilTheLastStages(100'000), 5s);
}

}  // namespace
}  // namespace tradewind::slacker
