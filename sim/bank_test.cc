// The bank on a simulated cluster: whole nodes, real SQLite, moves under load, from a seed. Time, network and
// disk are virtual, so a hundred runs take seconds, and a run that goes wrong can be had again.
#include "cli/load/bank.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

struct BankRun {
  uint64_t trace = 0;
  uint64_t requests = 0;
  uint64_t acknowledged = 0;
};

// Load from both nodes while the tenant moves there and back. Nothing may fail, nothing may be lost.
BankRun RunBank(uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Cluster cluster(seed, {"n1", "n2"});
  BankRun run;
  cluster.InClient([&] {
    cluster.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
    load::BankOptions options;
    options.servers = cluster.urls();
    options.accounts = 40;
    options.entry_bytes = 1'300'000;
    options.seed = seed;
    options.pause = 3ms;
    auto bank = load::Bank::Make(cluster.client(), cluster.http(), options).value();
    const auto filled = bank->Fill();
    ASSERT_TRUE(filled) << Describe(filled.error());
    bank->Start();
    const auto far = cluster.client().Now() + 10min;
    EXPECT_TRUE(bank->AwaitTransfers(5, far));
    for (const char* to : {"n2", "n1"}) {
      const auto receipt = cluster.AwaitMove(cluster.StartMove("shop", to));
      EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
      EXPECT_TRUE(receipt.at("verified").as_bool());
      EXPECT_EQ(receipt.at("aborted").to_number<int>(), 0);
      EXPECT_TRUE(bank->AwaitTransfers(5, far));
    }
    bank->Stop();
    const auto verdict = bank->Verify();
    ASSERT_TRUE(verdict) << Describe(verdict.error());
    EXPECT_TRUE(verdict->ok()) << verdict->integrity << ", lost " << verdict->ledger.lost << ", doubled "
                               << verdict->ledger.doubled << ", ghosts " << verdict->ledger.ghosts;
    EXPECT_EQ(bank->counts().failed, 0u);
    EXPECT_EQ(bank->counts().aborted, 0u);
    for (const std::string& complaint : bank->complaints()) ADD_FAILURE() << complaint;
    run.requests = bank->counts().requests;
    run.acknowledged = bank->acknowledged();
    const auto tenant = cluster.Call("n1", "GET", "/v1/tenants/shop");
    EXPECT_EQ(tenant.at("owner").as_string(), "n1");
    EXPECT_EQ(tenant.at("epoch").to_number<int>(), 3);
  });
  run.trace = cluster.world().trace_hash();
  return run;
}

TEST(SimulatedBank, LosesAndFailsNothingInAHundredRunsWithMoves) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    RunBank(seed);
    if (testing::Test::HasFailure()) break;
  }
}

TEST(SimulatedBank, TakesTheSameCourseForTheSameSeedAndAnotherForAnother) {
  const BankRun first = RunBank(7);
  const BankRun second = RunBank(7);
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.requests, second.requests);
  EXPECT_NE(RunBank(8).trace, first.trace);
}

}  // namespace
}  // namespace tradewind::sim
