#include "admin/import_check.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "catalog/test_catalog.h"
#include "sqlite/connection.h"
#include "sqlite/page_store.h"
#include "sqlite/vfs.h"
#include "tenant/stream.h"
#include "tenant/tenant.h"

namespace tradewind::admin {
namespace {

using catalog::CodeOf;
using catalog::Need;

constexpr size_t kPage = 4096;

// A file to be imported, made anew for each test: a plain copy of a database with a table of a hundred rows.
class ImportCheck : public testing::Test {
 protected:
  void WithFile(const std::function<void()>& body) {
    core_->RunUntilReturned("test", [&] {
      sqlite::InitializeSqlite();
      Make({"CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)",
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<100) "
            "INSERT INTO t SELECT x, printf('%0500d', x) FROM c"});
      body();
    });
  }

  // Runs the statements on the tenant's database and copies it to the file.
  void Make(const std::vector<std::string>& statements) {
    auto store = Need(sqlite::PageStore::Open(*core_, folder_.File("made.db"), runtime::OpenMode::kCreate));
    auto tenant = Need(tenant::Tenant::Open(*core_, "made", std::move(store)));
    auto stream = Need(tenant->OpenStream());
    for (const std::string& sql : statements) Need(stream->Execute({.sql = sql}));
    stream.reset();
    std::filesystem::remove(file_);
    Need(tenant->ExportTo(file_));
    tenant->Close();
  }

  Result<void> Check() {
    return CheckImport(*core_, file_, [] { return Result<void>(); });
  }

  std::string Bytes() {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Overwrite(size_t offset, const std::string& bytes) {
    std::fstream file(file_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }
  std::vector<std::string> Beside() {
    std::vector<std::string> names;
    for (const char* suffix : {"-wal", "-journal"})
      if (std::filesystem::exists(file_ + suffix)) names.emplace_back(suffix);
    return names;
  }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  catalog::TestFolder folder_;
  const std::string file_ = folder_.File("file.db");
};

TEST_F(ImportCheck, MakesAPlainFileWhatATenantNeeds) {
  WithFile([&] {
    ASSERT_EQ(Bytes()[18], 1) << "the copy is in WAL mode already";
    Need(Check());
    EXPECT_EQ(Bytes()[18], 2);
    EXPECT_EQ(Bytes()[19], 2);
    EXPECT_EQ(Beside(), std::vector<std::string>());
    auto store = Need(sqlite::PageStore::Open(*core_, file_, runtime::OpenMode::kExisting));
    auto connection = Need(sqlite::Connection::Open(*store));
    const auto count = Need(connection->Run({.sql = "SELECT count(*) FROM t"}));
    EXPECT_EQ(std::get<int64_t>(count.rows[0][0]), 100);
    connection->Close();
  });
}

TEST_F(ImportCheck, TakesAWholeFileInWalMode) {
  WithFile([&] {
    Need(Check());
    const std::string before = Bytes();
    Need(Check());
    EXPECT_EQ(Bytes(), before);
  });
}

TEST_F(ImportCheck, RefusesWhatIsNoDatabase) {
  WithFile([&] {
    std::filesystem::resize_file(file_, 99);
    EXPECT_EQ(CodeOf(Check()), "NOT_A_DATABASE");
    std::filesystem::resize_file(file_, 0);
    Overwrite(0, std::string(2 * kPage, 'x'));
    EXPECT_EQ(CodeOf(Check()), "NOT_A_DATABASE");
  });
}

TEST_F(ImportCheck, RefusesHeadersThatNoSQLiteWrites) {
  WithFile([&] {
    const std::string whole = Bytes();
    const std::vector<std::pair<size_t, std::string>> damages = {
        {0, "SQLite format 4"},            // Another magic.
        {16, std::string("\x0C\x00", 2)},  // 3072 is no power of two.
        {16, std::string("\x00\x80", 2)},  // 128 is too small.
        {18, "\x03"},
        {44, std::string("\x00\x00\x00\x05", 4)}};
    for (const auto& [offset, bytes] : damages) {
      Overwrite(0, whole);
      Overwrite(offset, bytes);
      EXPECT_EQ(CodeOf(Check()), "NOT_A_DATABASE") << offset;
    }
  });
}

TEST_F(ImportCheck, RefusesAFileThatWasCut) {
  WithFile([&] {
    const size_t size = Bytes().size();
    std::filesystem::resize_file(file_, size - kPage);
    EXPECT_EQ(CodeOf(Check()), "DATABASE_DAMAGED");
    std::filesystem::resize_file(file_, size - kPage - 1);
    EXPECT_EQ(CodeOf(Check()), "DATABASE_DAMAGED");
  });
}

TEST_F(ImportCheck, RefusesADamagedTree) {
  WithFile([&] {
    Overwrite(3 * kPage, std::string(kPage, '\x05'));
    const Result<void> checked = Check();
    EXPECT_EQ(CodeOf(checked), "DATABASE_DAMAGED");
    EXPECT_EQ(checked.error().kind, ErrorKind::kInvalid);
  });
}

TEST_F(ImportCheck, EndsWhenItIsToldTo) {
  WithFile([&] {
    // Slow enough that a time slice ends: the check evaluates the constraint for each row.
    Make({"CREATE TABLE slow(a CHECK(length(hex(zeroblob(20000 + a))) > 0))",
          "INSERT INTO slow SELECT x.a FROM t x, t y LIMIT 1000"});
    const Result<void> checked = CheckImport(*core_, file_, []() -> Result<void> {
      return Fail(ErrorKind::kUnavailable, "NODE_STOPPING", "stopping");
    });
    EXPECT_EQ(CodeOf(checked), "NODE_STOPPING");
  });
}

}  // namespace
}  // namespace tradewind::admin
