// The gateway's view of where tenants are: only ever newer.
#include "catalog/location_cache.h"

#include <gtest/gtest.h>

#include <optional>

namespace tradewind::catalog {
namespace {

const Ownership kFirst{"n1", Epoch{1}};
const Ownership kSecond{"n2", Epoch{2}};

TEST(LocationCache, FindsWhatItLearned) {
  LocationCache cache(10);
  EXPECT_EQ(cache.Find("t"), std::nullopt);
  EXPECT_TRUE(cache.Learn("t", kFirst));
  EXPECT_EQ(cache.Find("t"), kFirst);
}

TEST(LocationCache, TakesOnlyWhatIsNewer) {
  LocationCache cache(10);
  cache.Learn("t", kSecond);
  EXPECT_FALSE(cache.Learn("t", kFirst));
  EXPECT_FALSE(cache.Learn("t", kSecond));
  EXPECT_EQ(cache.Find("t"), kSecond);
  EXPECT_TRUE(cache.Learn("t", {"n1", Epoch{3}}));
  EXPECT_EQ(cache.Find("t"), (Ownership{"n1", Epoch{3}}));
}

TEST(LocationCache, DoesNotForgetATenantThatWasMadeAnew) {
  LocationCache cache(10);
  cache.Learn("t", kSecond);
  cache.Forget("t", Epoch{1});
  EXPECT_EQ(cache.Find("t"), kSecond);
  cache.Forget("t", Epoch{2});
  EXPECT_EQ(cache.Find("t"), std::nullopt);
}

TEST(LocationCache, StaysWithinItsBound) {
  LocationCache cache(2);
  cache.Learn("a", kFirst);
  cache.Learn("b", kFirst);
  EXPECT_TRUE(cache.Learn("a", kSecond));
  EXPECT_EQ(cache.Find("b"), kFirst);
  cache.Learn("c", kFirst);
  EXPECT_EQ(cache.Find("a"), std::nullopt);
  EXPECT_EQ(cache.Find("c"), kFirst);
}

}  // namespace
}  // namespace tradewind::catalog
