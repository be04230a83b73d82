#include "pace/objective.h"

#include <gtest/gtest.h>

namespace tradewind::pace {
namespace {

TEST(Objective, IsAFigureAndADuration) {
  EXPECT_EQ(ParseObjective("5ms").value(), (Objective{Signal::kP95, 5}));
  EXPECT_EQ(ParseObjective("p95:5ms").value(), (Objective{Signal::kP95, 5}));
  EXPECT_EQ(ParseObjective("p99:20ms").value(), (Objective{Signal::kP99, 20}));
  EXPECT_EQ(ParseObjective("mean:800us").value(), (Objective{Signal::kMean, 0.8}));
}

TEST(Objective, IsReadBackFromItsText) {
  for (const char* text : {"p95:5ms", "p99:20ms", "mean:0.8ms"})
    EXPECT_EQ(ToText(ParseObjective(text).value()), text);
}

TEST(Objective, IsRefusedWithASentenceWhenItIsNone) {
  for (const char* text : {"", "p95", "p95:", "p50:5ms", "p95:0ms", "p95:-1ms", "5", "fast"}) {
    const auto objective = ParseObjective(text);
    ASSERT_FALSE(objective) << text;
    EXPECT_EQ(objective.error().code, "OBJECTIVE_INVALID");
    EXPECT_FALSE(objective.error().action.empty());
  }
}

}  // namespace
}  // namespace tradewind::pace
