#include "cli/bench_results.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/client_command.h"
#include "cli/move_observer.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using load::RequestOutcome;

// A request each 10 ms for 20 s that takes as many milliseconds as the second it is sent in; each hundredth
// fails. Two tenants in turn.
std::vector<load::Sent> Requests() {
  std::vector<load::Sent> sent;
  for (uint32_t i = 0; i < 2000; ++i) {
    const double at = i / 100.0;
    sent.push_back({at, (static_cast<int64_t>(at) + 1) * 1'000'000, i % 2, 0,
                    i % 100 == 99 ? RequestOutcome::kFailed : RequestOutcome::kSucceeded});
  }
  return sent;
}

BenchRun TwentySeconds() {
  BenchRun run;
  run.warm_up_s = 2;
  run.duration_s = 20;
  run.tenants = {"a", "b"};
  return run;
}

TEST(BenchResults, LeaveTheWarmUpOutAndAddUp) {
  const json::value results = MakeResults(TwentySeconds(), Requests(), {"read"});
  const json::value& totals = MemberAt(results, "totals");
  EXPECT_EQ(NumberAt(totals, "requests"), 1800);
  EXPECT_EQ(NumberAt(totals, "failed"), 18);
  EXPECT_EQ(NumberAt(totals, "succeeded"), 1782);
  EXPECT_NEAR(NumberAt(totals, "per_s"), 100, 1e-6);
  EXPECT_EQ(NumberAt(totals, "max_ms"), 20);
  const json::array& timeline = MemberAt(results, "timeline").as_array();
  ASSERT_EQ(timeline.size(), 18u);
  double requests = 0, failed = 0;
  for (const json::value& point : timeline) {
    requests += NumberAt(point, "requests");
    failed += NumberAt(point, "failed");
    EXPECT_EQ(NumberAt(point, "p95_ms"), NumberAt(point, "t") + 3) << "by the moment of sending";
  }
  EXPECT_EQ(requests, 1800);
  EXPECT_EQ(failed, 18);
  double of_tenants = 0;
  for (const json::value& tenant : MemberAt(results, "tenants").as_array())
    of_tenants += NumberAt(tenant, "requests");
  EXPECT_EQ(of_tenants, 1800);
}

TEST(BenchResults, SplitTheTimeAroundTheMoves) {
  BenchRun run = TwentySeconds();
  run.moving = {{5, 8}, {7, 10}};
  const json::value results = MakeResults(run, Requests(), {"read"});
  const json::value& windows = MemberAt(results, "windows");
  EXPECT_EQ(NumberAt(MemberAt(windows, "before"), "requests"), 300);
  EXPECT_EQ(NumberAt(MemberAt(windows, "during"), "requests"), 500);
  EXPECT_NEAR(NumberAt(MemberAt(windows, "during"), "per_s"), 100, 1e-6) << "overlapping moves count once";
  EXPECT_EQ(NumberAt(MemberAt(windows, "after"), "requests"), 1000);
  const json::value without = MakeResults(TwentySeconds(), Requests(), {"read"});
  EXPECT_TRUE(MemberAt(MemberAt(without, "windows"), "before").is_null());
}

TEST(BenchResults, SayNothingOfLatencyWhereNothingSucceeded) {
  const json::value results = MakeResults(TwentySeconds(), {}, {});
  EXPECT_TRUE(MemberAt(MemberAt(results, "totals"), "p95_ms").is_null());
  EXPECT_EQ(MemberAt(results, "timeline").as_array().size(), 18u);
}

TEST(PlannedMove, IsATenantANodeAndAMoment) {
  const PlannedMove move = ParsePlannedMove("shop:n2@1500ms").value();
  EXPECT_EQ(move.tenant, "shop");
  EXPECT_EQ(move.node, "n2");
  EXPECT_EQ(move.at_s, 1.5);
  EXPECT_EQ(ParsePlannedDrain("n1@10s")->node, "n1");
  for (const char* text : {"", "shop", "shop:n2", "shop@n2:10s", "shop:n2@soon", ":n2@1s", "shop:@1s"})
    EXPECT_FALSE(ParsePlannedMove(text)) << text;
  for (const char* text : {"", "n1", "@10s", "n1@"}) EXPECT_FALSE(ParsePlannedDrain(text)) << text;
}

}  // namespace
}  // namespace tradewind::cli
