#include "pace/end_latency.h"

#include <gtest/gtest.h>

namespace tradewind::pace {
namespace {

using namespace std::chrono_literals;

TEST(EndLatency, ComesThroughTheMessageAsItWas) {
  EndLatency latency{{100, 1.5, 3, 4}, 2.5, {3, 20, 0.25, 1.5}, {{"shop", {7, 1, 2, 3}}}};
  const auto read = DecodeEndLatency(Encode(latency));
  ASSERT_TRUE(read) << Describe(read.error());
  EXPECT_EQ(read->now.samples, 100u);
  EXPECT_EQ(read->now.p95_ms, 3);
  EXPECT_EQ(read->usual_p95_ms, 2.5);
  EXPECT_EQ(read->activity.under_way, 3u);
  EXPECT_EQ(read->activity.lately, 20u);
  EXPECT_EQ(read->activity.quiet_s, 0.25);
  EXPECT_EQ(read->activity.gap_s, 1.5);
  EXPECT_EQ(read->tenants.at("shop").mean_ms, 1);
}

TEST(EndLatency, IsAskedForSinceACertainTimeOrForAsFarBackAsASensorLooks) {
  const auto some = DecodeLatencyCall(Encode(LatencyCall{{"shop"}, 300ms}));
  ASSERT_TRUE(some);
  EXPECT_EQ(some->tenants, std::vector<TenantName>{"shop"});
  EXPECT_EQ(some->back, 300ms);
  EXPECT_FALSE(DecodeLatencyCall(Encode(LatencyCall{}))->back);
  EXPECT_FALSE(DecodeLatencyCall(R"({"tenants":[],"back_s":1e300})")->back) << "no sensor looks back so far";
}

TEST(EndLatency, RefusesWhatMakesNoSense) {
  for (const char* text : {"", "7", "{}", R"({"tenants":[7]})", R"({"tenants":["A b"]})",
                           R"({"tenants":[],"back_s":-1})", R"({"tenants":[],"back_s":"soon"})"})
    EXPECT_EQ(DecodeLatencyCall(text).error().code, "LATENCY_MESSAGE") << text;
  const std::string good = Encode(EndLatency{});
  for (const char* name : {"now", "usual_p95_ms", "activity", "tenants", "samples", "quiet_s"}) {
    std::string text = good;
    text.replace(text.find(name), 1, "_");
    EXPECT_EQ(DecodeEndLatency(text).error().code, "LATENCY_MESSAGE") << text;
  }
  std::string negative = good;
  negative.replace(negative.find("\"samples\":0"), 11, "\"samples\":-1");
  EXPECT_FALSE(DecodeEndLatency(negative));
}

}  // namespace
}  // namespace tradewind::pace
