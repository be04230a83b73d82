#include "move/options.h"

#include <gtest/gtest.h>

namespace tradewind::move {
namespace {

TEST(MoveOptions, ComeBackFromTheirText) {
  MoveOptions options;
  options.method = Method::kStopAndCopy;
  options.warm_up = WarmUp::kHot;
  options.rate_bytes_per_s = 50'000'000;
  const auto back = ParseMoveOptions(ToText(options));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->method, Method::kStopAndCopy);
  EXPECT_EQ(back->warm_up, WarmUp::kHot);
  EXPECT_EQ(back->rate_bytes_per_s, 50'000'000u);
}

TEST(MoveOptions, OfAMoveWithoutAnyAreTheDefaults) {
  const auto options = ParseMoveOptions("");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->method, Method::kZephyr);
  EXPECT_EQ(options->warm_up, WarmUp::kNone);
  EXPECT_EQ(options->rate_bytes_per_s, 0u);
}

TEST(MoveOptions, ThatMakeNoSenseAreRefused) {
  for (const char* text : {"{", "[]", "{}", R"({"method":"magic","warm_up":"all","rate_bytes_per_s":1})",
                           R"({"method":"zephyr","warm_up":"all","rate_bytes_per_s":-1})"})
    EXPECT_FALSE(ParseMoveOptions(text)) << text;
}

}  // namespace
}  // namespace tradewind::move
