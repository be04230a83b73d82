#include "admin/move_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tradewind::admin {
namespace {

using testing::HasSubstr;

TEST(MoveMetrics, CountMovesByPhaseAndAddUpWhatTheyDid) {
  move::Receipt first;
  first.phase = move::Phase::kFinish;
  first.bytes_sent = 1000;
  first.pages_pulled = 3;
  first.refused_commits = 1;
  move::Receipt second = first;
  second.phase = move::Phase::kHandover;
  const std::string text = net::RenderMetrics(MoveMetrics({first, second}));
  EXPECT_THAT(text, HasSubstr("tradewind_moves{phase=\"finish\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_moves{phase=\"init\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_moves{phase=\"dual\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_moves_sent_bytes 2000\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_moves_pulled_pages 6\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_moves_refused_commits 2\n"));
}

TEST(DrainMetrics, SayHowFarADrainIs) {
  balance::DrainProgress progress;
  EXPECT_TRUE(DrainMetrics(progress).empty());
  progress.state = balance::DrainProgress::State::kDraining;
  progress.total = 10;
  progress.moved = 7;
  progress.moving = 2;
  progress.failures = {{"t", "stuck"}};
  const std::string text = net::RenderMetrics(DrainMetrics(progress));
  EXPECT_THAT(text, HasSubstr("tradewind_draining 1\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_drain_tenants{state=\"moved\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_drain_tenants{state=\"here\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_drain_tenants{state=\"failing\"} 1\n"));
}

}  // namespace
}  // namespace tradewind::admin
