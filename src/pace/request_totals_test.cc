#include "pace/request_totals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tradewind::pace {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

std::vector<TenantName> NamesOf(const std::vector<std::pair<TenantName, TenantUse>>& top) {
  std::vector<TenantName> names;
  for (const auto& [name, use] : top) names.push_back(name);
  return names;
}

TEST(RequestTotals, TellWhoUsedTheNodeMostAndNoMoreThanAsked) {
  RequestTotals totals;
  totals.Record(RequestKind::kPipeline, "little", milliseconds(1));
  for (int i = 0; i < 3; ++i) totals.Record(RequestKind::kCursor, "much", milliseconds(10));
  totals.Record(RequestKind::kWebSocket, "some", milliseconds(20));
  const auto top = totals.Top(2);
  EXPECT_THAT(NamesOf(top), ElementsAre("much", "some"));
  EXPECT_EQ(top[0].second.requests, 3u);
  EXPECT_NEAR(top[0].second.seconds, 0.030, 1e-9);
  EXPECT_EQ(totals.Of(RequestKind::kCursor).count(), 3u);
  EXPECT_EQ(totals.Of(RequestKind::kPipeline).count(), 1u);
}

TEST(RequestTotals, CountWhatANodeAsksForAnotherAsNobodysUse) {
  RequestTotals totals;
  totals.Record(RequestKind::kFromNode, "shop", milliseconds(5));
  EXPECT_EQ(totals.Of(RequestKind::kFromNode).count(), 1u);
  EXPECT_THAT(NamesOf(totals.Top(10)), ElementsAre());
}

TEST(RequestTotals, OfTwoCoresAddUp) {
  RequestTotals one, other;
  one.Record(RequestKind::kPipeline, "shop", milliseconds(5));
  other.Record(RequestKind::kPipeline, "shop", milliseconds(7));
  other.Record(RequestKind::kPipeline, "blog", milliseconds(6));
  one.Add(other);
  EXPECT_EQ(one.Of(RequestKind::kPipeline).count(), 3u);
  const auto top = one.Top(10);
  EXPECT_THAT(NamesOf(top), ElementsAre("shop", "blog"));
  EXPECT_EQ(top[0].second.requests, 2u);
}

TEST(RequestTotals, KeepTheLargeUsersHoweverManyTenantsCome) {
  RequestTotals totals;
  totals.Record(RequestKind::kPipeline, "large", milliseconds(1000));
  for (size_t i = 0; i < 3 * RequestTotals::kMostTenants; ++i)
    totals.Record(RequestKind::kPipeline, "t" + std::to_string(i), milliseconds(1));
  const auto all = totals.Top(10 * RequestTotals::kMostTenants);
  EXPECT_LE(all.size(), RequestTotals::kMostTenants);
  EXPECT_EQ(all.front().first, "large");
}

}  // namespace
}  // namespace tradewind::pace
