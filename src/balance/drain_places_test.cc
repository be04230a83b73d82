#include "balance/drain_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "catalog/test_catalog.h"

namespace tradewind::balance {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::HasSubstr;

class DrainPlacesTest : public testing::Test {
 protected:
  DrainPlacesTest() { places_.SetTargets({}, now_); }

  void Find(const std::vector<NodePlace>& found) {
    places_.BeginLook();
    places_.EndLook(found, now_, [](const NodeName&) { return 0; });
  }

  const runtime::TimePoint now_{hours(1)};
  DrainPlaces places_{"n1"};
};

TEST_F(DrainPlacesTest, KnowNothingBeforeTheFirstLook) {
  EXPECT_TRUE(places_.IsDue(now_));
  EXPECT_EQ(places_.Take({}), "");
  EXPECT_EQ(places_.WhatIsMissing(), "") << "nobody has looked";
}

TEST_F(DrainPlacesTest, AreLookedAtByOneAtATimeAndNotTooOften) {
  places_.BeginLook();
  EXPECT_FALSE(places_.IsDue(now_ + hours(1)));
  places_.EndLook({}, now_, [](const NodeName&) { return 0; });
  EXPECT_FALSE(places_.IsDue(now_));
  EXPECT_TRUE(places_.IsDue(now_ + limits::kNodeWatch));
  places_.LookBy(now_ + milliseconds(1));
  EXPECT_TRUE(places_.IsDue(now_ + milliseconds(1)));
  places_.LookBy(now_ + hours(1));
  EXPECT_TRUE(places_.IsDue(now_ + milliseconds(1))) << "it is never put off";
}

TEST_F(DrainPlacesTest, CountWhatIsSentToThem) {
  Find({{"n1", true, true, 0}, {"n2", true, false, 1}, {"n3", true, false, 0}});
  EXPECT_EQ(places_.Take({}), "n3");
  EXPECT_EQ(places_.Take({}), "n2");
  EXPECT_EQ(places_.Take({}), "n3");
}

TEST_F(DrainPlacesTest, CountWhatWasOnItsWayBeforeTheLook) {
  places_.BeginLook();
  places_.EndLook(std::vector<NodePlace>{{"n2", true, false, 0}, {"n3", true, false, 1}}, now_,
                  [](const NodeName& node) { return node == "n2" ? 5 : 0; });
  EXPECT_EQ(places_.Take({}), "n3");
}

TEST_F(DrainPlacesTest, AreOnlyThoseThatWereNamed) {
  places_.SetTargets({"n3"}, now_);
  Find({{"n2", true, false, 0}, {"n3", true, false, 9}});
  EXPECT_EQ(places_.Take("n3"), "n3") << "there is no other";
  Find({{"n2", true, false, 0}, {"n3", false, false, 9}});
  EXPECT_EQ(places_.Take({}), "");
  EXPECT_EQ(places_.WhatIsMissing(), "n3 to be up and not draining");
}

TEST_F(DrainPlacesTest, AreForgottenWhenOthersAreNamed) {
  Find({{"n2", true, false, 0}, {"n3", true, false, 0}});
  places_.SetTargets({"n3"}, now_);
  EXPECT_EQ(places_.Take({}), "");
  EXPECT_EQ(places_.WhatIsMissing(), "");
  EXPECT_TRUE(places_.IsDue(now_));
}

TEST_F(DrainPlacesTest, AreNeverTheNodeItselfNorOneWithAnOlderSqlite) {
  Find({{"n1", true, false, 0, "", 3'053'002},
        {"n2", true, false, 0, "", 3'053'001},
        {"n3", true, false, 9, "", 3'053'002}});
  EXPECT_EQ(places_.Take({}), "n3");
  Find({{"n1", true, false, 0, "", 3'053'002}, {"n2", true, false, 0, "", 3'053'001}});
  EXPECT_EQ(places_.Take({}), "");
  EXPECT_THAT(places_.WhatIsMissing(),
              HasSubstr("another node that is up and not draining, with SQLite 3.53.2"));
}

TEST_F(DrainPlacesTest, StayKnownWhenALookFails) {
  Find({{"n2", true, false, 0}});
  places_.BeginLook();
  places_.EndLook(Fail(ErrorKind::kUnavailable, "CATALOG_UNAVAILABLE", "it is away"), now_,
                  [](const NodeName&) { return 0; });
  EXPECT_THAT(places_.WhatIsMissing(), HasSubstr("the catalog: "));
  EXPECT_EQ(places_.Take({}), "n2");
  EXPECT_FALSE(places_.IsDue(now_));
  Find({{"n2", true, false, 0}});
  EXPECT_EQ(places_.WhatIsMissing(), "");
}

TEST_F(DrainPlacesTest, AreMissingWhileNoneIsUpAndTakesTenants) {
  Find({{"n2", false, false, 0}, {"n3", true, true, 0}});
  EXPECT_EQ(places_.WhatIsMissing(), "another node that is up and not draining");
}

TEST(DrainTargets, AreOtherNodesThatCanReadWhatTheTenantsHold) {
  const std::vector<NodePlace> places = {{"n1", true, false, 0, "", 3'053'002},
                                         {"n2", true, false, 0, "", 3'053'001},
                                         {"n3", false, true, 0, "", 3'053'002}};
  const auto code = [&](const std::vector<NodeName>& to) {
    return catalog::CodeOf(CheckTargets("n1", to, places));
  };
  EXPECT_EQ(code({}), "no error");
  EXPECT_EQ(code({"n3"}), "no error") << "it may be up later";
  EXPECT_EQ(code({"n3", "n1"}), "DRAIN_TO_ITSELF");
  EXPECT_EQ(code({"n4"}), "NODE_NOT_FOUND");
  EXPECT_EQ(code({"n2"}), "SQLITE_OLDER");
}

}  // namespace
}  // namespace tradewind::balance
