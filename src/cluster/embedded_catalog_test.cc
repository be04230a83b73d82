// The embedded catalog's file: what survives, and who waits for whom.
#include "cluster/embedded_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/limits.h"
#include "cluster/test_catalog.h"

namespace tradewind::cluster {
namespace {

class EmbeddedCatalogFile : public testing::Test {
 protected:
  void Run(const std::function<void(EmbeddedCatalog&)>& body) { WithCatalog(*core_, path_, body); }

  TestFolder folder_;
  std::string path_ = folder_.File("catalog");
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

TEST_F(EmbeddedCatalogFile, KeepsEverythingOverAReopening) {
  std::vector<NodeRecord> nodes;
  std::vector<TenantRecord> tenants;
  std::vector<MoveRecord> moves;
  Run([&](EmbeddedCatalog& catalog) {
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"}));
    Need(catalog.RegisterNode({"n2", "http://127.0.0.1:2"}));
    Need(catalog.CreateTenant("t", "sqlite", "n1"));
    Need(catalog.CreateTenant("u", "sqlite", "n2"));
    Need(catalog.DeleteTenant("u", {"n2", Epoch{1}}));
    MoveRecord move;
    move.id = "m1";
    move.tenant = "t";
    move.source = "n1";
    move.destination = "n2";
    move.method = "zephyr";
    move.epoch_before = Epoch{1};
    Need(catalog.BeginMove(move));
    Need(catalog.Swap("t", {"n1", Epoch{1}}, "n2", "m1"));
    Need(catalog.SaveReceipt("m1", "{}"));
    nodes = Need(catalog.Nodes());
    tenants = Need(catalog.ListTenants());
    moves = Need(catalog.ListMoves());
  });
  ASSERT_EQ(moves.size(), 1u);
  Run([&](EmbeddedCatalog& catalog) {
    EXPECT_EQ(Need(catalog.Nodes()), nodes);
    EXPECT_EQ(Need(catalog.ListTenants()), tenants);
    EXPECT_EQ(Need(catalog.ListMoves()), moves);
    EXPECT_EQ(Need(catalog.CreateTenant("u", "sqlite", "n1")).ownership.epoch, Epoch{2});
  });
}

TEST_F(EmbeddedCatalogFile, HasEachAnsweredChangeOnDiskAlready) {
  Run([&](EmbeddedCatalog& catalog) {
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"}));
    Need(catalog.CreateTenant("t", "sqlite", "n1"));
    // What a crash at this moment would leave.
    const std::string copy = folder_.File("copy");
    for (const char* suffix : {"", "-wal"})
      if (std::filesystem::exists(path_ + suffix)) std::filesystem::copy_file(path_ + suffix, copy + suffix);
    auto recovered = EmbeddedCatalog::Open(*core_, copy);
    ASSERT_TRUE(recovered) << Describe(recovered.error());
    EXPECT_EQ(Need((*recovered)->GetTenant("t")).ownership, (Ownership{"n1", Epoch{1}}));
    (*recovered)->Close();
  });
}

TEST_F(EmbeddedCatalogFile, DoesNotLetItsLogGrowForEver) {
  Run([&](EmbeddedCatalog& catalog) {
    for (uint32_t i = 0; i < limits::kCheckpointFrames; ++i)
      Need(catalog.RegisterNode({"n1", "http://127.0.0.1:" + std::to_string(i)}));
    const uint32_t frames_of_a_change = 1;
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"}));
    EXPECT_LT(std::filesystem::file_size(path_ + "-wal"),
              uint64_t{limits::kCheckpointFrames + 10 * frames_of_a_change} * (4096 + 24));
    EXPECT_EQ(Need(catalog.Nodes()).at(0).url, "http://127.0.0.1:1");
  });
}

TEST_F(EmbeddedCatalogFile, RefusesAFileThatIsNoCatalog) {
  std::filesystem::create_directory(path_);
  core_->RunUntilReturned("test", [&] { EXPECT_FALSE(EmbeddedCatalog::Open(*core_, path_)); });
}

TEST_F(EmbeddedCatalogFile, FailsCallsOnceItIsClosed) {
  core_->RunUntilReturned("test", [&] {
    auto catalog = EmbeddedCatalog::Open(*core_, path_);
    ASSERT_TRUE(catalog);
    (*catalog)->Close();
    EXPECT_EQ(CodeOf((*catalog)->Nodes()), kCatalogDownCode);
  });
}

TEST_F(EmbeddedCatalogFile, FinishesCallsInProgressBeforeItCloses) {
  core_->RunUntilReturned("test", [&] {
    auto catalog = EmbeddedCatalog::Open(*core_, path_);
    ASSERT_TRUE(catalog);
    runtime::TaskGroup group(*core_);
    int answered = 0;
    for (int i = 0; i < 5; ++i)
      group.Spawn("register", [&, i] {
        Need((*catalog)->RegisterNode({"n" + std::to_string(i), "http://127.0.0.1:1"}));
        ++answered;
      });
    runtime::Yield();  // All five have asked.
    (*catalog)->Close();
    group.Join();
    EXPECT_EQ(answered, 5);
  });
  Run([&](EmbeddedCatalog& catalog) { EXPECT_EQ(Need(catalog.Nodes()).size(), 5u); });
}

}  // namespace
}  // namespace tradewind::cluster
