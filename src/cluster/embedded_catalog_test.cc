// The embedded catalog's file: what survives, and who waits for whom.
#include "cluster/embedded_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/limits.h"
#include "cluster/gated_core.h"
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

TEST_F(EmbeddedCatalogFile, IsRecoveredFromItsLogAfterACrash) {
  Run([&](EmbeddedCatalog& catalog) {
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"}));
    Need(catalog.CreateTenant("t", "sqlite", "n1"));
    // What a crash at this moment would leave.
    const std::string copy = folder_.File("copy");
    ASSERT_TRUE(std::filesystem::exists(path_ + "-wal"));
    for (const std::string suffix : {"", "-wal"}) std::filesystem::copy_file(path_ + suffix, copy + suffix);
    auto recovered = EmbeddedCatalog::Open(*core_, copy);
    ASSERT_TRUE(recovered) << Describe(recovered.error());
    EXPECT_EQ(Need((*recovered)->GetTenant("t")).ownership, (Ownership{"n1", Epoch{1}}));
    (*recovered)->Close();
  });
}

TEST_F(EmbeddedCatalogFile, DoesNotLetItsLogGrowForEver) {
  Run([&](EmbeddedCatalog& catalog) {
    constexpr uint32_t kWriters = 100;
    runtime::TaskGroup writers(*core_);
    for (uint32_t writer = 0; writer < kWriters; ++writer)
      writers.Spawn("writer", [&, writer] {
        for (uint32_t i = 0; i <= limits::kCheckpointFrames / kWriters; ++i)
          Need(catalog.RegisterNode({"n" + std::to_string(writer), "http://127.0.0.1:" + std::to_string(i)}));
      });
    writers.Join();
    EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), uint64_t{limits::kCheckpointFrames} * 4096);
    EXPECT_EQ(Need(catalog.Nodes()).size(), kWriters);
  });
}

// A catalog whose disk can be held or broken.
class CatalogOnAGatedDisk : public EmbeddedCatalogFile {
 protected:
  void RunGated(const std::function<void(EmbeddedCatalog&)>& body) {
    core_->RunUntilReturned("test", [&] {
      auto catalog = EmbeddedCatalog::Open(gated_, path_);
      ASSERT_TRUE(catalog) << Describe(catalog.error());
      Need((*catalog)->RegisterNode({"n1", "http://127.0.0.1:1"}));
      body(**catalog);
      (*catalog)->Close();
    });
  }

  SyncGate gate_;
  GatedCore gated_{*core_, gate_};
};

TEST_F(CatalogOnAGatedDisk, AnswersNothingBeforeItIsOnDisk) {
  RunGated([&](EmbeddedCatalog& catalog) {
    gate_.open = false;
    bool created = false;
    bool seen = false;
    bool refused = false;
    runtime::TaskGroup group(*core_);
    group.Spawn("create", [&] {
      Need(catalog.CreateTenant("t", "sqlite", "n1"));
      created = true;
    });
    gate_.AwaitSync();
    group.Spawn("read", [&] {
      Need(catalog.GetTenant("t"));
      seen = true;
    });
    group.Spawn("create again", [&] {
      EXPECT_EQ(CodeOf(catalog.CreateTenant("t", "sqlite", "n1")), "TENANT_EXISTS");
      refused = true;
    });
    for (int turn = 0; turn < 100; ++turn) runtime::Yield();
    EXPECT_FALSE(created) << "the change itself";
    EXPECT_FALSE(seen) << "a read of it";
    EXPECT_FALSE(refused) << "an error that is about it";
    gate_.Open();
    group.Join();
    EXPECT_TRUE(created && seen && refused);
  });
}

TEST_F(CatalogOnAGatedDisk, SharesOneSyncAmongThoseThatWait) {
  RunGated([&](EmbeddedCatalog& catalog) {
    gate_.open = false;
    size_t most_waiting = 0;
    runtime::TaskGroup group(*core_);
    for (int i = 0; i < 10; ++i)
      group.Spawn("create", [&, i] { Need(catalog.CreateTenant("t" + std::to_string(i), "sqlite", "n1")); });
    gate_.AwaitSync();
    for (int turn = 0; turn < 100; ++turn) {
      runtime::Yield();
      most_waiting = std::max(most_waiting, gate_.waiting);
    }
    EXPECT_EQ(most_waiting, 1u);
    gate_.Open();
    group.Join();
    EXPECT_EQ(Need(catalog.ListTenants()).size(), 10u);
  });
}

TEST_F(CatalogOnAGatedDisk, ClosesNothingWhileACallWaitsForItsSync) {
  RunGated([&](EmbeddedCatalog& catalog) {
    gate_.open = false;
    bool answered = false;
    bool closed = false;
    runtime::TaskGroup group(*core_);
    group.Spawn("create", [&] {
      Need(catalog.CreateTenant("t", "sqlite", "n1"));
      answered = true;
    });
    gate_.AwaitSync();
    group.Spawn("close", [&] {
      catalog.Close();
      EXPECT_TRUE(answered);
      closed = true;
    });
    for (int turn = 0; turn < 100; ++turn) runtime::Yield();
    EXPECT_FALSE(closed);
    EXPECT_EQ(gate_.waiting, 1u) << "closing has begun to write";
    EXPECT_EQ(CodeOf(catalog.Nodes()), kCatalogDownCode) << "a new call";
    gate_.Open();
    group.Join();
    EXPECT_TRUE(closed);
  });
  Run([&](EmbeddedCatalog& catalog) { Need(catalog.GetTenant("t")); });
}

TEST_F(CatalogOnAGatedDisk, IsDownAfterAFailedSync) {
  RunGated([&](EmbeddedCatalog& catalog) {
    gate_.failing = true;
    const Result<TenantRecord> created = catalog.CreateTenant("t", "sqlite", "n1");
    EXPECT_EQ(CodeOf(created), kCatalogDownCode);
    EXPECT_TRUE(OutcomeIsUnknown(created.error()));
    gate_.failing = false;
    EXPECT_EQ(CodeOf(catalog.Nodes()), kCatalogDownCode);
    EXPECT_EQ(CodeOf(catalog.CreateTenant("u", "sqlite", "n1")), kCatalogDownCode);
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

}  // namespace
}  // namespace tradewind::cluster
