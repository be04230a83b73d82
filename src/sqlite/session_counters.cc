#include "sqlite/session_counters.h"

#include <sqlite3.h>

#include <algorithm>
#include <string>

#include "base/check.h"
#include "sqlite/session_state.h"

namespace tradewind::sqlite {

template <int64_t (SessionCounters::*Counter)() const>
void SessionCounters::Call(sqlite3_context* context, int, sqlite3_value**) noexcept {
  const auto& self = *static_cast<const SessionCounters*>(sqlite3_user_data(context));
  sqlite3_result_int64(context, (self.*Counter)());
}

void SessionCounters::Install(sqlite3* connection) {
  connection_ = connection;
  // As SQLite's own: not deterministic, and allowed in views and triggers.
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_INNOCUOUS;
  const auto install = [&](const char* name, auto* call) {
    const int code =
        sqlite3_create_function_v2(connection, name, 0, kFlags, this, call, nullptr, nullptr, nullptr);
    TW_CHECK(code == SQLITE_OK, "SQLite takes a function");
  };
  install("changes", Call<&SessionCounters::changes>);
  install("total_changes", Call<&SessionCounters::total_changes>);
}

int64_t SessionCounters::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(connection_);
}

int64_t SessionCounters::changes() const {
  const int64_t counted = sqlite3_changes64(connection_);
  return carried_ && counted == carried_->sqlite_changes ? carried_->changes : counted;
}

int64_t SessionCounters::total_changes() const {
  return total_before_ + sqlite3_total_changes64(connection_);
}

void SessionCounters::Set(int64_t last_insert_rowid, int64_t changes, int64_t total_changes) {
  sqlite3_set_last_insert_rowid(connection_, last_insert_rowid);
  const int64_t counted = sqlite3_changes64(connection_);
  const int64_t total = sqlite3_total_changes64(connection_);
  total_before_ = total_changes - total;
  carried_.reset();
  if (counted != changes) carried_ = Carried{changes, counted, total};
}

void SessionCounters::NoteSteps(bool counts) {
  if (!carried_) return;
  // A full-text table is created with rows of its own, which SQLite counts as well.
  if (counts || sqlite3_changes64(connection_) != carried_->sqlite_changes ||
      sqlite3_total_changes64(connection_) != carried_->sqlite_total)
    carried_.reset();
}

void SessionCounters::MakeReal() {
  if (!carried_) return;
  const int64_t rowid = last_insert_rowid();
  const int64_t session_changes = carried_->changes;
  const int64_t session_total = total_changes();
  const int64_t rows = std::clamp<int64_t>(session_changes, 0, kMostRealChanges);
  const std::string sql =
      "CREATE TEMP TABLE sqlite3_changes (x);"
      "INSERT INTO temp.sqlite3_changes WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
      "SELECT x FROM c LIMIT " +
      std::to_string(rows) + ";DROP TABLE temp.sqlite3_changes";
  sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr,
               nullptr);  // It fails when the client may not write.
  Set(rowid, session_changes, session_total);
}

}  // namespace tradewind::sqlite
