#include "balance/placement.h"

#include <gtest/gtest.h>

namespace tradewind::balance {
namespace {

NodeName Chosen(std::vector<NodePlace> places, const NodeName& unwanted = {}) {
  const NodePlace* place = ChoosePlace(places, unwanted);
  return place ? place->name : "none";
}

TEST(Placement, TakesTheNodeWithTheFewestTenants) {
  EXPECT_EQ(Chosen({{"n1", true, false, 3}, {"n2", true, false, 2}, {"n3", true, false, 4}}), "n2");
  EXPECT_EQ(Chosen({{"n3", true, false, 2}, {"n2", true, false, 2}}), "n2");
}

TEST(Placement, LeavesOutWhatIsDownOrDraining) {
  EXPECT_EQ(Chosen({{"n1", false, false, 0}, {"n2", true, true, 0}, {"n3", true, false, 9}}), "n3");
  EXPECT_EQ(Chosen({{"n1", false, false, 0}, {"n2", true, true, 0}}), "none");
  EXPECT_EQ(Chosen({}), "none");
}

TEST(Placement, TakesAnUnwantedNodeOnlyAsALastResort) {
  EXPECT_EQ(Chosen({{"n1", true, false, 0}, {"n2", true, false, 9}}, "n1"), "n2");
  EXPECT_EQ(Chosen({{"n1", true, false, 0}, {"n2", false, false, 0}}, "n1"), "n1");
}

}  // namespace
}  // namespace tradewind::balance
