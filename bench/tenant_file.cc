#include "tenant_file.h"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <vector>

#include "mixed_load.h"

namespace tradewind::bench {
namespace {

constexpr uint64_t kBytesPerItem = 1024;  // With its row's header and its share of the page.
constexpr size_t kNoiseBytes = 1 << 20;

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

Result<void> Check(sqlite3* database, int code) {
  if (code == SQLITE_OK || code == SQLITE_DONE) return {};
  return Fail(ErrorKind::kIo, "FILE_NOT_MADE", std::string("SQLite: ") + sqlite3_errmsg(database));
}

// Payloads are pieces of this, from anywhere: random enough, and far faster than randomblob().
std::vector<char> Noise() {
  std::mt19937_64 random(42);
  std::vector<char> noise(kNoiseBytes);
  for (char& byte : noise) byte = static_cast<char>(random());
  return noise;
}

Result<void> Fill(sqlite3* database, int64_t items) {
  const auto run = [&](const char* sql) {
    return Check(database, sqlite3_exec(database, sql, nullptr, nullptr, nullptr));
  };
  // Nobody needs this file after a crash.
  TW_TRY(run("PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN"));
  TW_TRY(run(std::string(kMixedLoadTables).c_str()));
  sqlite3_stmt* prepared = nullptr;
  TW_TRY(Check(database, sqlite3_prepare_v2(database, "INSERT INTO items VALUES (?1, ?2, ?3)", -1, &prepared,
                                            nullptr)));
  const std::unique_ptr<sqlite3_stmt, Close> insert(prepared);
  const std::vector<char> noise = Noise();
  for (int64_t id = 1; id <= items; ++id) {
    const size_t at = static_cast<size_t>(id) * 617 % (kNoiseBytes - kItemBytes);
    sqlite3_bind_int64(prepared, 1, id);
    sqlite3_bind_int64(prepared, 2, id * kTwinFactor);
    sqlite3_bind_blob(prepared, 3, noise.data() + at, static_cast<int>(kItemBytes), SQLITE_STATIC);
    TW_TRY(Check(database, sqlite3_step(prepared)));
    sqlite3_reset(prepared);
  }
  return run("COMMIT");
}

}  // namespace

Result<TenantFile> MakeTenantFile(const std::string& path, uint64_t bytes) {
  TenantFile file{path, 0, std::max<int64_t>(1, static_cast<int64_t>(bytes / kBytesPerItem))};
  sqlite3* opened = nullptr;
  const int code = sqlite3_open(path.c_str(), &opened);
  const std::unique_ptr<sqlite3, Close> database(opened);
  TW_TRY(Check(opened, code));
  TW_TRY(Fill(opened, file.items));
  file.bytes = std::filesystem::file_size(path);
  return file;
}

}  // namespace tradewind::bench
