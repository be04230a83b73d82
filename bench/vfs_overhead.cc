// What Tradewind's VFS costs at rest: the same statements on the same database through it and through
// SQLite's own "unix-excl", in turn, in one process. Prints for each workload the time per statement of both
// (the median of the rounds) and their ratio.
//
//   vfs_overhead FOLDER     a folder on the disk to be measured; two files are made there and removed
#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/check.h"
#include "median.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"
#include "sqlite/page_store.h"
#include "sqlite/vfs.h"

namespace {

using tradewind::bench::Median;
using tradewind::runtime::Core;
using tradewind::sqlite::PageStore;

constexpr int kRounds = 9;
constexpr int kRows = 200'000;
constexpr int kReads = 20'000;
constexpr int kWrites = 2'000;

void Exec(sqlite3* db, const std::string& sql) {
  TW_CHECK(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK, sqlite3_errmsg(db));
}

sqlite3* Open(const std::string& path, const char* vfs) {
  sqlite3* db = nullptr;
  TW_CHECK(
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                      vfs) == SQLITE_OK,
      "the database cannot be opened");
  // As a tenant's connections are set, and a cache so small that reads reach the VFS.
  for (const char* sql : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA temp_store=MEMORY",
                          "PRAGMA cache_spill=OFF", "PRAGMA wal_autocheckpoint=0", "PRAGMA cache_size=50"})
    Exec(db, sql);
  Exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)");
  Exec(db, fmt::format("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<{}) "
                       "INSERT INTO t SELECT x, randomblob(200) FROM c",
                       kRows));
  Exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
  return db;
}

// Runs a statement `count` times with changing keys; microseconds for each.
double Time(Core& core, sqlite3* db, const char* sql, int count) {
  sqlite3_stmt* statement = nullptr;
  TW_CHECK(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK, sqlite3_errmsg(db));
  const auto started = core.Now();
  uint64_t key = 1;
  for (int i = 0; i < count; ++i) {
    key = key * 6364136223846793005u + 1442695040888963407u;
    sqlite3_bind_int64(statement, 1, static_cast<sqlite3_int64>((key >> 33) % kRows + 1));
    while (sqlite3_step(statement) == SQLITE_ROW) continue;
    sqlite3_reset(statement);
  }
  sqlite3_finalize(statement);
  return std::chrono::duration<double, std::micro>(core.Now() - started).count() / count;
}

void Compare(Core& core, sqlite3* ours, sqlite3* theirs, const char* name, const char* sql, int count) {
  std::vector<double> our_times, their_times, ratios;
  for (int round = 0; round < kRounds; ++round) {
    our_times.push_back(Time(core, ours, sql, count));
    their_times.push_back(Time(core, theirs, sql, count));
    ratios.push_back(our_times.back() / their_times.back());
  }
  fmt::print("{:<28} tradewind {:7.2f} us   unix-excl {:7.2f} us   ratio {:.3f} (median of {} pairs)\n", name,
             Median(our_times), Median(their_times), Median(ratios), kRounds);
  Exec(ours, "PRAGMA wal_checkpoint(TRUNCATE)");
  Exec(theirs, "PRAGMA wal_checkpoint(TRUNCATE)");
}

void Run(Core& core, const std::string& folder) {
  const std::string path = folder + "/vfs-overhead-tradewind.db", other = folder + "/vfs-overhead-unix.db";
  auto store = PageStore::Open(core, path, tradewind::runtime::OpenMode::kCreateExclusive);
  TW_CHECK(store, "the folder must be writable, and empty of earlier runs");
  sqlite3* ours = Open((*store)->database_path(), tradewind::sqlite::kVfsName);
  sqlite3* theirs = Open(other, "unix-excl");
  Compare(core, ours, theirs, "point read past the cache", "SELECT body FROM t WHERE id=?1", kReads);
  Compare(core, ours, theirs, "update, commit not synced", "UPDATE t SET body=randomblob(200) WHERE id=?1",
          kWrites);
  Compare(core, ours, theirs, "scan of 1,000 rows",
          "SELECT sum(length(body)) FROM t WHERE id BETWEEN ?1 AND ?1+1000", 200);
  sqlite3_close(ours);
  sqlite3_close(theirs);
  store->reset();
  for (const std::string& file : {path, other})
    TW_CHECK(core.disk().Remove(file), "a file cannot be removed");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: vfs_overhead FOLDER\n");
    return 2;
  }
  tradewind::sqlite::InitializeSqlite();
  const auto core = tradewind::runtime::RealCore::Create();
  core->RunUntilReturned("bench", [&] { Run(*core, argv[1]); });
  return 0;
}
