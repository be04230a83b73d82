#include "base/zeroed_array.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <numeric>

namespace tradewind {
namespace {

size_t ResidentBytes() {
  size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(ZeroedArray, BeginsAsZeroesAndKeepsWhatIsWritten) {
  ZeroedArray<uint64_t> array(1000, 10);
  EXPECT_EQ(array.size(), 1000u);
  EXPECT_EQ(std::accumulate(array.span().begin(), array.span().end(), 0u), 0u);
  array[999] = 7;
  EXPECT_EQ(array[999], 7u);
  EXPECT_EQ(array[0], 0u);
}

TEST(ZeroedArray, WhatItGrowsByIsZeroWithinItsRoomAndBeyond) {
  ZeroedArray<uint64_t> array(4, 4);
  for (size_t index = 0; index < 4; ++index) array[index] = index + 1;
  array.Resize(2);
  array.Resize(8);
  array.Resize(100);
  EXPECT_EQ(array.size(), 100u);
  EXPECT_EQ(array[0], 1u);
  EXPECT_EQ(array[1], 2u);
  for (size_t index = 2; index < 100; ++index) EXPECT_EQ(array[index], 0u) << index;
}

TEST(ZeroedArray, TakesNoMemoryWhereNothingIsWritten) {
  const size_t before = ResidentBytes();
  ZeroedArray<uint64_t> array(64u << 20);
  array[32u << 20] = 1;
  EXPECT_LT(ResidentBytes(), before + (128u << 20)) << "of 512 MiB (a sanitizer keeps an eighth)";
}

}  // namespace
}  // namespace tradewind
