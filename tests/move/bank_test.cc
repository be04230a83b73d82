// A bank in use is moved to and fro: no request fails, and nothing that was acknowledged is lost, doubled or
// half done.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/client_command.h"
#include "stage.h"
#include "turmoil.h"

namespace tradewind::tests {
namespace {

load::BankOptions SmallBank() {
  load::BankOptions options;
  options.accounts = 200;
  options.entry_bytes = 6'000'000;
  return options;
}

// So that a move lasts about a second, and clients meet every phase of it.
constexpr uint64_t kRate = 8'000'000;
constexpr int kMoves = 10;

// An interactive transaction that was open at the hand-over may be told to try again; the grace makes that
// rare. Everything else must succeed.
void ExpectNothingFailed(load::Bank& bank) {
  EXPECT_EQ(bank.counts().failed, 0u);
  EXPECT_EQ(bank.counts().aborted_batches, 0u);
  EXPECT_LE(bank.counts().aborted, kMoves * static_cast<uint64_t>(bank.options().interactive_writers));
  testing::Test::RecordProperty("aborted_transactions", static_cast<int>(bank.counts().aborted));
  if (bank.counts().failed + bank.counts().aborted_batches > 0)
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

TEST(Bank, SurvivesTenMovesWithoutAFailedRequest) {
  Play([](Stage& stage) {
    const auto opened = stage.Open(SmallBank(), "n1");
    ASSERT_TRUE(opened) << Describe(opened.error());
    ASSERT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline()));
    for (int move = 1; move <= kMoves; ++move) MoveAndExpectOwner(stage, move % 2 == 1 ? "n2" : "n1");
    stage.bank().Stop();
    ExpectNothingFailed(stage.bank());
    ExpectAllIsThere(stage.bank());
    EXPECT_TRUE(stage.Eventually([&] { return stage.HasFile("n1") && !stage.HasFile("n2"); }))
        << "one copy is kept, the other deleted";
    const auto stopped = stage.cluster().Stop();
    EXPECT_TRUE(stopped) << Describe(stopped.error());
  });
}

class BankInTurmoil : public testing::TestWithParam<uint32_t> {};

// Everything that SQL can do to a file happens while it moves, in pages of every kind of size.
TEST_P(BankInTurmoil, SurvivesTenMovesWithoutAFailedRequest) {
  Play([](Stage& stage) {
    const auto started = stage.StartNodes(2);
    ASSERT_TRUE(started) << Describe(started.error());
    load::BankOptions options = SmallBank();
    options.entry_bytes = 3'000'000;
    const auto opened = stage.OpenBank(options, "n1", GetParam());
    ASSERT_TRUE(opened) << Describe(opened.error());
    auto turmoil = Turmoil::Make(stage.core(), stage.http(), stage.cluster().urls(), options.tenant);
    ASSERT_TRUE(turmoil) << Describe(turmoil.error());
    (*turmoil)->Start();
    ASSERT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline()));
    runtime::TaskGroup beside(stage.core());
    for (int move = 1; move <= kMoves; ++move) {
      if (move == kMoves / 2)
        beside.Spawn("vacuum", [&] {
          const auto vacuumed = (*turmoil)->Vacuum();
          EXPECT_TRUE(vacuumed) << Describe(vacuumed.error());
        });
      MoveAndExpectOwner(stage, move % 2 == 1 ? "n2" : "n1");
      EXPECT_TRUE(stage.Eventually([&] {
        return (*turmoil)->rounds() >= move / 2 || !(*turmoil)->failures().empty();
      })) << "all of it goes on beside the moves";
    }
    beside.Join();
    (*turmoil)->Stop();
    stage.bank().Stop();
    for (const std::string& failure : (*turmoil)->failures()) ADD_FAILURE() << failure;
    ExpectNothingFailed(stage.bank());
    ExpectAllIsThere(stage.bank());
    const auto tenant = stage.TenantSeenBy("n1");
    ASSERT_TRUE(tenant) << Describe(tenant.error());
    EXPECT_EQ(cli::NumberAt(*tenant, "page_size"), GetParam());
  });
}

INSTANTIATE_TEST_SUITE_P(PageSizes, BankInTurmoil, testing::Values(512u, 4096u, 65536u),
                         [](const auto& size) { return "Of" + std::to_string(size.param); });

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
