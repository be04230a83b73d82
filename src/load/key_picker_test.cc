#include "load/key_picker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace tradewind::load {
namespace {

std::vector<int> CountsByRank(KeyChoice choice, int64_t keys, int picks) {
  const KeyPicker picker(choice, keys);
  std::mt19937_64 random(7);
  std::map<int64_t, int> counts;
  for (int i = 0; i < picks; ++i) {
    const int64_t key = picker.Pick(random);
    EXPECT_GE(key, 1);
    EXPECT_LE(key, keys);
    ++counts[key];
  }
  std::vector<int> sorted;
  for (const auto& [key, count] : counts) sorted.push_back(count);
  std::sort(sorted.rbegin(), sorted.rend());
  return sorted;
}

TEST(KeyPicker, WantsAllKeysAlikeWhenUniform) {
  const auto counts = CountsByRank(KeyChoice::kUniform, 100, 100'000);
  ASSERT_EQ(counts.size(), 100u);
  EXPECT_LT(counts.front(), 1'300);
  EXPECT_GT(counts.back(), 700);
}

TEST(KeyPicker, WantsTheFirstKeyTwiceAsOftenAsTheSecondWhenZipfian) {
  const auto counts = CountsByRank(KeyChoice::kZipfian, 1'000'000, 200'000);
  // 1 / zeta(10^6, 0.99) is 6.5 %.
  EXPECT_NEAR(counts[0], 13'000, 1'000);
  EXPECT_NEAR(counts[1], counts[0] / 2, 700);
  EXPECT_GT(counts.size(), 20'000u) << "the rest is wanted as well";
}

TEST(KeyPicker, HasOneKeyToChooseFrom) {
  EXPECT_EQ(CountsByRank(KeyChoice::kZipfian, 1, 10), std::vector<int>{10});
  EXPECT_EQ(CountsByRank(KeyChoice::kZipfian, 2, 1'000).size(), 2u);
}

}  // namespace
}  // namespace tradewind::load
