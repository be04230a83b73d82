#include "aftermath.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/client_command.h"
#include "cli/move_receipt.h"

namespace tradewind::tests {
namespace {

void ExpectOneOwner(Stage& stage, const std::string& owner, const std::string& other) {
  for (const std::string& node : {owner, other}) {
    const auto tenant = stage.TenantSeenBy(node);
    ASSERT_TRUE(tenant) << Describe(tenant.error());
    EXPECT_EQ(cli::TextAt(*tenant, "owner"), owner) << "as " << node << " sees it";
  }
  EXPECT_TRUE(stage.Eventually([&] { return stage.HasFile(owner) && !stage.HasFile(other); }))
      << owner << " has the only copy in the end";
}

void ExpectNothingLost(load::Bank& bank) {
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

}  // namespace

load::BankOptions KillBank() {
  load::BankOptions options;
  options.accounts = 100;
  options.entry_bytes = 3'000'000;
  // Ranges bring most of so small a tenant by pulls; what is to be killed is a move that pushes too.
  options.range_readers = 0;
  return options;
}

void RestartKilled(Stage& stage, const std::string& victim) {
  stage.cluster().Kill(victim);
  const auto restarted = stage.cluster().Restart(victim);
  ASSERT_TRUE(restarted) << Describe(restarted.error());
  const auto read = stage.ReadThrough(victim);
  EXPECT_TRUE(read) << "the node knows at once where to send its clients: " << Describe(read.error());
}

void ExpectARightEnd(Stage& stage, const std::string& id, const std::string& source,
                     const std::string& destination) {
  const auto receipt = stage.AwaitMove(id, cli::MoveHasEnded);
  ASSERT_TRUE(receipt) << Describe(receipt.error());
  const bool moved = cli::TextAt(*receipt, "phase") == "done";
  EXPECT_TRUE(!moved || cli::FlagAt(*receipt, "verified")) << boost::json::serialize(*receipt);
  testing::Test::RecordProperty("ended_as", cli::TextAt(*receipt, "phase"));
  const std::string owner = moved ? destination : source, other = moved ? source : destination;
  ExpectOneOwner(stage, owner, other);
  EXPECT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline())) << "the tenant is in use again";

  const auto again = stage.StartMove(other);
  ASSERT_TRUE(again) << "it can be moved again: " << Describe(again.error());
  const auto moved_again = stage.AwaitMove(*again, IsDoneAndVerified);
  ASSERT_TRUE(moved_again) << Describe(moved_again.error());
  ExpectOneOwner(stage, other, owner);
  stage.bank().Stop();
  ExpectNothingLost(stage.bank());
}

}  // namespace tradewind::tests
