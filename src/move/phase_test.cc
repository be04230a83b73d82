#include "move/phase.h"

#include <gtest/gtest.h>

namespace tradewind::move {
namespace {

TEST(Phase, CannotBeCancelledOnceTheSwapMayHaveHappened) {
  EXPECT_TRUE(IsLegal(Phase::kInit, Phase::kCancelled));
  EXPECT_TRUE(IsLegal(Phase::kHandover, Phase::kInit)) << "and cancelled from there";
  EXPECT_FALSE(IsLegal(Phase::kDual, Phase::kCancelled));
  EXPECT_TRUE(IsLegal(Phase::kFinish, Phase::kCancelled)) << "at the end of the way back";
}

TEST(Phase, EndStatesAreFinal) {
  for (const Phase to :
       {Phase::kInit, Phase::kHandover, Phase::kDual, Phase::kFinish, Phase::kDone, Phase::kCancelled}) {
    EXPECT_FALSE(IsLegal(Phase::kDone, to));
    EXPECT_FALSE(IsLegal(Phase::kCancelled, to));
  }
}

TEST(Phase, CannotSkipTheHandOver) {
  EXPECT_FALSE(IsLegal(Phase::kInit, Phase::kDual));
  EXPECT_FALSE(IsLegal(Phase::kHandover, Phase::kFinish));
}

}  // namespace
}  // namespace tradewind::move
