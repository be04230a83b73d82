#include "outside/outside_database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "sqlite/database_fixture.h"
#include "sqlite/page_store.h"
#include "sqlite/vfs.h"

namespace tradewind::outside {
namespace {

namespace files = std::filesystem;
using sqlite::Ask;
using sqlite::InitializeSqlite;
using sqlite::kFileInUseCode;
using sqlite::PageStore;

// The program to which the file belongs.
class Owner {
 public:
  explicit Owner(const std::string& path) {
    InitializeSqlite();
    EXPECT_EQ(sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix"),
              SQLITE_OK);
  }
  ~Owner() { sqlite3_close(handle_); }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  int Say(const std::string& sql) { return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr); }

 private:
  sqlite3* handle_ = nullptr;
};

std::string RowsIn(const std::string& path) {
  sqlite3* handle = nullptr;
  sqlite3_stmt* statement = nullptr;
  std::string rows = "unreadable";
  if (sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK &&
      sqlite3_prepare_v2(handle, "SELECT count(*) FROM t", -1, &statement, nullptr) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW)
    rows = std::to_string(sqlite3_column_int(statement, 0));
  sqlite3_finalize(statement);
  sqlite3_close(handle);
  return rows;
}

class OutsideDatabaseTest : public sqlite::DatabaseFixture {
 protected:
  std::string path() const { return core_.folder() + "/app.db"; }

  // Reads the database, and says how many rows what was read has, or the code of the error.
  std::string Read(const std::string& given) {
    auto database = OutsideDatabase::Open(given);
    if (!database) return database.error().code;
    const std::string copy = core_.folder() + "/read.db";
    for (const char* suffix : {"", "-wal", "-journal"}) files::remove(copy + suffix);
    std::ofstream out(copy, std::ios::binary);
    for (uint64_t offset = 0; offset < (*database)->size_bytes();) {
      std::string piece(10'000, '\0');
      const auto got = (*database)->Read(offset, std::as_writable_bytes(std::span(piece)));
      EXPECT_TRUE(got.has_value() && *got > 0);
      out.write(piece.data(), static_cast<std::streamsize>(got.value_or(0)));
      offset += got.value_or(1);
    }
    out.close();
    return RowsIn(copy);
  }
  std::string Content(const std::string& file) const {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

TEST_F(OutsideDatabaseTest, WhatIsInTheLogOfAProgramThatRunsIsRead) {
  Owner owner(path());
  owner.Say("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a)");
  EXPECT_EQ(Read(path()), "0");
  owner.Say("INSERT INTO t VALUES (1),(2)");
  const std::string main = Content(path());
  const std::string log = Content(path() + "-wal");
  EXPECT_EQ(Read(path()), "2");
  owner.Say("BEGIN; INSERT INTO t VALUES (3)");
  EXPECT_EQ(Read(path()), "2");  // What is committed, and no more.
  owner.Say("ROLLBACK");
  EXPECT_EQ(Content(path()), main);
  EXPECT_EQ(Content(path() + "-wal"), log);
  owner.Say("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (3)");
  EXPECT_EQ(Read(path()), "3");
}

TEST_F(OutsideDatabaseTest, WhatIsInTheLogOfAProgramThatCrashedIsRead) {
  const std::string crashed = core_.folder() + "/crashed.db";
  {
    Owner owner(path());
    owner.Say("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1),(2)");
    files::copy_file(path(), crashed);
    files::copy_file(path() + "-wal", crashed + "-wal");
  }
  const std::string log = Content(crashed + "-wal");
  EXPECT_EQ(Read(crashed), "2");
  EXPECT_EQ(Content(crashed + "-wal"), log);
  // What is torn at the end of the log was not committed.
  std::ofstream(crashed + "-wal", std::ios::app | std::ios::binary) << "torn";
  EXPECT_EQ(Read(crashed), "2");
}

TEST_F(OutsideDatabaseTest, AFileInWalModeThatNobodyUsesIsReadAndNothingIsLeftBeside) {
  {
    Owner owner(path());
    owner.Say("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1)");
  }
  ASSERT_FALSE(files::exists(path() + "-wal"));
  const std::string main = Content(path());
  EXPECT_EQ(Read(path()), "1");
  EXPECT_EQ(Content(path()), main);
  EXPECT_FALSE(files::exists(path() + "-wal"));
  EXPECT_FALSE(files::exists(path() + "-shm"));
  std::ofstream(path() + "-shm") << std::string(32'768, 'x');  // Left over.
  EXPECT_EQ(Read(path()), "1");
}

TEST_F(OutsideDatabaseTest, AWriterWithAJournalIsWaitedForThenNamedAndWaitsItselfMeanwhile) {
  Owner owner(path());
  owner.Say("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
  owner.Say("BEGIN; INSERT INTO t VALUES (2)");
  EXPECT_EQ(Read(path()), "1");
  owner.Say("COMMIT; BEGIN EXCLUSIVE");
  EXPECT_EQ(Read(path()), "DATABASE_IN_USE");
  owner.Say("COMMIT");
  const auto database = OutsideDatabase::Open(path());
  EXPECT_EQ(owner.Say("INSERT INTO t VALUES (3)"), SQLITE_BUSY);
}

TEST_F(OutsideDatabaseTest, AHotJournalIsRefusedAndStays) {
  const std::string crashed = core_.folder() + "/crashed.db";
  {
    Owner owner(path());
    owner.Say("PRAGMA cache_size=1; CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    owner.Say("BEGIN; INSERT INTO t SELECT randomblob(5000) FROM pragma_function_list");
    files::copy_file(path(), crashed);
    files::copy_file(path() + "-journal", crashed + "-journal");
  }
  const std::string journal = Content(crashed + "-journal");
  ASSERT_GT(journal.size(), 512u);
  EXPECT_EQ(Read(crashed), "DATABASE_INTERRUPTED");
  EXPECT_EQ(Content(crashed + "-journal"), journal);
  EXPECT_EQ(RowsIn(crashed), "1");  // Its own program rolls back, and then it can be read.
  EXPECT_EQ(Read(crashed), "1");
}

TEST_F(OutsideDatabaseTest, AJournalThatIsKeptButOverIsNoHindrance) {
  Owner owner(path());
  owner.Say("PRAGMA journal_mode=PERSIST; CREATE TABLE t(a); INSERT INTO t VALUES (1)");
  ASSERT_GT(files::file_size(path() + "-journal"), 0u);
  EXPECT_EQ(Read(path()), "1");
}

TEST_F(OutsideDatabaseTest, ALinkLeadsToTheFileAndToWhatIsBesideIt) {
  const std::string crashed = core_.folder() + "/crashed.db";
  {
    Owner owner(path());
    owner.Say("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    files::copy_file(path(), crashed);
    files::copy_file(path() + "-wal", crashed + "-wal");
  }
  const std::string link = core_.folder() + "/link.db";
  files::create_symlink(crashed, link);
  EXPECT_EQ(Read(link), "1");
  const std::string other = core_.folder() + "/other.db";
  files::create_hard_link(crashed, other);
  EXPECT_EQ(Read(other), "DATABASE_HAS_OTHER_NAMES");
  EXPECT_FALSE(files::exists(other + "-wal"));
  EXPECT_EQ(Read(crashed), "1");
}

TEST_F(OutsideDatabaseTest, WhatIsNoDatabaseIsRefused) {
  EXPECT_EQ(Read(path()), "FILE_UNREADABLE");
  EXPECT_EQ(Read(core_.folder()), "FILE_UNREADABLE");
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(Read(path()), "FILE_UNREADABLE");
  files::remove(path());
  std::ofstream(path()).close();
  std::ofstream(path() + "-wal") << "the log of a file that is gone";
  EXPECT_EQ(Read(path()), "IMPORT_EMPTY");
  EXPECT_TRUE(files::exists(path() + "-wal"));
  files::remove(path() + "-wal");
  std::ofstream(path()) << std::string(8'192, 'e');
  EXPECT_EQ(Read(path()), "NOT_A_DATABASE");
  std::ofstream(path()) << "short";
  EXPECT_EQ(Read(path()), "NOT_A_DATABASE");
}

TEST_F(OutsideDatabaseTest, AFileThatANodeServesIsRefused) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    Ask(*connection, "CREATE TABLE t (a)");
    EXPECT_EQ(Read(core_.folder() + "/t.db"), "DATABASE_IN_USE");
  });
  EXPECT_EQ(Read(core_.folder() + "/t.db"), "0");
}

// -- What other programs may do with a file that is open here

TEST_F(OutsideDatabaseTest, OtherProgramsHearThatAFileOfANodeIsLocked) {
  core_.Run([&] {
    const auto store = OpenStore();
    const auto connection = Connect(*store);
    Ask(*connection, "CREATE TABLE t (a)");
    Owner other(core_.folder() + "/t.db");
    for (const char* sql : {"SELECT * FROM t", "INSERT INTO t VALUES (1)", "PRAGMA journal_mode=DELETE",
                            "VACUUM", "BEGIN IMMEDIATE", "PRAGMA wal_checkpoint(TRUNCATE)"})
      EXPECT_EQ(other.Say(sql), SQLITE_BUSY) << sql;
    EXPECT_EQ(Ask(*connection, "INSERT INTO t VALUES (1)"), "");
    EXPECT_TRUE(files::exists(core_.folder() + "/t.db-wal"));
  });
}

TEST_F(OutsideDatabaseTest, AFileThatAnotherProgramHasOpenIsOpenedOnceThatEnds) {
  core_.Run([&] { Ask(*Connect(*OpenStore()), "CREATE TABLE t (a)"); });
  core_.Run([&] {
    {
      Owner other(core_.folder() + "/t.db");
      other.Say("BEGIN; SELECT * FROM t");
      const auto store = PageStore::Open(core_, core_.folder() + "/t.db", runtime::OpenMode::kExisting);
      ASSERT_FALSE(store.has_value());
      EXPECT_EQ(store.error().code, kFileInUseCode);
      EXPECT_EQ(store.error().kind, ErrorKind::kUnavailable);
    }
    EXPECT_EQ(Ask(*Connect(*OpenStore()), "SELECT count(*) FROM t"), "0");
  });
}

}  // namespace
}  // namespace tradewind::outside
