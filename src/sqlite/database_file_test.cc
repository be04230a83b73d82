#include "sqlite/database_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sqlite/database_fixture.h"

namespace tradewind::sqlite {
namespace {

using testing::HasSubstr;

class DatabaseFile : public DatabaseFixture {
 protected:
  std::string path() const { return core_.folder() + "/t.db"; }
  void MakeEmpty() {
    core_.Run([&] {
      const auto file = core_.disk().Open(path(), runtime::OpenMode::kCreateExclusive).value();
      ASSERT_TRUE(WriteEmptyDatabase(*file));
    });
  }
  std::string Check(uint64_t least = 1) {
    std::string message = "there";
    core_.Run([&] {
      const Result<void> checked = CheckDatabaseFile(core_.disk(), path(), least);
      if (checked) return;
      EXPECT_EQ(checked.error().code, kFileGoneCode);
      message = checked.error().message;
    });
    return message;
  }
};

TEST_F(DatabaseFile, ANewOneIsAnEmptyDatabaseThatSqliteTakesAsItIs) {
  MakeEmpty();
  EXPECT_EQ(std::filesystem::file_size(path()), 4096u);
  EXPECT_EQ(Check(), "there");
  WithConnection([&](Connection& connection) {
    EXPECT_EQ(Ask(connection, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Ask(connection, "PRAGMA page_count"), "1");
    EXPECT_EQ(RunScript(connection, "CREATE TABLE t(x); INSERT INTO t VALUES('\xc3\xa4')"), "");
    EXPECT_EQ(Ask(connection, "SELECT x, length(x) FROM t"), "\xc3\xa4|1");
    EXPECT_EQ(Ask(connection, "PRAGMA encoding"), "UTF-8");
  });
  EXPECT_EQ(Check(), "there");
}

TEST_F(DatabaseFile, OneThatIsGoneOrEmptyOrShortIsSaidToBe) {
  EXPECT_THAT(Check(), HasSubstr("is gone"));
  std::ofstream(path()).close();
  EXPECT_THAT(Check(), HasSubstr("is empty"));
  std::filesystem::remove(path());
  MakeEmpty();
  WithConnection([&](Connection& connection) {
    EXPECT_EQ(RunScript(connection, "CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(20000))"), "");
  });
  EXPECT_EQ(Check(), "there");
  const auto size = std::filesystem::file_size(path());
  EXPECT_THAT(Check(size + 1), HasSubstr("bytes"));
  std::filesystem::resize_file(path(), size - 4096);
  EXPECT_THAT(Check(), HasSubstr("bytes"));
}

TEST_F(DatabaseFile, AWalMayHoldWhatTheMainFileLacksButNotAllOfIt) {
  MakeEmpty();
  WithConnection([&](Connection& connection) {
    EXPECT_EQ(RunScript(connection, "CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(20000))"), "");
  });
  std::filesystem::resize_file(path(), 4096);
  EXPECT_THAT(Check(), HasSubstr("bytes"));
  std::ofstream(path() + "-wal") << "no frames";
  EXPECT_THAT(Check(), HasSubstr("bytes"));
  std::ofstream(path() + "-wal") << "\x37\x7f\x06\x82, and frames";
  EXPECT_EQ(Check(), "there");
  std::filesystem::resize_file(path(), 0);
  EXPECT_THAT(Check(), HasSubstr("is empty"));
}

TEST_F(DatabaseFile, AFileThatALossOfPowerHasLeftWithoutItsContentIsNotMade) {
  core_.Run([&] {
    EXPECT_EQ(CodeOf(CheckMadeDatabase(core_.disk(), path())), kFileGoneCode);
    {
      const auto file = core_.disk().Open(path(), runtime::OpenMode::kCreate).value();
      ASSERT_TRUE(file->Truncate(4096));
      EXPECT_EQ(CodeOf(CheckMadeDatabase(core_.disk(), path())), kFileGoneCode) << "zeros";
      ASSERT_TRUE(WriteEmptyDatabase(*file));
    }
    EXPECT_TRUE(CheckMadeDatabase(core_.disk(), path()));
  });
}

}  // namespace
}  // namespace tradewind::sqlite
