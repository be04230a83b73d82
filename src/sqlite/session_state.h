// What a session is beside its transaction: everything else that SQL can observe of its connection and that a
// client may change (docs/session.md). It goes with a stream to another connection, here or at another node.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace tradewind::sqlite {

// A setting is a PRAGMA that changes its connection; this is its value on a new one.
struct SettingDefault {
  std::string_view name;  // Upper case, as in sandbox.cc; sorted.
  int64_t value;
};
inline constexpr std::array kSettingDefaults = std::to_array<SettingDefault>({
    {"ANALYSIS_LIMIT", 0},
    {"AUTOMATIC_INDEX", 1},
    {"CASE_SENSITIVE_LIKE", 0},
    {"CELL_SIZE_CHECK", 0},
    {"DEFER_FOREIGN_KEYS", 0},
    {"FOREIGN_KEYS", 1},
    {"IGNORE_CHECK_CONSTRAINTS", 0},
    {"LEGACY_ALTER_TABLE", 0},
    {"QUERY_ONLY", 0},
    {"READ_UNCOMMITTED", 0},
    {"RECURSIVE_TRIGGERS", 0},
    {"REVERSE_UNORDERED_SELECTS", 0},
    {"TRUSTED_SCHEMA", 1},
});
inline constexpr size_t kSettings = kSettingDefaults.size();

// Its place in kSettingDefaults; nothing for another name. Upper and lower case are the same.
constexpr std::optional<size_t> FindSetting(std::string_view name) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  for (size_t at = 0; at < kSettings; ++at) {
    const std::string_view known = kSettingDefaults[at].name;
    if (known.size() != name.size()) continue;
    size_t same = 0;
    while (same < name.size() && upper(name[same]) == known[same]) ++same;
    if (same == name.size()) return at;
  }
  return std::nullopt;
}

// Up to this triggers are shown a carried changes() exactly (session_counters.h).
inline constexpr int64_t kMostRealChanges = 4'093;

struct SessionState {
  int64_t last_insert_rowid = 0;
  int64_t changes = 0;
  int64_t total_changes = 0;
  // What PRAGMA data_version has shown is at most this; 0 when the client has not asked for it.
  uint32_t data_version = 0;
  // The settings that differ from a new connection's: their places in kSettingDefaults, and their values.
  std::vector<std::pair<size_t, int64_t>> settings;

  // Whether a connection should rather be kept than be given the session again at each request: settings make it
  // useless for others, and its statements are compiled again; a number of data_version costs the page cache; and
  // more changes are not carried exactly.
  bool is_dear() const { return !settings.empty() || data_version != 0 || changes > kMostRealChanges; }

  friend bool operator==(const SessionState&, const SessionState&) = default;
};

}  // namespace tradewind::sqlite
