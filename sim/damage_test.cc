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
      load::BankOptions options;
      options.accounts = 40;
      options.entry_bytes = 1'500'000;
      options.pause = 3ms;
      const auto bank = cluster.OpenBank(options);
      cluster.world().DamageAfter("n1", pieces);
      const auto receipt = cluster.AwaitMove(cluster.StartMove("shop", "n2"));
      EXPECT_TRUE(cluster.world().damaged()) << "nothing was damaged";
      EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
      EXPECT_TRUE(receipt.at("verified").as_bool());
      cluster.AwaitUse(*bank);
      bank->Stop();
      cluster.ExpectNothingLost(*bank);
      EXPECT_EQ(bank->counts().failed, 0u);
      for (const std::string& complaint : bank->complaints()) ADD_FAILURE() << complaint;
    });
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace tradewind::sim
