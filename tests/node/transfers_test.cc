#include "admin/transfers.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "admin/tenant_maker.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using catalog::Need;
constexpr auto kImport = admin::Transfers::Kind::kImport;
constexpr auto kExport = admin::Transfers::Kind::kExport;

// Transfers of their own, beside those that the node has.
class TransfersTest : public TwoNodes {
 protected:
  void WithTransfers(const std::function<void(admin::Transfers&)>& body,
                     runtime::Duration idle = limits::kTransferIdle) {
    WithNodes([&] {
      admin::Transfers transfers(n1_->parts().member(), n1_->tenants(), n1_->maker(), folder(), idle);
      Need(transfers.Start());
      body(transfers);
      transfers.Stop();
    });
  }

  std::string folder() const { return folder_.File("transfers"); }
  size_t FileCount() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder())) ++count;
    return count;
  }
  // A plain SQLite file: the export of an empty tenant.
  std::string PlainFile(admin::Transfers& transfers) {
    Need(n1_->maker().Create("origin", ""));
    const auto begun = Need(transfers.BeginExport("origin"));
    std::string bytes = Need(transfers.Read(begun.id, 0, limits::kTransferChunkBytes));
    Need(transfers.Drop(kExport, begun.id));
    return bytes;
  }
  template <typename T>
  static std::string CodeOf(const Result<T>& result) {
    return catalog::CodeOf(result);
  }
};

TEST_F(TransfersTest, TakeAFileInPiecesAndGiveItBack) {
  WithTransfers([&](admin::Transfers& transfers) {
    const std::string file = PlainFile(transfers);
    const std::string id = Need(transfers.BeginImport("copy", file.size()));
    EXPECT_EQ(admin::Transfers::HolderOf(id), "n1");
    for (size_t offset = 0; offset < file.size(); offset += 1000)
      Need(transfers.Write(id, offset, std::string_view(file).substr(offset, 1000)));
    EXPECT_EQ(Need(transfers.Commit(id)).name, "copy");
    EXPECT_EQ(CodeOf(transfers.Commit(id)), "TRANSFER_NOT_FOUND");
    EXPECT_EQ(FileCount(), 0u);

    const auto begun = Need(transfers.BeginExport("copy"));
    ASSERT_EQ(begun.size_bytes, file.size());
    std::string out;
    while (out.size() < begun.size_bytes) out += Need(transfers.Read(begun.id, out.size(), 700));
    // The file header counts changes.
    EXPECT_EQ(out.substr(0, 24), file.substr(0, 24));
    EXPECT_TRUE(out.substr(100) == file.substr(100));
    EXPECT_EQ(Need(transfers.Read(begun.id, file.size(), 10)), "");
    Need(transfers.Drop(kExport, begun.id));
    EXPECT_EQ(FileCount(), 0u);
  });
}

TEST_F(TransfersTest, TakePiecesInTheirOrderAndARepeatTwice) {
  WithTransfers([&](admin::Transfers& transfers) {
    const std::string id = Need(transfers.BeginImport("a", 10));
    Need(transfers.Write(id, 0, "01234"));
    Need(transfers.Write(id, 0, "01234"));
    EXPECT_EQ(CodeOf(transfers.Write(id, 6, "6")), "OFFSET_INVALID");
    EXPECT_EQ(CodeOf(transfers.Write(id, 4, "45")), "OFFSET_INVALID");
    EXPECT_EQ(CodeOf(transfers.Write(id, 5, "5678901")), "OFFSET_INVALID");
    EXPECT_EQ(CodeOf(transfers.Write(id, UINT64_MAX, "5")), "OFFSET_INVALID");
    EXPECT_EQ(CodeOf(transfers.Commit(id)), "TRANSFER_INCOMPLETE");
    const std::string large(limits::kTransferChunkBytes + 1, 'x');
    EXPECT_EQ(CodeOf(transfers.Write(id, 5, large)), "CHUNK_TOO_LARGE");
    Need(transfers.Write(id, 5, "56789"));
    EXPECT_EQ(CodeOf(transfers.Commit(id)), "NOT_A_DATABASE");
    EXPECT_EQ(FileCount(), 0u);
  });
}

TEST_F(TransfersTest, RefuseATenantThatExistsAndAFileThatDoesNotFit) {
  WithTransfers([&](admin::Transfers& transfers) {
    Need(n1_->maker().Create("here", ""));
    EXPECT_EQ(CodeOf(transfers.BeginImport("here", 10)), "TENANT_EXISTS");
    EXPECT_EQ(CodeOf(transfers.BeginImport("a", UINT64_MAX)), "DISK_FULL");
    EXPECT_EQ(CodeOf(transfers.BeginImport("a", 0)), "IMPORT_EMPTY");
    EXPECT_EQ(CodeOf(transfers.BeginExport("nowhere")), "TENANT_NOT_HERE");
    EXPECT_EQ(transfers.open(), 0u);
  });
}

TEST_F(TransfersTest, CountTheSpaceThatEarlierImportsWillTake) {
  WithTransfers([&](admin::Transfers& transfers) {
    const uint64_t free = Need(core_->disk().FreeBytes(folder()));
    Need(transfers.BeginImport("a", free / 4 * 3));
    EXPECT_EQ(CodeOf(transfers.BeginImport("b", free / 4 * 3)), "DISK_FULL");
  });
}

TEST_F(TransfersTest, AreBoundedInNumber) {
  WithTransfers([&](admin::Transfers& transfers) {
    std::string last;
    for (size_t i = 0; i < limits::kOpenTransfers; ++i) last = Need(transfers.BeginImport("a", 10));
    EXPECT_EQ(CodeOf(transfers.BeginImport("a", 10)), "TOO_MANY_TRANSFERS");
    Need(transfers.Drop(kImport, last));
    Need(transfers.BeginImport("a", 10));
  });
}

TEST_F(TransfersTest, ServeOneCallAtATime) {
  WithTransfers([&](admin::Transfers& transfers) {
    const std::string id = Need(transfers.BeginImport("a", limits::kTransferChunkBytes));
    const std::string chunk(limits::kTransferChunkBytes, 'x');
    runtime::TaskGroup writes(*core_);
    writes.Spawn("write", [&] { Need(transfers.Write(id, 0, chunk)); });
    runtime::Yield();
    EXPECT_EQ(CodeOf(transfers.Write(id, 0, "x")), "TRANSFER_BUSY");
    EXPECT_EQ(CodeOf(transfers.Drop(kImport, id)), "TRANSFER_BUSY");
    writes.Join();
    Need(transfers.Drop(kImport, id));
  });
}

TEST_F(TransfersTest, EndWhenNobodyTouchesThem) {
  WithTransfers(
      [&](admin::Transfers& transfers) {
        const std::string id = Need(transfers.BeginImport("a", 10));
        Await([&] { return transfers.open() == 0; });
        EXPECT_EQ(FileCount(), 0u);
        EXPECT_EQ(CodeOf(transfers.Write(id, 0, "x")), "TRANSFER_NOT_FOUND");
      },
      std::chrono::milliseconds(1));
}

TEST_F(TransfersTest, LeaveNothingBehind) {
  std::filesystem::create_directories(folder());
  std::ofstream(folder() + "/a-0123.db") << "left by a crash";
  WithTransfers([&](admin::Transfers& transfers) {
    EXPECT_EQ(FileCount(), 0u);
    Need(transfers.BeginImport("a", 10));
    EXPECT_EQ(FileCount(), 1u);
    transfers.Stop();
    EXPECT_EQ(FileCount(), 0u);
    EXPECT_EQ(CodeOf(transfers.BeginImport("a", 10)), "NODE_STOPPING");
  });
}

TEST_F(TransfersTest, KnowTheHolderOfAnId) {
  EXPECT_EQ(admin::Transfers::HolderOf("n1.00ff"), "n1");
  EXPECT_EQ(admin::Transfers::HolderOf("n1"), std::nullopt);
  EXPECT_EQ(admin::Transfers::HolderOf(".00ff"), std::nullopt);
  EXPECT_EQ(admin::Transfers::HolderOf("N 1.00ff"), std::nullopt);
}

}  // namespace
}  // namespace tradewind::node
