#include "balance/drain_moves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace tradewind::balance {
namespace {

using testing::IsEmpty;

uint64_t RateOf(const DrainMoves& moves, const TenantName& tenant) {
  return moves.Of(tenant).pace.rate_bytes_per_s.value();
}

TEST(DrainMoves, HaveRoomForSoManyAtATime) {
  DrainMoves moves;
  for (size_t i = 0; i < limits::kDrainMoves; ++i) {
    EXPECT_TRUE(moves.HasRoomFor(1));
    moves.Begin("t" + std::to_string(i), "n2", 1, 0);
  }
  EXPECT_EQ(moves.size(), limits::kDrainMoves);
  EXPECT_FALSE(moves.HasRoomFor(1));
  moves.End("t3");
  EXPECT_TRUE(moves.HasRoomFor(1));
}

TEST(DrainMoves, HaveRoomForSoManyBytesButForALargerOneThatGoesAlone) {
  DrainMoves moves;
  EXPECT_TRUE(moves.HasRoomFor(2 * limits::kDrainBytes));
  moves.Begin("a", "n2", limits::kDrainBytes - 10, 0);
  EXPECT_TRUE(moves.HasRoomFor(10));
  EXPECT_FALSE(moves.HasRoomFor(11));
  moves.Begin("b", "n2", 10, 0);
  EXPECT_FALSE(moves.HasRoomFor(1));
  EXPECT_EQ(moves.End("a").bytes, limits::kDrainBytes - 10);
  EXPECT_FALSE(moves.HasRoomFor(2 * limits::kDrainBytes)) << "b is not over";
  EXPECT_TRUE(moves.HasRoomFor(limits::kDrainBytes - 10)) << "a has given back what it had";
  moves.End("b");
  EXPECT_TRUE(moves.HasRoomFor(2 * limits::kDrainBytes));
}

TEST(DrainMoves, ShareTheRateWithThoseThatAreReady) {
  DrainMoves moves;
  moves.SetPace({.rate_bytes_per_s = 1200});
  moves.Begin("a", "n2", 1, 2);
  EXPECT_EQ(RateOf(moves, "a"), 400u);
  moves.Begin("b", "n2", 1, 1000);
  EXPECT_EQ(RateOf(moves, "b"), 1200 / limits::kDrainMoves) << "more than that never move at once";
}

TEST(DrainMoves, ShareWhatIsLeftWhenFewMove) {
  DrainMoves moves;
  moves.SetPace({.rate_bytes_per_s = 1200});
  for (const TenantName name : {"a", "b", "c"}) moves.Begin(name, "n2", 1, 9);
  moves.End("c");
  const auto shares = moves.ShareAnew(0);
  ASSERT_EQ(shares.size(), 2u);
  for (const auto& [name, pace] : shares) EXPECT_EQ(pace.rate_bytes_per_s, 600u) << name;
  EXPECT_EQ(RateOf(moves, "a"), 600u);
  EXPECT_THAT(moves.ShareAnew(0), IsEmpty()) << "they have it";
  moves.End("a");
  EXPECT_THAT(moves.ShareAnew(limits::kDrainMoves), IsEmpty()) << "others begin at once";
  EXPECT_EQ(moves.ShareAnew(limits::kDrainMoves - 1).size(), 1u);
}

TEST(DrainMoves, NeverShareARateDownToNoLimit) {
  DrainMoves moves;
  moves.SetPace({.rate_bytes_per_s = 3});
  moves.Begin("a", "n2", 1, 100);
  EXPECT_EQ(RateOf(moves, "a"), 1u) << "0 would be no limit";
}

TEST(DrainMoves, HaveNothingToShareWithoutARate) {
  DrainMoves moves;
  moves.SetPace({.rate_bytes_per_s = 0});
  moves.Begin("a", "n2", 1, 5);
  EXPECT_EQ(RateOf(moves, "a"), 0u);
  EXPECT_THAT(moves.ShareAnew(0), IsEmpty());
  moves.SetPace({});
  moves.Begin("b", "n2", 1, 5);
  EXPECT_TRUE(moves.Of("b").pace.follows_latency());
  EXPECT_THAT(moves.ShareAnew(0), IsEmpty());
}

TEST(DrainMoves, KnowHowManyGoToANode) {
  DrainMoves moves;
  moves.Begin("a", "n2", 1, 0);
  moves.Begin("b", "n3", 1, 0);
  moves.Begin("c", "n2", 1, 0);
  EXPECT_EQ(moves.CountTo("n2"), 2u);
  EXPECT_EQ(moves.CountTo("n4"), 0u);
  EXPECT_EQ(moves.End("a").to, "n2");
  EXPECT_EQ(moves.CountTo("n2"), 1u);
}

}  // namespace
}  // namespace tradewind::balance
