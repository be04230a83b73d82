#include "cli/bench_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/client_command.h"
#include "cli/move_observer.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using load::RequestOutcome;
using load::Sent;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

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

Sent At(double at_s, double latency_ms, RequestOutcome outcome = RequestOutcome::kSucceeded,
        uint32_t tenant = 0, uint16_t operation = 0) {
  return {at_s, static_cast<int64_t>(latency_ms * 1e6), tenant, operation, outcome};
}

// Ten seconds after a warm-up of two, one tenant.
BenchRun TenSeconds() {
  BenchRun run;
  run.title = "ycsb-b on shop";
  run.workload = "ycsb-b";
  run.warm_up_s = 2;
  run.duration_s = 12;
  run.tenants = {"shop"};
  run.ok = true;
  return run;
}

json::value ResultsOf(const BenchRun& run, const std::vector<Sent>& sent,
                      const std::vector<std::string>& operations = {"read"}) {
  return MakeResults(run, sent, operations);
}

std::vector<double> Figures(const json::value& list, const char* name) {
  std::vector<double> figures;
  for (const json::value& one : list.as_array()) figures.push_back(NumberAt(one, name));
  return figures;
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

TEST(BenchResults, ALastIntervalThatIsCutShortHasAPointToo) {
  BenchRun run = TenSeconds();
  run.duration_s = 4.5;
  const json::value results = ResultsOf(run, {At(2.1, 1), At(4.4, 1), At(4.5, 1)});
  EXPECT_THAT(Figures(MemberAt(results, "timeline"), "requests"), ElementsAre(1, 0, 2));
  EXPECT_EQ(NumberAt(results, "duration_s"), 2.5);
}

TEST(BenchResults, PercentilesAreOfTheNearestRankAmongThoseThatSucceeded) {
  std::vector<Sent> sent;
  for (int i = 100; i >= 1; --i) sent.push_back(At(3, i));
  sent.push_back(At(3, 5'000, RequestOutcome::kFailed));
  sent.push_back(At(3, 6'000, RequestOutcome::kAborted));
  const json::value results = ResultsOf(TenSeconds(), sent);
  const json::value& totals = MemberAt(results, "totals");
  EXPECT_DOUBLE_EQ(NumberAt(totals, "mean_ms"), 50.5);
  EXPECT_DOUBLE_EQ(NumberAt(totals, "p50_ms"), 50);
  EXPECT_DOUBLE_EQ(NumberAt(totals, "p95_ms"), 95);
  EXPECT_DOUBLE_EQ(NumberAt(totals, "p99_ms"), 99);
  EXPECT_DOUBLE_EQ(NumberAt(totals, "max_ms"), 100);
  EXPECT_EQ(NumberAt(totals, "succeeded"), 100);
}

TEST(BenchResults, APauseBetweenMovesIsInNoWindow) {
  BenchRun run = TenSeconds();
  run.moving = {{3, 6}, {4, 5}, {8, 9}};
  const json::value results =
      ResultsOf(run, {At(2.5, 1), At(3.5, 10), At(4.5, 10), At(5.5, 10), At(7, 1), At(8.5, 10), At(9.5, 1)});
  const json::value& windows = MemberAt(results, "windows");
  EXPECT_EQ(NumberAt(MemberAt(windows, "before"), "requests"), 1);
  EXPECT_EQ(NumberAt(MemberAt(windows, "during"), "requests"), 4);
  EXPECT_DOUBLE_EQ(NumberAt(MemberAt(windows, "during"), "per_s"), 1) << "four seconds in all";
  EXPECT_EQ(NumberAt(MemberAt(windows, "after"), "requests"), 1);
}

TEST(BenchResults, AMoveCountsItsTimesFromTheEndOfTheWarmUp) {
  BenchRun run = TenSeconds();
  run.moves = json::parse(R"([{"id":"m1","from_t":5.5,"to_t":null,
      "phases":[{"phase":"init","from_t":5.5,"to_t":6}],"samples":[{"t":5.75}]}])")
                  .as_array();
  const json::value results = ResultsOf(run, {});
  const json::value& move = MemberAt(results, "moves").as_array().at(0);
  EXPECT_EQ(NumberAt(move, "from_t"), 3.5);
  EXPECT_TRUE(MemberAt(move, "to_t").is_null());
  EXPECT_EQ(NumberAt(MemberAt(move, "phases").as_array().at(0), "to_t"), 4);
  EXPECT_EQ(NumberAt(MemberAt(move, "samples").as_array().at(0), "t"), 3.75);
}

TEST(BenchResults, ManyTenantsAreNotListedOneByOne) {
  BenchRun run = TenSeconds();
  run.tenants.assign(16, "tenant");
  EXPECT_EQ(MemberAt(ResultsOf(run, {}), "tenants").as_array().size(), 16u);
  run.tenants.assign(17, "tenant");
  EXPECT_EQ(MemberAt(ResultsOf(run, {}), "tenants").as_array().size(), 0u);
}

TEST(BenchResults, AreReadableAsATable) {
  BenchRun run = TenSeconds();
  run.complaints = {"read at 3.0 s of shop: it broke"};
  run.checks = {{"name", "bank"}, {"ok", false}};
  const std::string text =
      ResultsText(ResultsOf(run, {At(3, 1), At(4, 2, RequestOutcome::kFailed, 0, 1)}, {"read", "update"}));
  EXPECT_THAT(text, HasSubstr("REQUESTS"));
  EXPECT_THAT(text, HasSubstr("update"));
  EXPECT_THAT(text, HasSubstr("checks: FAILED"));
  EXPECT_THAT(text, HasSubstr("read at 3.0 s of shop: it broke"));
  EXPECT_THAT(text, Not(HasSubstr("during the move")));
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
