#include "cli/drain_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/live_line.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using std::chrono::seconds;
using testing::HasSubstr;

json::value Progress(const char* state, int moved, const char* rest) {
  return json::parse(R"({"node":"n1","total":10,"tenants_per_s":2.5,"state":")" + std::string(state) +
                     R"(","moved":)" + std::to_string(moved) + rest + "}");
}

constexpr const char* kFailing =
    R"(,"moving":0,"failed":1,"failures":[{"tenant":"t7","reason":"it is stuck"}])";

TEST(DrainLine, ShowsHowFarItIsAndWhatFails) {
  const std::string line = DrainLine(Progress("draining", 5, R"(,"eta_s":61.2,"waiting_for":"rain")"));
  EXPECT_THAT(line, HasSubstr("[###############...............] 5 of 10 moved  2.5 tenants/s  ETA 1 m 02 s"));
  EXPECT_THAT(line, HasSubstr("waiting for rain"));
  EXPECT_THAT(DrainLine(Progress("draining", 5, kFailing)), HasSubstr("failing t7: it is stuck"));
}

TEST(DrainWatch, IsOverOnceTheNodeIsDrained) {
  DrainWatch watch;
  const runtime::TimePoint start{};
  EXPECT_FALSE(watch.IsOver(Progress("draining", 5, ""), start).value());
  EXPECT_TRUE(watch.IsOver(Progress("drained", 10, ""), start + seconds(1)).value());
  EXPECT_EQ(watch.IsOver(Progress("stopped", 5, ""), start + seconds(2)).error().code, "DRAIN_STOPPED");
}

TEST(DrainWatch, GivesUpOnADrainThatDoesNotGetOnAndSaysWhy) {
  DrainWatch watch;
  const runtime::TimePoint start{};
  EXPECT_FALSE(watch.IsOver(Progress("draining", 5, kFailing), start).value());
  EXPECT_FALSE(watch.IsOver(Progress("draining", 6, kFailing), start + seconds(59)).value());
  EXPECT_FALSE(watch.IsOver(Progress("draining", 6, kFailing), start + seconds(100)).value());
  const auto stuck = watch.IsOver(Progress("draining", 6, kFailing), start + seconds(120));
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().code, "DRAIN_STUCK");
  EXPECT_THAT(stuck.error().message, HasSubstr("t7: it is stuck"));
}

TEST(DrainWatch, IsPatientWithALargeTenantThatIsOnItsWay) {
  DrainWatch watch;
  const runtime::TimePoint start{};
  for (int minute = 0; minute < 10; ++minute)
    EXPECT_FALSE(
        watch.IsOver(Progress("draining", 5, R"(,"moving":1,"failed":0)"), start + minute * seconds(60))
            .value());
}

}  // namespace
}  // namespace tradewind::cli
