// The bank on a simulated cluster: whole nodes, real SQLite, moves under load, from a seed. Time, network and
// disk are virtual, so a hundred runs take seconds, and a run that goes wrong can be had again.
#include "load/bank.h"

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
    load::BankOptions options;
    options.accounts = 40;
    options.entry_bytes = 1'300'000;
    options.seed = seed;
    options.pause = 3ms;
    const auto bank = cluster.OpenBank(options);
    for (const char* to : {"n2", "n1"}) {
      const auto receipt = cluster.AwaitMove(cluster.StartMove("shop", to));
      EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
      EXPECT_TRUE(receipt.at("verified").as_bool());
      EXPECT_EQ(receipt.at("aborted").to_number<int>(), 0);
      cluster.AwaitUse(*bank);
    }
    bank->Stop();
    cluster.ExpectNothingLost(*bank);
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
