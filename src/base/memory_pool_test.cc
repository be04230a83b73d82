#include "base/memory_pool.h"

#include <gtest/gtest.h>

#include <vector>

namespace tradewind {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(Pool, GivesOneAloneHalfAndSeveralTheirShares) {
  for (const size_t takers : {1, 3, 9}) {
    Pool pool(1'000 * kMiB, kMiB);
    std::vector<uint64_t> has(takers);
    for (bool anybody = true; anybody;) {
      anybody = false;
      for (uint64_t& one : has) {
        if (!pool.MayTake(one, kMiB)) continue;
        pool.Take(kMiB);
        one += kMiB;
        anybody = true;
      }
    }
    for (const uint64_t one : has)
      EXPECT_NEAR(static_cast<double>(one / kMiB), 1'000.0 / (takers + 1), 2) << takers;
    EXPECT_LT(pool.used(), pool.bound());
  }
}

TEST(Pool, RefusesTheLargestFirstAndNobodyWhoWantsLittle) {
  Pool pool(100 * kMiB, kMiB);
  pool.Take(60 * kMiB);
  EXPECT_FALSE(pool.MayTake(45 * kMiB, kMiB));
  EXPECT_TRUE(pool.MayTake(15 * kMiB, kMiB));
  pool.Take(60 * kMiB);  // Of those that cannot be refused.
  EXPECT_FALSE(pool.MayTake(kMiB, 1));
  EXPECT_TRUE(pool.MayTake(0, kMiB));
  pool.Give(119 * kMiB);
  EXPECT_TRUE(pool.MayTake(45 * kMiB, kMiB));
  EXPECT_EQ(pool.peak(), 120 * kMiB);
}

TEST(Pool, IsFullWhenMoreIsUsedThanThereIsOrTooLittleWouldBeLeft) {
  Pool pool(100 * kMiB, kMiB);
  EXPECT_FALSE(pool.IsFull());
  pool.Take(90 * kMiB);
  EXPECT_FALSE(pool.IsFull());
  EXPECT_FALSE(pool.IsFull(10 * kMiB));
  EXPECT_TRUE(pool.IsFull(10 * kMiB + 1));
  EXPECT_FALSE(pool.IsFull(0, 10 * kMiB));
  EXPECT_TRUE(pool.IsFull(0, 10 * kMiB + 1));
  EXPECT_FALSE(pool.IsFull(6 * kMiB, 4 * kMiB));
  EXPECT_TRUE(pool.IsFull(6 * kMiB, 4 * kMiB + 1));
  pool.Take(10 * kMiB);  // To the last byte.
  EXPECT_FALSE(pool.IsFull());
  pool.Take(1);
  EXPECT_TRUE(pool.IsFull());
  pool.SetBound(200 * kMiB);
  EXPECT_FALSE(pool.IsFull());
}

TEST(MemoryCharge, CountsWhatIsHeldUntilItGoesAway) {
  const uint64_t before = Memory().used();
  const uint64_t bodies = MemoryOf(MemoryKind::kBodies).load();
  {
    MemoryCharge one(MemoryKind::kBodies);
    EXPECT_TRUE(one.TrySet(kMiB));
    MemoryCharge other = std::move(one);
    other.Set(3 * kMiB);
    other.Set(2 * kMiB);
    EXPECT_EQ(Memory().used(), before + 2 * kMiB);
    EXPECT_EQ(MemoryOf(MemoryKind::kBodies).load(), bodies + 2 * kMiB);
    const uint64_t refused = Memory().refused();
    EXPECT_FALSE(other.TrySet(Memory().bound()));
    EXPECT_EQ(Memory().refused(), refused + 1);
    EXPECT_EQ(other.bytes(), 2 * kMiB);
  }
  EXPECT_EQ(Memory().used(), before);
  EXPECT_EQ(MemoryOf(MemoryKind::kBodies).load(), bodies);
}

}  // namespace
}  // namespace tradewind
