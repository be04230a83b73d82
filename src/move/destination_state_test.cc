#include "move/destination_state.h"

#include <gtest/gtest.h>

namespace tradewind::move {
namespace {

using State = DestinationState;

constexpr State kAll[] = {State::kEmpty,    State::kReceiving, State::kFrozen, State::kDropping,
                          State::kReady,    State::kOpening,   State::kOwner,  State::kMismatch,
                          State::kReversed, State::kEnding,    State::kOver};

TEST(DestinationState, OwnsOnlyByWayOfReady) {
  for (const State from : kAll) {
    if (IsOwner(from) || from == State::kOpening) continue;
    for (const State to : kAll) {
      if (!IsOwner(to)) continue;
      EXPECT_FALSE(IsLegal(from, to)) << NameOf(from) << " to " << NameOf(to);
    }
    EXPECT_EQ(IsLegal(from, State::kOpening), from == State::kReady) << NameOf(from);
  }
}

TEST(DestinationState, AnOwnerIsNeverACopyAgain) {
  for (const State from : kAll) {
    if (!IsOwner(from)) continue;
    for (const State to :
         {State::kEmpty, State::kReceiving, State::kFrozen, State::kDropping, State::kReady, State::kOpening})
      EXPECT_FALSE(IsLegal(from, to)) << NameOf(from) << " to " << NameOf(to);
  }
}

TEST(DestinationState, WhatIsDroppedIsNeverReadyAgain) {
  EXPECT_FALSE(IsLegal(State::kDropping, State::kReady));
  EXPECT_FALSE(IsLegal(State::kDropping, State::kOpening));
  EXPECT_FALSE(IsLegal(State::kFrozen, State::kDropping)) << "the newest version of most of the tenant";
}

TEST(DestinationState, WhatIsReversedOrOverIsNotDone) {
  EXPECT_FALSE(IsLegal(State::kReversed, State::kEnding));
  EXPECT_FALSE(IsLegal(State::kEnding, State::kReversed));
  EXPECT_FALSE(IsLegal(State::kMismatch, State::kEnding));
  for (const State to : kAll) EXPECT_FALSE(IsLegal(State::kOver, to));
}

TEST(DestinationState, AnyMoveCanBeAbandoned) {
  for (const State from : kAll) {
    if (from == State::kOver) continue;
    EXPECT_TRUE(IsLegal(from, State::kOver)) << NameOf(from);
  }
}

}  // namespace
}  // namespace tradewind::move
