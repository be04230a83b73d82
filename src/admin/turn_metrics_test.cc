#include "admin/turn_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "runtime/fiber.h"
#include "runtime/test_core.h"
#include "runtime/turns.h"

namespace tradewind::admin {
namespace {

TEST(TurnMetrics, SayHowLongTurnsAreAndByWhat) {
  runtime::TestCore core;
  core.Run([&] {
    runtime::Yield();
    core.tick = std::chrono::milliseconds(2);
    static_cast<void>(core.Now());
    runtime::Yield();  // There has to be something to compare with.
    {
      const runtime::Activity activity("sort");
      core.tick = std::chrono::milliseconds(50);
      static_cast<void>(core.Now());
      core.tick = std::chrono::microseconds(1);
      runtime::Yield();
    }
  });
  const std::string text = net::RenderMetrics(TurnMetrics(core));
  EXPECT_THAT(text, testing::HasSubstr("tradewind_longest_turn_seconds{by=\"sort\"} 0.05"));
  EXPECT_THAT(text, testing::HasSubstr("tradewind_longest_turn_lately_seconds{by=\"sort\"} 0.05"));
  EXPECT_THAT(text, testing::HasSubstr("tradewind_long_turns_total{by=\"sort\"} 1"));
}

TEST(TurnMetrics, AreThereWhereNothingWasLong) {
  const runtime::TestCore core;
  EXPECT_THAT(net::RenderMetrics(TurnMetrics(core)),
              testing::HasSubstr("tradewind_long_turns_total{by=\"any\"} 0"));
}

}  // namespace
}  // namespace tradewind::admin
