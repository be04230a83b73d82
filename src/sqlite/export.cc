#include "sqlite/export.h"

#include <sqlite3.h>

#include <memory>

#include "base/check.h"
#include "runtime/disk.h"
#include "sqlite/error_code.h"
#include "sqlite/page_store.h"
#include "sqlite/vfs.h"

namespace tradewind::sqlite {

namespace {

// The new file's connection. It has none of the settings of a tenant's: no WAL, so cache spill is safe and
// the copy needs no memory of its size, and no journal, since a copy that fails is removed.
class Copy {
 public:
  explicit Copy(PageStore& store) : store_(store) {}
  ~Copy() { sqlite3_close(handle_); }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  Result<void> Open() {
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    TW_TRY(Check(sqlite3_open_v2(store_.database_path().c_str(), &handle_, flags, kVfsName)));
    return Run("PRAGMA temp_store=MEMORY; PRAGMA journal_mode=OFF; PRAGMA synchronous=NORMAL");
  }

  // A write of others between two steps would start the copy anew, if `from` held no snapshot.
  Result<void> Fill(sqlite3* from, const std::function<Result<void>()>& on_progress) {
    sqlite3_backup* backup = sqlite3_backup_init(handle_, "main", from, "main");
    if (!backup) return Check(sqlite3_errcode(handle_));
    int code = SQLITE_OK;
    Result<void> go_on;
    while (go_on && (code = sqlite3_backup_step(backup, limits::kExportPages)) == SQLITE_OK)
      go_on = on_progress();
    const int finished = sqlite3_backup_finish(backup);
    TW_TRY(go_on);
    return Check(code == SQLITE_DONE ? finished : code);
  }

  // The copied header says WAL, as the tenant's file does.
  Result<void> LeaveWalMode() { return Run("PRAGMA journal_mode=DELETE"); }

 private:
  Result<void> Check(int code) {
    if (code == SQLITE_OK) return {};
    if (std::optional<Error> refusal = store_.TakeRefusal()) return Fail(*std::move(refusal));
    return Fail(ErrorFromCode(code, sqlite3_errstr(code)));
  }
  Result<void> Run(const char* sql) { return Check(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr)); }

  PageStore& store_;
  sqlite3* handle_ = nullptr;
};

Result<void> FillFile(Connection& from, PageStore& store, const std::function<Result<void>()>& on_progress) {
  Copy copy(store);
  TW_TRY(copy.Open());
  TW_TRY(copy.Fill(from.handle(), on_progress));
  return copy.LeaveWalMode();
}

}  // namespace

Result<void> CopyToNewFile(Connection& from, const std::string& path,
                           const std::function<Result<void>()>& on_progress) {
  TW_CHECK(from.transaction_state() != TransactionState::kNone, "a copy is made without a snapshot");
  runtime::Core& core = from.store().core();
  TW_TRY_ASSIGN(auto store, PageStore::Open(core, path, runtime::OpenMode::kCreateExclusive));
  Result<void> copied = FillFile(from, *store, on_progress);
  store.reset();
  if (copied) return copied;
  for (const char* suffix : {"", "-journal", "-wal"}) (void)core.disk().Remove(path + suffix);
  return copied;
}

}  // namespace tradewind::sqlite
