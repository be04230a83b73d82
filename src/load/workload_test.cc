#include "load/workload.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tradewind::load {
namespace {

std::map<std::string, double> SharesOf(Workload& workload) {
  Workload::Random random(5);
  std::map<std::string, double> shares;
  for (int i = 0; i < 20'000; ++i) shares[workload.Draw(0, random).operation] += 1.0 / 20'000;
  return shares;
}

TEST(Workload, OfYcsbHasTheMixesOfThePaper) {
  const std::map<std::string, std::map<std::string, double>> wanted{
      {"ycsb-a", {{"read", 0.5}, {"update", 0.5}}},
      {"ycsb-b", {{"read", 0.95}, {"update", 0.05}}},
      {"ycsb-c", {{"read", 1}}},
      {"ycsb-d", {{"read", 0.95}, {"insert", 0.05}}},
      {"ycsb-e", {{"scan", 0.95}, {"insert", 0.05}}},
      {"ycsb-f", {{"read", 0.5}, {"read-modify-write", 0.5}}}};
  for (const auto& [name, mix] : wanted) {
    const auto shares = SharesOf(*MakeWorkload(name, {}).value());
    EXPECT_EQ(shares.size(), mix.size()) << name;
    for (const auto& [operation, share] : mix)
      EXPECT_NEAR(shares.at(operation), share, 0.02) << name << operation;
  }
}

TEST(Workload, OfYcsbMakesTransactionsOfSeveralOperations) {
  WorkloadOptions options;
  options.operations = 10;
  EXPECT_EQ(SharesOf(*MakeWorkload("ycsb-b", options).value()).size(), 1u);
  EXPECT_EQ(SharesOf(*MakeWorkload("ycsb-b", options).value()).begin()->first, "transaction");
}

TEST(Workload, OfTpccIsHalfNewOrdersAndHalfPayments) {
  const auto shares = SharesOf(*MakeWorkload("tpcc", {}).value());
  EXPECT_NEAR(shares.at("new-order"), 0.5, 0.02);
  EXPECT_NEAR(shares.at("payment"), 0.5, 0.02);
}

TEST(Workload, ThatIsNotKnownIsRefusedWithThoseThatAre) {
  for (const char* name : {"", "ycsb", "ycsb-g", "tpc-c"}) {
    const auto workload = MakeWorkload(name, {});
    ASSERT_FALSE(workload) << name;
    EXPECT_EQ(workload.error().code, "WORKLOAD_UNKNOWN");
    EXPECT_NE(workload.error().action.find("ycsb-a"), std::string::npos);
  }
}

}  // namespace
}  // namespace tradewind::load
