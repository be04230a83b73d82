#include "move/options.h"

#include <gtest/gtest.h>

namespace tradewind::move {
namespace {

TEST(MoveOptions, ComeBackFromTheirText) {
  MoveOptions options;
  options.method = Method::kStopAndCopy;
  options.warm_up = WarmUp::kHot;
  options.pace.rate_bytes_per_s = 50'000'000;
  options.finish_by_ms = 1'700'000'000'000;
  const auto back = ParseMoveOptions(ToText(options));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->method, Method::kStopAndCopy);
  EXPECT_EQ(back->warm_up, WarmUp::kHot);
  EXPECT_EQ(back->pace.rate_bytes_per_s, 50'000'000u);
  EXPECT_FALSE(back->pace.setpoint);
  EXPECT_EQ(back->finish_by_ms, 1'700'000'000'000);
}

TEST(MoveOptions, KeepTheSetpoint) {
  MoveOptions options;
  options.pace.setpoint = pace::Objective{pace::Signal::kP99, 12.5};
  const auto back = ParseMoveOptions(ToText(options));
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->pace.follows_latency());
  EXPECT_EQ(back->pace.setpoint, options.pace.setpoint);
}

TEST(MoveOptions, OfAMoveWithoutAnyAreTheDefaults) {
  const auto options = ParseMoveOptions("");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->method, Method::kZephyr);
  EXPECT_EQ(options->warm_up, WarmUp::kNone);
  EXPECT_TRUE(options->pace.follows_latency());
  EXPECT_FALSE(options->pace.setpoint);
}

TEST(MoveOptions, ThatMakeNoSenseAreRefused) {
  for (const char* text : {"{", "[]", "{}", R"({"method":"magic","warm_up":"all","rate_bytes_per_s":1})",
                           R"({"method":"zephyr","warm_up":"all","rate_bytes_per_s":-1})",
                           R"({"method":"zephyr","warm_up":"all","setpoint":"soon"})"})
    EXPECT_FALSE(ParseMoveOptions(text)) << text;
}

}  // namespace
}  // namespace tradewind::move
