#include "balance/drain_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace tradewind::balance {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DrainQueueTest : public testing::Test {
 protected:
  void Add(const TenantName& name, uint64_t bytes) {
    here_.push_back(name);
    queue_.Refresh(here_);
    queue_.NoteSize(name, bytes);
  }
  TenantName Next() const {
    const auto next = queue_.Smallest();
    return next ? next->tenant : "none";
  }

  DrainQueue queue_;
  std::vector<TenantName> here_;
  const runtime::TimePoint now_{hours(1)};
};

TEST_F(DrainQueueTest, CountsATenantBeforeItsSizeIsKnownAndLetsItGoAfterThat) {
  queue_.Refresh({"a", "b"});
  EXPECT_EQ(queue_.size(), 2u);
  EXPECT_EQ(queue_.ready(), 0u);
  EXPECT_EQ(Next(), "none");
  EXPECT_THAT(queue_.Unsized(), ElementsAre("a", "b"));
  queue_.NoteSize("b", 7);
  EXPECT_THAT(queue_.Unsized(), ElementsAre("a"));
  EXPECT_EQ(Next(), "b");
  EXPECT_EQ(queue_.Smallest()->bytes, 7u);
}

TEST_F(DrainQueueTest, LetsTheSmallestGoFirst) {
  Add("large", 30);
  Add("small", 10);
  Add("middle", 20);
  for (const TenantName name : {"small", "middle", "large"}) {
    EXPECT_EQ(Next(), name);
    queue_.BeginMove(name, "n2");
  }
  EXPECT_EQ(Next(), "none");
  EXPECT_EQ(queue_.size(), 3u) << "they are here until their moves have ended";
  queue_.Remove("middle");
  EXPECT_EQ(queue_.size(), 2u);
}

TEST_F(DrainQueueTest, KeepsTheFirstSizeAndNoneOfATenantThatHasLeft) {
  Add("a", 5);
  queue_.NoteSize("a", 500);
  EXPECT_EQ(queue_.Smallest()->bytes, 5u);
  queue_.Refresh({});
  queue_.NoteSize("a", 5);
  EXPECT_EQ(Next(), "none");
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(DrainQueueTest, ForgetsWhatIsNotHereAnyMoreUnlessItMoves) {
  Add("moves", 1);
  Add("waits", 2);
  queue_.BeginMove("moves", "n2");
  queue_.Refresh({});
  EXPECT_EQ(queue_.size(), 1u);
  EXPECT_EQ(Next(), "none");
  queue_.Remove("moves");
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(DrainQueueTest, LetsATenantRestUntilItsTimeHasCome) {
  Add("a", 1);
  queue_.BeginMove("a", "n2");
  queue_.Rest("a", now_ + seconds(2));
  EXPECT_EQ(queue_.next_wake(), now_ + seconds(2));
  queue_.Wake(now_ + seconds(1));
  EXPECT_EQ(Next(), "none");
  queue_.Wake(now_ + seconds(2));
  EXPECT_EQ(Next(), "a");
  EXPECT_EQ(queue_.Smallest()->unwanted, "") << "nothing has failed at n2";
  EXPECT_EQ(queue_.next_wake(), std::nullopt);
}

TEST_F(DrainQueueTest, WakesAllThatRestAtOnce) {
  Add("a", 1);
  Add("b", 2);
  for (const TenantName name : {"a", "b"}) {
    queue_.BeginMove(name, "n2");
    queue_.Rest(name, now_ + hours(1));
  }
  queue_.WakeAll();
  EXPECT_EQ(queue_.ready(), 2u);
  EXPECT_EQ(queue_.next_wake(), std::nullopt);
}

TEST_F(DrainQueueTest, WakesNobodyWhoHasLeftOrComeBackUnsized) {
  Add("a", 1);
  queue_.BeginMove("a", "n2");
  queue_.Rest("a", now_);
  queue_.Refresh({});
  queue_.Refresh({"a"});
  queue_.Wake(now_);
  EXPECT_EQ(queue_.ready(), 0u);
  queue_.NoteSize("a", 1);
  EXPECT_EQ(Next(), "a");
}

TEST_F(DrainQueueTest, WakesNobodyWhoMovesMeanwhile) {
  Add("a", 1);
  queue_.BeginMove("a", "n2");
  queue_.Rest("a", now_ + seconds(1));
  queue_.Refresh({});
  queue_.Refresh({"a"});  // It has come back.
  queue_.NoteSize("a", 1);
  queue_.BeginMove("a", "n2");
  queue_.Wake(now_ + seconds(1));
  EXPECT_EQ(queue_.ready(), 0u);
}

TEST_F(DrainQueueTest, DoublesThePauseWithEachFailureUpToTheLongest) {
  Add("a", 1);
  std::vector<runtime::Duration> pauses;
  for (int i = 0; i < 8; ++i) {
    queue_.BeginMove("a", "n2");
    queue_.NoteFailure("a", "stuck", now_);
    pauses.push_back(*queue_.next_wake() - now_);
    queue_.WakeAll();
  }
  constexpr runtime::Duration kFirst = limits::kDrainRetryPause;
  constexpr runtime::Duration kLongest = limits::kDrainRetryPauseLongest;
  EXPECT_THAT(pauses, ElementsAre(kFirst, 2 * kFirst, 4 * kFirst, 8 * kFirst, 16 * kFirst, 32 * kFirst,
                                  kLongest, kLongest));
}

TEST_F(DrainQueueTest, DoesNotWantThePlaceWhereATenantFailed) {
  Add("a", 1);
  EXPECT_EQ(queue_.Smallest()->unwanted, "");
  queue_.BeginMove("a", "n2");
  queue_.NoteFailure("a", "stuck", now_);
  queue_.WakeAll();
  EXPECT_EQ(queue_.Smallest()->unwanted, "n2");
}

TEST_F(DrainQueueTest, NamesWhatFailsOnlyAfterSomeTries) {
  Add("a", 1);
  for (uint32_t tries = 1; tries <= limits::kDrainTries; ++tries) {
    EXPECT_THAT(queue_.Failures(), IsEmpty());
    queue_.BeginMove("a", "n2");
    queue_.NoteFailure("a", "stuck " + std::to_string(tries), now_);
    queue_.WakeAll();
  }
  ASSERT_EQ(queue_.Failures().size(), 1u);
  EXPECT_EQ(queue_.Failures()[0].tenant, "a");
  EXPECT_EQ(queue_.Failures()[0].reason, "stuck " + std::to_string(limits::kDrainTries));
  EXPECT_THAT(queue_.WhatIsMissing(), HasSubstr("tenant a, which is tried again: stuck"));
}

TEST_F(DrainQueueTest, CountsTheMovesOfOthersUntilItMovesTheTenantItself) {
  Add("a", 1);
  queue_.BeginMove("a", "n2");
  EXPECT_EQ(queue_.in_other_moves(), 0u);
  queue_.RestInOtherMove("a", now_);
  EXPECT_EQ(queue_.in_other_moves(), 1u);
  EXPECT_THAT(queue_.WhatIsMissing(), HasSubstr("the move that tenant a is in"));
  EXPECT_THAT(queue_.Failures(), IsEmpty());
  queue_.Wake(now_);
  queue_.BeginMove("a", "n2");
  EXPECT_EQ(queue_.in_other_moves(), 0u);
  EXPECT_EQ(queue_.WhatIsMissing(), "");
}

TEST_F(DrainQueueTest, DropsAllThatWaitAndKeepsWhatMoves) {
  Add("moves", 1);
  Add("rests", 2);
  Add("ready", 3);
  queue_.Refresh({"moves", "rests", "ready", "unsized"});
  queue_.BeginMove("moves", "n2");
  queue_.BeginMove("rests", "n2");
  queue_.Rest("rests", now_);
  queue_.DropWaiting();
  EXPECT_EQ(queue_.size(), 1u);
  EXPECT_EQ(queue_.ready(), 0u);
  EXPECT_EQ(queue_.next_wake(), std::nullopt);
  queue_.Remove("moves");
  EXPECT_EQ(queue_.size(), 0u);
}

}  // namespace
}  // namespace tradewind::balance
