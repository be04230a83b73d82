// The session that a connection carries: reading it, setting it, and giving the connection to another client.
#include <sqlite3.h>

#include <charconv>
#include <string>
#include <utility>

#include "base/check.h"
#include "sqlite/connection.h"

namespace tradewind::sqlite {

namespace {

constexpr size_t kCaseSensitiveLike = *FindSetting("CASE_SENSITIVE_LIKE");
constexpr size_t kDeferForeignKeys = *FindSetting("DEFER_FOREIGN_KEYS");
constexpr size_t kForeignKeys = *FindSetting("FOREIGN_KEYS");

// Each costs as much as emptying a page cache that is new; a stream would have to commit so often, and ask.
constexpr uint32_t kMostDataVersions = 1'000'000;

std::string PragmaOf(size_t setting) {
  return "PRAGMA " + std::string(kSettingDefaults[setting].name);
}

}  // namespace

// -- Settings

// What a PRAGMA asks for is not what it does: it may be without effect, or act before its statement fails.
std::optional<int64_t> Connection::ReadSetting(size_t setting) {
  const Result<std::string> text =
      RunOwn(setting == kCaseSensitiveLike ? "SELECT 'a' NOT LIKE 'A'" : PragmaOf(setting).c_str());
  if (!text) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return value;
}

Result<void> Connection::WriteSetting(size_t setting, int64_t value) {
  TW_TRY(RunOwn((PragmaOf(setting) + "=" + std::to_string(value)).c_str()));
  const std::optional<int64_t> now = ReadSetting(setting);
  if (now != value)
    return Fail(ErrorKind::kInternal, "SESSION_LOST",
                PragmaOf(setting) + " cannot be set to " + std::to_string(value) + " again",
                "open a new stream");
  settings_[setting] = value;
  cache_.Clear();
  return {};
}

void Connection::SettleSettings(bool succeeded) {
  for (size_t setting = 0; touched_.any() && setting < kSettings; ++setting) {
    if (!touched_.test(setting)) continue;
    touched_.reset(setting);
    const std::optional<int64_t> now = ReadSetting(setting);
    if (now && *now == settings_[setting]) continue;
    cache_.Clear();  // A setting changes what is compiled, and EXPLAIN does not tell SQLite to forget it.
    if (!now)
      reusable_ = false;
    else if (succeeded)
      settings_[setting] = *now;
    else if (!WriteSetting(setting, settings_[setting]))
      reusable_ = false;
  }
}

// It ends with its transaction.
void Connection::RefreshDeferral() {
  int64_t& deferred = settings_[kDeferForeignKeys];
  if (deferred != 0) deferred = ReadSetting(kDeferForeignKeys).value_or(deferred);
}

// -- The session as a whole

SessionState Connection::session() {
  RefreshDeferral();
  SessionState state;
  state.last_insert_rowid = counters_.last_insert_rowid();
  state.changes = counters_.changes();
  state.total_changes = counters_.total_changes();
  for (size_t setting = 0; setting < kSettings; ++setting)
    if (settings_[setting] != kSettingDefaults[setting].value)
      state.settings.emplace_back(setting, settings_[setting]);
  if (data_version_shown_)
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_DATA_VERSION, &state.data_version);
  return state;
}

Result<void> Connection::Restore(const SessionState& state) {
  interruption_.reset();
  counters_.Set(state.last_insert_rowid, state.changes, state.total_changes);
  for (const auto& [setting, value] : state.settings) TW_TRY(WriteSetting(setting, value));
  data_version_shown_ = state.data_version != 0;
  // A client that compares must not find the same number for another content. It rises with each time that
  // the cache is dropped.
  uint32_t version = 0;
  for (uint32_t rises = 0; data_version_shown_ && rises < kMostDataVersions; ++rises) {
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    if (version > state.data_version) break;
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_RESET_CACHE, nullptr);
  }
  return {};
}

bool Connection::ResetForReuse() {
  if (!autocommit() || transaction_state() != TransactionState::kNone || !reusable_) return false;
  RefreshDeferral();
  for (size_t setting = 0; setting < kSettings; ++setting)
    if (settings_[setting] != kSettingDefaults[setting].value) return false;
  int foreign_keys = 0;
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &foreign_keys);
  if (foreign_keys != kSettingDefaults[kForeignKeys].value) return false;
  on_progress_ = {};
  interruption_.reset();
  readonly_transaction_ = false;
  data_version_shown_ = false;
  counters_.Set(0, 0, 0);
  return true;
}

}  // namespace tradewind::sqlite
