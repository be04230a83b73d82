// A bit flips on the way between two nodes while a tenant moves: the frame is refused, the move goes on over
// a new link, and nothing of it reaches a file or a client.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/load/bank.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

TEST(ADamagedFrame, IsRefusedAndTheMoveGoesOn) {
  // The pieces that a source sends: few of them during init, the others when it answers pulls and pushes.
  for (const int pieces : {0, 1, 2, 4, 6}) {
    SCOPED_TRACE(fmt::format("after {} pieces", pieces));
    Cluster cluster(static_cast<uint64_t>(pieces) + 1, {"n1", "n2"});
    cluster.InClient([&] {
      cluster.Call("n1", "POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
      load::BankOptions options;
      options.servers = cluster.urls();
      options.accounts = 40;
      options.entry_bytes = 1'500'000;
      options.pause = 3ms;
      auto bank = load::Bank::Make(cluster.client(), cluster.http(), options).value();
      const auto filled = bank->Fill();
      ASSERT_TRUE(filled) << Describe(filled.error());
      bank->Start();
      const auto far = cluster.client().Now() + 10min;
      EXPECT_TRUE(bank->AwaitTransfers(5, far));
      cluster.world().DamageAfter("n1", pieces);
      const auto receipt = cluster.AwaitMove(cluster.StartMove("shop", "n2"));
      EXPECT_TRUE(cluster.world().damaged()) << "nothing was damaged";
      EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
      EXPECT_TRUE(receipt.at("verified").as_bool());
      EXPECT_TRUE(bank->AwaitTransfers(5, far));
      bank->Stop();
      const auto verdict = bank->Verify();
      ASSERT_TRUE(verdict) << Describe(verdict.error());
      EXPECT_TRUE(verdict->ok()) << verdict->integrity;
      EXPECT_EQ(bank->counts().failed, 0u);
      for (const std::string& complaint : bank->complaints()) ADD_FAILURE() << complaint;
    });
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace tradewind::sim
