// Either node of a move is killed while both hold pages that the other lacks. It is started again with its
// data and its port: the move ends, there is one owner, and nothing that was acknowledged is lost.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "cli/client_command.h"
#include "stage.h"

namespace tradewind::tests {
namespace {

struct Crash {
  const char* name;
  const char* source;
  const char* destination;
  const char* victim;
};

void PrintTo(const Crash& crash, std::ostream* out) {
  *out << crash.name;
}

class KilledInTheMiddleOfAMove : public testing::TestWithParam<Crash> {};

// Slow enough that the move is in its middle for some seconds.
constexpr uint64_t kRate = 3'000'000;

bool IsInTheMiddle(const boost::json::value& receipt) {
  const auto& pages = cli::MemberAt(receipt, "pages");
  const double arrived = cli::NumberAt(pages, "pulled") + cli::NumberAt(pages, "pushed");
  return IsPastHandOver(receipt) && cli::TextAt(receipt, "phase") != "done" && arrived > 100;
}

void ExpectOneOwner(Stage& stage, const std::string& owner, const std::string& other) {
  for (const std::string& node : {owner, other}) {
    const auto tenant = stage.TenantSeenBy(node);
    ASSERT_TRUE(tenant) << Describe(tenant.error());
    EXPECT_EQ(cli::TextAt(*tenant, "owner"), owner) << "as " << node << " sees it";
    EXPECT_EQ(cli::NumberAt(*tenant, "epoch"), 2) << "as " << node << " sees it";
  }
  EXPECT_TRUE(stage.Eventually([&] { return stage.HasFile(owner) && !stage.HasFile(other); }))
      << "the source deletes its copy at the end";
}

TEST_P(KilledInTheMiddleOfAMove, LosesNothing) {
  const Crash& crash = GetParam();
  Play([&](Stage& stage) {
    load::BankOptions options;
    options.accounts = 200;
    options.entry_bytes = 12'000'000;
    const auto opened = stage.Open(options, crash.source);
    ASSERT_TRUE(opened) << Describe(opened.error());
    ASSERT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline()));
    const auto id = stage.StartMove(crash.destination, kRate);
    ASSERT_TRUE(id) << Describe(id.error());
    const auto middle = stage.AwaitMove(*id, IsInTheMiddle);
    ASSERT_TRUE(middle) << Describe(middle.error());
    ASSERT_TRUE(stage.bank().AwaitTransfers(5, stage.deadline())) << "so that there is something to lose";

    stage.cluster().Kill(crash.victim);
    const auto started = stage.cluster().Restart(crash.victim);
    ASSERT_TRUE(started) << Describe(started.error());
    const auto read = stage.ReadThrough(crash.victim);
    EXPECT_TRUE(read) << "the node knows at once where to send its clients: " << Describe(read.error());

    const auto receipt = stage.AwaitMove(*id, IsDoneAndVerified);
    ASSERT_TRUE(receipt) << Describe(receipt.error());
    EXPECT_TRUE(stage.bank().AwaitTransfers(20, stage.deadline())) << "the tenant is in use again";
    stage.bank().Stop();
    ExpectOneOwner(stage, crash.destination, crash.source);

    const auto verdict = stage.bank().Verify();
    ASSERT_TRUE(verdict) << Describe(verdict.error());
    EXPECT_EQ(verdict->ledger.lost, 0u);
    EXPECT_EQ(verdict->ledger.doubled, 0u);
    EXPECT_EQ(verdict->ledger.ghosts, 0u);
    EXPECT_TRUE(verdict->balances_agree);
    EXPECT_TRUE(verdict->entries_agree);
    EXPECT_EQ(verdict->integrity, "ok");
  });
}

// n1 hosts the catalog: it is away with its node.
INSTANTIATE_TEST_SUITE_P(Crashes, KilledInTheMiddleOfAMove,
                         testing::Values(Crash{"SourceWithTheCatalog", "n1", "n2", "n1"},
                                         Crash{"Destination", "n1", "n2", "n2"},
                                         Crash{"Source", "n2", "n1", "n2"},
                                         Crash{"DestinationWithTheCatalog", "n2", "n1", "n1"}),
                         [](const auto& crash) { return crash.param.name; });

}  // namespace
}  // namespace tradewind::tests
