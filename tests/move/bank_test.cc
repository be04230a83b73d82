// A bank in use is moved to and fro: no request fails, and nothing that was acknowledged is lost, doubled or
// half done.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/client_command.h"
#include "stage.h"

namespace tradewind::tests {
namespace {

load::BankOptions SmallBank() {
  load::BankOptions options;
  options.accounts = 200;
  options.entry_bytes = 12'000'000;
  return options;
}

// So that a move lasts a second or two, and clients meet every phase of it.
constexpr uint64_t kRate = 8'000'000;

void ExpectNothingFailed(load::Bank& bank) {
  EXPECT_EQ(bank.counts().failed, 0u);
  for (const std::string& complaint : bank.complaints()) ADD_FAILURE() << complaint;
}

void ExpectAllIsThere(load::Bank& bank) {
  const auto verdict = bank.Verify();
  ASSERT_TRUE(verdict) << Describe(verdict.error());
  EXPECT_GT(verdict->ledger.acknowledged, 0u);
  EXPECT_EQ(verdict->ledger.lost, 0u);
  EXPECT_EQ(verdict->ledger.doubled, 0u);
  EXPECT_EQ(verdict->ledger.ghosts, 0u);
  EXPECT_TRUE(verdict->balances_agree);
  EXPECT_TRUE(verdict->entries_agree);
  EXPECT_EQ(verdict->integrity, "ok");
}

void MoveAndExpectOwner(Stage& stage, const std::string& to) {
  const auto id = stage.StartMove(to, kRate);
  ASSERT_TRUE(id) << Describe(id.error());
  const auto receipt = stage.AwaitMove(*id, IsDoneAndVerified);
  ASSERT_TRUE(receipt) << Describe(receipt.error());
  for (const char* node : {"n1", "n2"}) {
    const auto tenant = stage.TenantSeenBy(node);
    ASSERT_TRUE(tenant) << Describe(tenant.error());
    EXPECT_EQ(cli::TextAt(*tenant, "owner"), to) << "as " << node << " sees it";
  }
  EXPECT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline()));
}

TEST(Bank, SurvivesFourMovesWithoutAFailedRequest) {
  Play([](Stage& stage) {
    const auto opened = stage.Open(SmallBank(), "n1");
    ASSERT_TRUE(opened) << Describe(opened.error());
    ASSERT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline()));
    for (const char* to : {"n2", "n1", "n2", "n1"}) MoveAndExpectOwner(stage, to);
    stage.bank().Stop();
    ExpectNothingFailed(stage.bank());
    ExpectAllIsThere(stage.bank());
    EXPECT_TRUE(stage.Eventually([&] { return stage.HasFile("n1") && !stage.HasFile("n2"); }))
        << "one copy is kept, the other deleted";
    const auto stopped = stage.cluster().Stop();
    EXPECT_TRUE(stopped) << Describe(stopped.error());
  });
}

TEST(Bank, IsWholeAfterBothNodesWereKilledBetweenMoves) {
  Play([](Stage& stage) {
    const auto opened = stage.Open(SmallBank(), "n1");
    ASSERT_TRUE(opened) << Describe(opened.error());
    MoveAndExpectOwner(stage, "n2");
    stage.cluster().Kill("n2");
    stage.cluster().Kill("n1");
    for (const char* node : {"n1", "n2"}) {
      const auto started = stage.cluster().Restart(node);
      ASSERT_TRUE(started) << Describe(started.error());
    }
    EXPECT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline()));
    stage.bank().Stop();
    ExpectAllIsThere(stage.bank());
  });
}

}  // namespace
}  // namespace tradewind::tests
