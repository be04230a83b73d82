#include "zephyr/read_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/limits.h"

namespace tradewind::zephyr {
namespace {

constexpr uint32_t kPageSize = 4096;
constexpr size_t kMostPages = limits::kReadAheadBytes / kPageSize;

std::vector<std::byte> LeafPage() {
  std::vector<std::byte> page(kPageSize);
  page[0] = std::byte{13};
  return page;
}

std::vector<std::byte> OverflowPage(uint8_t next) {
  std::vector<std::byte> page(kPageSize);
  page[3] = std::byte{next};
  return page;
}

// Leaves 10, 11, 12, ... of one tree.
std::vector<uint32_t> Leaves(uint32_t count) {
  std::vector<uint32_t> next(10 + count);
  for (uint32_t page = 10; page + 1 < 10 + count; ++page) next[page] = page + 1;
  return next;
}

std::vector<uint32_t> Follow(ReadAhead& ahead, uint32_t page, const std::vector<std::byte>& content) {
  std::vector<uint32_t> taken;
  static const std::vector<std::byte> leaf = LeafPage();
  EXPECT_TRUE(ahead.Follow(PageNumber{page}, content, [&](PageNumber next) -> Result<Bytes> {
    taken.push_back(next.value);
    return Bytes(leaf);
  }));
  return taken;
}

TEST(ReadAhead, BringsNothingAlongWithASinglePage) {
  ReadAhead ahead(kPageSize, Leaves(100));
  EXPECT_TRUE(Follow(ahead, 20, LeafPage()).empty());
  EXPECT_TRUE(Follow(ahead, 50, LeafPage()).empty());
}

TEST(ReadAhead, BringsEverMoreOfAScanUpToItsLimit) {
  ReadAhead ahead(kPageSize, Leaves(1000));
  uint32_t page = 10;
  size_t most = 0;
  for (size_t expected : {0u, 1u, 2u, 4u, 8u}) {
    const auto taken = Follow(ahead, page, LeafPage());
    EXPECT_EQ(taken.size(), expected);
    for (size_t index = 0; index < taken.size(); ++index) EXPECT_EQ(taken[index], page + 1 + index);
    page += 1 + static_cast<uint32_t>(taken.size());
  }
  for (int turn = 0; turn < 8; ++turn) {
    const auto taken = Follow(ahead, page, LeafPage());
    most = std::max(most, taken.size());
    page += 1 + static_cast<uint32_t>(taken.size());
  }
  EXPECT_EQ(most, kMostPages);
}

TEST(ReadAhead, FollowsTwoScansAtOnce) {
  ReadAhead ahead(kPageSize, Leaves(1000));
  Follow(ahead, 10, LeafPage());
  Follow(ahead, 500, LeafPage());
  EXPECT_EQ(Follow(ahead, 11, LeafPage()).size(), 1u);
  EXPECT_EQ(Follow(ahead, 501, LeafPage()).size(), 1u);
}

TEST(ReadAhead, BringsTheRestOfAnOverflowChain) {
  ReadAhead ahead(kPageSize, {});
  std::map<uint32_t, std::vector<std::byte>> chain{{6, OverflowPage(7)}, {7, OverflowPage(0)}};
  std::vector<uint32_t> taken;
  EXPECT_TRUE(ahead.Follow(PageNumber{5}, OverflowPage(6), [&](PageNumber next) -> Result<Bytes> {
    taken.push_back(next.value);
    return Bytes(chain.at(next.value));
  }));
  EXPECT_EQ(taken, (std::vector<uint32_t>{6, 7}));
}

TEST(ReadAhead, StopsWhereAChainLeadsToWhatWasSentAlready) {
  ReadAhead ahead(kPageSize, {});
  size_t asked = 0;
  EXPECT_TRUE(ahead.Follow(PageNumber{5}, OverflowPage(6), [&](PageNumber) -> Result<Bytes> {
    ++asked;
    return Bytes();
  }));
  EXPECT_EQ(asked, 1u);
}

}  // namespace
}  // namespace tradewind::zephyr
