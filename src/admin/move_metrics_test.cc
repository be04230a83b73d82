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

TEST(MoveTotalMetrics, SayHowLongMovesAndTheirPhasesTook) {
  move::MoveTotals totals;
  move::Receipt receipt;
  receipt.started_at = 1'000;
  receipt.ended_at = 3'000;
  receipt.init_ms = 1'900;
  receipt.handover_ms = 4;
  totals.Record(receipt, "done", 9'000);
  receipt.ended_at.reset();
  totals.Record(receipt, "cancelled", 1'500);
  const std::string text = net::RenderMetrics(MoveTotalMetrics(totals));
  EXPECT_THAT(text,
              HasSubstr("tradewind_move_seconds_bucket{method=\"zephyr\",outcome=\"done\",le=\"1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_move_seconds_sum{method=\"zephyr\",outcome=\"done\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tradewind_move_seconds_sum{method=\"zephyr\",outcome=\"cancelled\"} 0.5\n"));
  EXPECT_THAT(text,
              HasSubstr("tradewind_move_phase_seconds_count{method=\"zephyr\",phase=\"handover\"} 2\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("phase=\"dual\""))) << "they were never there";
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
