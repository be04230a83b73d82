#include "sqlite/sandbox.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "sqlite/session_state.h"

namespace tradewind::sqlite {

namespace {

std::string_view View(const char* text) {
  return text ? std::string_view(text) : std::string_view();
}

enum class PragmaUse {
  kNameArgument,  // The value names a table, an index or a count: harmless.
  kReadOnly,      // Only without a value.
  kWritable,      // The value is kept in the file, or the PRAGMA does something harmless to it.
  kSession,       // The value changes the connection.
  kJournalMode,   // Without a value, or with the mode that there is.
  kHint,  // How a program of its own would have SQLite wait, sync or use memory. Drivers set these when
          // they connect; the value is ignored, since the server does it in its own way.
  kSynchronous,  // The same, but not for OFF: an answer is durable.
  kOff,          // Without a value, or with what it is: off.
  kNormal,       // The same for locking_mode.
  kUtf8,         // The same for encoding; SQLite keeps that of a file that exists whatever it is told.
  kOptimize,     // Writes, and SQLite does not say so.
};

struct AllowedPragma {
  std::string_view name;  // Upper case; sorted.
  PragmaUse use;
};

constexpr std::array kAllowedPragmas = std::to_array<AllowedPragma>({
    {"ANALYSIS_LIMIT", PragmaUse::kSession},
    {"APPLICATION_ID", PragmaUse::kWritable},
    {"AUTOMATIC_INDEX", PragmaUse::kSession},
    {"AUTO_VACUUM", PragmaUse::kReadOnly},
    {"BUSY_TIMEOUT", PragmaUse::kHint},
    {"CACHE_SIZE", PragmaUse::kHint},
    {"CACHE_SPILL", PragmaUse::kOff},
    {"CASE_SENSITIVE_LIKE", PragmaUse::kSession},
    {"CELL_SIZE_CHECK", PragmaUse::kSession},
    {"CHECKPOINT_FULLFSYNC", PragmaUse::kHint},
    {"COLLATION_LIST", PragmaUse::kReadOnly},
    {"COMPILE_OPTIONS", PragmaUse::kReadOnly},
    {"COUNT_CHANGES", PragmaUse::kReadOnly},
    {"DATABASE_LIST", PragmaUse::kReadOnly},
    {"DATA_VERSION", PragmaUse::kReadOnly},
    {"DEFAULT_CACHE_SIZE", PragmaUse::kReadOnly},
    {"DEFER_FOREIGN_KEYS", PragmaUse::kSession},
    {"EMPTY_RESULT_CALLBACKS", PragmaUse::kReadOnly},
    {"ENCODING", PragmaUse::kUtf8},
    {"FOREIGN_KEYS", PragmaUse::kSession},
    {"FOREIGN_KEY_CHECK", PragmaUse::kNameArgument},
    {"FOREIGN_KEY_LIST", PragmaUse::kNameArgument},
    {"FREELIST_COUNT", PragmaUse::kReadOnly},
    {"FULLFSYNC", PragmaUse::kHint},
    {"FULL_COLUMN_NAMES", PragmaUse::kReadOnly},
    {"FUNCTION_LIST", PragmaUse::kReadOnly},
    {"HARD_HEAP_LIMIT", PragmaUse::kReadOnly},
    {"IGNORE_CHECK_CONSTRAINTS", PragmaUse::kSession},
    {"INCREMENTAL_VACUUM", PragmaUse::kWritable},
    {"INDEX_INFO", PragmaUse::kNameArgument},
    {"INDEX_LIST", PragmaUse::kNameArgument},
    {"INDEX_XINFO", PragmaUse::kNameArgument},
    {"INTEGRITY_CHECK", PragmaUse::kNameArgument},
    {"JOURNAL_MODE", PragmaUse::kJournalMode},
    {"JOURNAL_SIZE_LIMIT", PragmaUse::kHint},
    {"LEGACY_ALTER_TABLE", PragmaUse::kSession},
    {"LEGACY_FILE_FORMAT", PragmaUse::kReadOnly},
    {"LOCKING_MODE", PragmaUse::kNormal},
    {"MAX_PAGE_COUNT", PragmaUse::kReadOnly},
    {"MMAP_SIZE", PragmaUse::kHint},
    {"MODULE_LIST", PragmaUse::kReadOnly},
    {"OPTIMIZE", PragmaUse::kOptimize},
    {"PAGE_COUNT", PragmaUse::kReadOnly},
    {"PAGE_SIZE", PragmaUse::kHint},  // Nor does SQLite change that of a file in WAL mode.
    {"PRAGMA_LIST", PragmaUse::kReadOnly},
    {"QUERY_ONLY", PragmaUse::kSession},
    {"QUICK_CHECK", PragmaUse::kNameArgument},
    {"READ_UNCOMMITTED", PragmaUse::kSession},
    {"RECURSIVE_TRIGGERS", PragmaUse::kSession},
    {"REVERSE_UNORDERED_SELECTS", PragmaUse::kSession},
    {"SCHEMA_VERSION", PragmaUse::kReadOnly},
    {"SECURE_DELETE", PragmaUse::kOff},
    {"SHORT_COLUMN_NAMES", PragmaUse::kReadOnly},
    {"SHRINK_MEMORY", PragmaUse::kHint},
    {"SOFT_HEAP_LIMIT", PragmaUse::kReadOnly},
    {"STATS", PragmaUse::kReadOnly},
    {"SYNCHRONOUS", PragmaUse::kSynchronous},
    {"TABLE_INFO", PragmaUse::kNameArgument},
    {"TABLE_LIST", PragmaUse::kNameArgument},
    {"TABLE_XINFO", PragmaUse::kNameArgument},
    {"TEMP_STORE", PragmaUse::kHint},
    {"THREADS", PragmaUse::kHint},
    {"TRUSTED_SCHEMA", PragmaUse::kSession},
    {"USER_VERSION", PragmaUse::kWritable},
    {"WAL_AUTOCHECKPOINT", PragmaUse::kHint},
    {"WRITABLE_SCHEMA", PragmaUse::kOff},
});

// What changes the connection goes with the session.
static_assert(std::count_if(kAllowedPragmas.begin(), kAllowedPragmas.end(), [](const AllowedPragma& allowed) {
                return allowed.use == PragmaUse::kSession && FindSetting(allowed.name);
              }) == kSettings);
static_assert(std::count_if(kAllowedPragmas.begin(), kAllowedPragmas.end(), [](const AllowedPragma& allowed) {
                return allowed.use == PragmaUse::kSession;
              }) == kSettings);

const AllowedPragma* FindPragma(std::string_view name) {
  const auto found =
      std::find_if(kAllowedPragmas.begin(), kAllowedPragmas.end(),
                   [&](const AllowedPragma& allowed) { return EqualsIgnoringCase(name, allowed.name); });
  return found == kAllowedPragmas.end() ? nullptr : &*found;
}

tl::unexpected<Error> Refuse(std::string message, std::string action = {}) {
  return Fail(ErrorKind::kRefused, "SQLITE_AUTH", std::move(message), std::move(action));
}

bool IsOneOf(std::string_view value, std::initializer_list<std::string_view> upper_case) {
  return std::any_of(upper_case.begin(), upper_case.end(),
                     [&](std::string_view accepted) { return EqualsIgnoringCase(value, accepted); });
}

// A value that says what is so is ignored.
Result<int> AuthorizeValue(const SandboxCall& call, std::initializer_list<std::string_view> upper_case) {
  if (!call.second) return SQLITE_OK;
  if (IsOneOf(View(call.second), upper_case)) return SQLITE_IGNORE;
  return Refuse("PRAGMA " + std::string(View(call.first)) + " is " + std::string(*upper_case.begin()) +
                " on a hosted database and cannot be changed");
}

Result<int> AuthorizePragma(const SandboxCall& call, SandboxPhase phase) {
  const std::string name(View(call.first));
  const AllowedPragma* allowed = FindPragma(name);
  if (!allowed) return Refuse("PRAGMA " + name + " is not available on a hosted database");
  const bool has_value = call.second != nullptr;
  switch (allowed->use) {
    case PragmaUse::kNameArgument:
    case PragmaUse::kWritable: return SQLITE_OK;
    case PragmaUse::kSession:
      return has_value && phase == SandboxPhase::kDescribing ? SQLITE_IGNORE : SQLITE_OK;
    case PragmaUse::kHint: return has_value ? SQLITE_IGNORE : SQLITE_OK;
    case PragmaUse::kSynchronous: return AuthorizeValue(call, {"NORMAL", "FULL", "EXTRA", "1", "2", "3"});
    case PragmaUse::kOff: return AuthorizeValue(call, {"OFF", "0", "NO", "FALSE"});
    case PragmaUse::kNormal: return AuthorizeValue(call, {"NORMAL"});
    case PragmaUse::kUtf8: return AuthorizeValue(call, {"UTF-8", "UTF8"});
    case PragmaUse::kOptimize:
      // Out of a SELECT from pragma_optimize, which would write although it was let in as a reader.
      if (phase == SandboxPhase::kStepping)
        return Refuse("pragma_optimize is not available on a hosted database", "run PRAGMA optimize");
      return SQLITE_OK;
    case PragmaUse::kReadOnly:
      if (has_value) return Refuse("PRAGMA " + name + " can be read but not set on a hosted database");
      return SQLITE_OK;
    case PragmaUse::kJournalMode:
      if (has_value && !EqualsIgnoringCase(call.second, "WAL"))
        return Refuse("the journal mode of a hosted database is WAL and cannot be changed");
      return SQLITE_OK;
  }
  return Refuse("PRAGMA " + name + " is not available on a hosted database");
}

bool IsSchemaTable(std::string_view table) {
  return table == "sqlite_master" || table == "sqlite_schema" || table == "sqlite_temp_master" ||
         table == "sqlite_temp_schema";
}

TransactionControl ControlOf(const SandboxCall& call) {
  const std::string_view operation = View(call.first);
  const bool savepoint = call.action == SQLITE_SAVEPOINT;
  if (operation == "BEGIN") return savepoint ? TransactionControl::kSavepoint : TransactionControl::kBegin;
  if (operation == "ROLLBACK")
    return savepoint ? TransactionControl::kRollbackTo : TransactionControl::kRollback;
  return savepoint ? TransactionControl::kRelease : TransactionControl::kCommit;
}

void NotePragma(const SandboxCall& call, StatementTraits& traits) {
  traits.is_pragma = true;
  const AllowedPragma* allowed = FindPragma(View(call.first));
  if (!allowed) return;
  traits.never_writes = allowed->use == PragmaUse::kJournalMode;
  traits.writes_inside = allowed->use == PragmaUse::kOptimize;
}

}  // namespace

Result<int> AuthorizeCall(const SandboxCall& call, SandboxPhase phase) {
  switch (call.action) {
    case SQLITE_ATTACH:
      // VACUUM works through a nameless attached database; VACUUM INTO gives it a name.
      if (phase == SandboxPhase::kVacuuming && call.first && View(call.first).empty()) return SQLITE_OK;
      if (phase == SandboxPhase::kVacuuming)
        return Refuse("VACUUM INTO is not available on a hosted database", "use `tradewind tenant export`");
      return Refuse("ATTACH is not available on a hosted database");
    case SQLITE_DETACH: return Refuse("DETACH is not available on a hosted database");
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
      return Refuse("temporary tables, views and triggers are not available on a hosted database",
                    "use an ordinary table, or WITH");
    case SQLITE_FUNCTION:
      if (EqualsIgnoringCase(View(call.second), "LOAD_EXTENSION") ||
          EqualsIgnoringCase(View(call.second), "FTS3_TOKENIZER"))
        return Refuse("the function " + std::string(View(call.second)) +
                      " is not available on a hosted database");
      return SQLITE_OK;
    case SQLITE_READ:
      // It shows the statements of everyone who has used the connection.
      if (EqualsIgnoringCase(View(call.first), "SQLITE_STMT"))
        return Refuse("the table sqlite_stmt is not available on a hosted database");
      return SQLITE_OK;
    case SQLITE_PRAGMA: return AuthorizePragma(call, phase);
    default: return SQLITE_OK;
  }
}

void NoteTraits(const SandboxCall& call, StatementTraits& traits) {
  switch (call.action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: traits.control = ControlOf(call); break;
    case SQLITE_PRAGMA: NotePragma(call, traits); break;
    case SQLITE_FUNCTION:
      if (call.inner && EqualsIgnoringCase(View(call.second), "CHANGES")) traits.shows_changes_inside = true;
      // FTS4's optimize(), out of a SELECT.
      if (EqualsIgnoringCase(View(call.second), "OPTIMIZE")) traits.writes_inside = true;
      break;
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
      if (call.inner || IsSchemaTable(View(call.first))) break;
      traits.changes_rows = true;
      traits.inserts |= call.action == SQLITE_INSERT;
      break;
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
      traits.creates = true;
      traits.changes_schema = true;
      break;
    case SQLITE_ALTER_TABLE:
    case SQLITE_ANALYZE:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_VTABLE:
    case SQLITE_REINDEX: traits.changes_schema = true; break;
    default: break;
  }
}

}  // namespace tradewind::sqlite
