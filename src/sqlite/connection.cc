#include "sqlite/connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
#include "base/memory_pool.h"
#include "runtime/fiber.h"
#include "runtime/turns.h"
#include "sql/sql_text.h"
#include "sqlite/binding.h"
#include "sqlite/budget_error.h"
#include "sqlite/error_code.h"
#include "sqlite/function_bounds.h"
#include "sqlite/memory_budget.h"
#include "sqlite/page_store.h"
#include "sqlite/pauses.h"
#include "sqlite/set_aside.h"
#include "sqlite/vfs.h"

namespace tradewind::sqlite {

namespace {

// While a statement is compiled, OnProgress is called once in so many calls of the authorizer.
constexpr uint32_t kAuthorizerCallsPerProgress = 4;
// A text of less than this is compiled in milliseconds whatever it holds.
constexpr size_t kQuicklyCompiledBytes = 16u << 10;

bool StartsWithOneOf(std::string_view sql, std::initializer_list<std::string_view> upper_case) {
  const std::string_view first = sql::FirstWord(sql);
  return std::any_of(upper_case.begin(), upper_case.end(),
                     [&](std::string_view word) { return EqualsIgnoringCase(first, word); });
}

Error ZeroByte() {
  return {ErrorKind::kInvalid, "SQL_PARSE_ERROR", "the text holds a zero byte", {}};
}

// Literals, for the measurement of turns.
const char* ActivityOf(sqlite3_stmt* statement) {
  const char* const first = sqlite3_sql(statement);
  switch (first ? first[0] | 0x20 : 0) {
    case 'a': return "run alter, analyze";
    case 'b': return "run begin";
    case 'c': return (first[1] | 0x20) == 'o' ? "run commit" : "run create";
    case 'd': return (first[1] | 0x20) == 'r' ? "run drop" : "run delete";
    case 'i': return "run insert";
    case 'p': return "run pragma";
    case 'r': return "run replace, rollback, reindex";
    case 's': return "run select";
    case 'u': return "run update";
    case 'v': return "run values, vacuum";
    case 'w': return "run with";
    default: return "run";
  }
}

double Milliseconds(runtime::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

// What SQLite calls back. No exception may cross SQLite: a lack of memory ends the statement.
struct ConnectionCallbacks {
  static Connection& Self(void* context) { return *static_cast<Connection*>(context); }

  template <typename Call>
  static int Guarded(Connection& self, int to_end_it, const Call& call) noexcept {
    const Result<int> code = OrOutOfMemory<int>([&]() -> Result<int> { return call(); });
    if (code) return *code;
    self.interruption_ = code.error();
    return to_end_it;
  }

  static int Authorize(void* context, int action, const char* first, const char* second,
                       const char* /*database*/, const char* inner) noexcept {
    Connection& self = Self(context);
    if (self.own_) return SQLITE_OK;
    return Guarded(self, SQLITE_DENY, [&] {
      const SandboxCall call{action, first, second, inner};
      if (self.noting_) NoteTraits(call, *self.noting_);
      if (action == SQLITE_PRAGMA) NotePragma(self, call);
      if (++self.authorizer_calls_ % kAuthorizerCallsPerProgress == 0 && !Continue(self)) return SQLITE_DENY;
      const Result<int> verdict = AuthorizeCall(call, self.phase_);
      if (verdict) return *verdict;
      self.interruption_ = verdict.error();
      return SQLITE_DENY;
    });
  }

  // In whatever phase: a PRAGMA of EXPLAIN, and one of a text that is no statement in the end, act as well.
  static void NotePragma(Connection& self, const SandboxCall& call) {
    const std::string_view name = call.first ? call.first : "";
    if (const auto setting = FindSetting(name); setting && call.second) self.touched_.set(*setting);
    if (EqualsIgnoringCase(name, "DATA_VERSION")) self.data_version_shown_ = true;
  }

  static int Progress(void* context) noexcept {
    Connection& self = Self(context);
    if (self.own_) return 0;
    return Guarded(self, 1, [&] {
      if (self.transaction_state() == TransactionState::kWrite) {
        int used = 0;
        int highest = 0;
        sqlite3_db_status(self.handle_, SQLITE_DBSTATUS_CACHE_USED, &used, &highest, 0);
        if (static_cast<size_t>(used) > limits::kDirtyMemoryBytes) {
          self.interruption_ =
              Error{ErrorKind::kTooLarge, "TRANSACTION_TOO_LARGE",
                    "the transaction changes more than " + std::to_string(limits::kDirtyMemoryBytes >> 20) +
                        " MiB; it was rolled back",
                    "split it into smaller ones"};
          return 1;
        }
      }
      return Continue(self) ? 0 : 1;
    });
  }

  static void Reads(void* context) noexcept {
    Connection& self = Self(context);
    if (self.own_) return;
    if (self.interruption_) {
      if (MemoryBudget* const budget = MemoryBudget::Current())
        budget->NoteToldToEnd(self.store_.core().Now());
      return;
    }
    if (Guarded(self, 1, [&] { return Continue(self) ? 0 : 1; }) != 0) sqlite3_interrupt(self.handle_);
  }

  // Waits a little and has SQLite try again; gives up (SQLITE_BUSY) after the time that a writer waits for
  // its turn.
  static int Busy(void* context, int tries) noexcept {
    Connection& self = Self(context);
    if (runtime::CurrentFiber() == nullptr) return 0;
    runtime::Core& core = self.store_.core();
    if (tries == 0) self.busy_since_ = core.Now();
    return Guarded(self, 0, [&] {
      if (core.Now() - self.busy_since_ >= limits::kWriteTurnWait || !Continue(self)) return 0;
      runtime::SleepFor(std::min(limits::kBusyPause * (tries + 1), limits::kBusyPauseLongest));
      return 1;
    });
  }

  static bool Continue(Connection& self) {
    if (!self.on_progress_) return true;
    Result<void> result = self.on_progress_();
    if (!result) self.interruption_ = std::move(result).error();
    return result.has_value();
  }
};

// -- Opening and closing

Connection::Connection(PageStore& store) : store_(store) {
  for (size_t setting = 0; setting < kSettings; ++setting)
    settings_[setting] = kSettingDefaults[setting].value;
}

Connection::~Connection() {
  Close();
}

Result<std::unique_ptr<Connection>> Connection::Open(PageStore& store) {
  InitializeSqlite();
  std::unique_ptr<Connection> connection(new Connection(store));
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    SQLITE_OPEN_PRIVATECACHE;
  const int code = sqlite3_open_v2(store.database_path().c_str(), &connection->handle_, flags, kVfsName);
  if (code != SQLITE_OK) return Fail(connection->ErrorNow(code));
  TW_TRY(connection->Configure());
  return connection;
}

Result<void> Connection::Configure() {
  const std::array<std::pair<int, int>, 9> bounds{{
      {SQLITE_LIMIT_LENGTH, limits::kValueBytes},
      {SQLITE_LIMIT_SQL_LENGTH, limits::kSqlTextBytes},
      {SQLITE_LIMIT_EXPR_DEPTH, limits::kExpressionDepth},
      {SQLITE_LIMIT_COMPOUND_SELECT, limits::kCompoundSelectTerms},
      {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LikePatternBytes()},
      {SQLITE_LIMIT_TRIGGER_DEPTH, limits::kTriggerDepth},
      {SQLITE_LIMIT_WORKER_THREADS, 0},
      {SQLITE_LIMIT_ATTACHED, 1},  // For VACUUM alone; the sandbox refuses ATTACH.
      {SQLITE_LIMIT_FUNCTION_ARG, limits::kFunctionArguments},
  }};
  for (const auto& [which, bound] : bounds) sqlite3_limit(handle_, which, bound);
  static constexpr std::array<std::pair<int, int>, 4> kSwitches{{
      {SQLITE_DBCONFIG_DEFENSIVE, 1},
      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
      {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},  // On in Debian; it takes addresses from SQL.
      {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
  }};
  for (const auto& [which, on] : kSwitches)
    TW_CHECK(sqlite3_db_config(handle_, which, on, nullptr) == SQLITE_OK, "SQLite lacks a switch");
  sqlite3_busy_handler(handle_, ConnectionCallbacks::Busy, this);
  sqlite3_progress_handler(handle_, limits::kProgressInstructions, ConnectionCallbacks::Progress, this);

  TW_TRY(RunOwn("PRAGMA cache_spill=OFF"));
  TW_TRY(RunOwn("PRAGMA temp_store=FILE"));
  TW_TRY(RunOwn("PRAGMA mmap_size=0"));
  TW_TRY(RunOwn("PRAGMA secure_delete=OFF"));
  TW_TRY_ASSIGN(const std::string mode, RunOwn("PRAGMA journal_mode=WAL"));
  if (mode != "wal")
    return Fail(ErrorKind::kIo, "WAL_UNAVAILABLE",
                "the database cannot use a write-ahead log: its mode is " + mode);
  TW_TRY(RunOwn("PRAGMA synchronous=NORMAL"));
  sqlite3_wal_autocheckpoint(handle_, 0);
  counters_.Install(handle_);
  BoundFunctionsOf(handle_, *this);
  sqlite3_set_authorizer(handle_, ConnectionCallbacks::Authorize, this);
  guard_.on_reads = ConnectionCallbacks::Reads;
  guard_.context = this;
  SetGuard(handle_, &guard_);
  return {};
}

void Connection::Close(bool keep_wal) {
  if (!handle_) return;
  on_progress_ = {};
  cache_.Clear();
  if (keep_wal) sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  // Refused when a statement is left: virtual tables keep some, and tables that are each other's content keep
  // each other alive.
  if (sqlite3_close(handle_) != SQLITE_OK) SetAside(handle_);
  handle_ = nullptr;
}

bool Connection::GoesOn() {
  return ConnectionCallbacks::Continue(*this);
}

// -- Errors

Error Connection::ExplainedOr(int code, Error otherwise) {
  if (interruption_) return *std::exchange(interruption_, std::nullopt);
  if (std::exchange(guard_.has_barred, false))
    return Error{ErrorKind::kUnavailable, std::string(kSnapshotBarredCode),
                 "no transaction may start here any more", "run the statement again"};
  const int primary = code & 0xff;
  if (primary == SQLITE_IOERR || primary == SQLITE_FULL || primary == SQLITE_CANTOPEN)
    if (std::optional<Error> refusal = store_.TakeRefusal()) return *std::move(refusal);
  return otherwise;
}

Error Connection::ErrorNow(int code) {
  return ExplainedOr(code, ErrorFromCode(code, handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code)));
}

// -- Compiling

Result<Connection::Compiled> Connection::Compile(std::string_view sql, SandboxPhase phase,
                                                 StatementTraits& traits) {
  traits = {};
  const sql::ReadonlyBegin readonly_begin = sql::ReadonlyBeginOf(sql);
  if (readonly_begin.contradicts_itself)
    return Fail(ErrorKind::kInvalid, "SQL_INPUT_ERROR", "a transaction cannot be both IMMEDIATE and READONLY",
                "say BEGIN IMMEDIATE to write, or BEGIN READONLY to read");
  if (readonly_begin.length > 0)
    sql = "BEGIN";
  else
    sql = sql.substr(0, sql::FirstStatement(sql).length);
  if (sql.size() > limits::kSqlTextBytes)
    return Fail(ErrorKind::kTooLarge, "SQLITE_TOOBIG",
                "the statement is longer than " + std::to_string(limits::kSqlTextBytes) + " bytes");
  if (sql.size() >= kQuicklyCompiledBytes && sql::ClauseCount(sql) > limits::kClausesPerStatement)
    return Fail(ErrorKind::kTooLarge, "SQL_TOO_COMPLEX",
                "the statement has more than " + std::to_string(limits::kClausesPerStatement) +
                    " subqueries, common table expressions and windows",
                "split it into several");
  Compiled compiled;
  // What these answer is taken from the schema that is remembered, and never stepped against the database's.
  if (phase == SandboxPhase::kDescribing || StartsWithOneOf(sql, {"EXPLAIN", "PRAGMA"})) VerifySchema();
  int code = CompileOnce(sql, phase, traits, compiled);
  // SQLite finds out that the schema has changed when a statement takes its first step. One that does not
  // compile never gets there, and would fail for ever.
  if (code != SQLITE_OK && (!interruption_ || interruption_->kind == ErrorKind::kRefused)) {
    VerifySchema();
    interruption_.reset();
    code = CompileOnce(sql, phase, traits, compiled);
  }
  if (code != SQLITE_OK) {
    Error error =
        ExplainedOr(code, ErrorFromPrepare(code, sqlite3_errmsg(handle_), sqlite3_error_offset(handle_)));
    EndLeftOvers();
    return Fail(std::move(error));
  }
  if (readonly_begin.length > 0) compiled.length = readonly_begin.length;
  if (!compiled.handle) return compiled;
  // What does nothing by the schema that is remembered (IF EXISTS, IF NOT EXISTS) may write by the one that its
  // first step finds.
  traits.readonly = (sqlite3_stmt_readonly(compiled.handle) != 0 || traits.never_writes) &&
                    !traits.writes_inside &&
                    !StartsWithOneOf(sql, {"ALTER", "ANALYZE", "CREATE", "DROP", "REINDEX"});
  traits.counts_changes = traits.changes_rows && !traits.changes_schema;
  traits.shows_changes_inside = traits.shows_changes_inside && !traits.readonly;
  traits.begins_readonly = readonly_begin.length > 0;
  traits.is_vacuum = EqualsIgnoringCase(sql::FirstWord(sql), "VACUUM");
  if (sqlite3_stmt_isexplain(compiled.handle)) {
    const bool counts_changes = traits.counts_changes;
    traits = {};
    traits.is_explain = true;
    traits.counts_changes = counts_changes;
  }
  return compiled;
}

int Connection::CompileOnce(std::string_view sql, SandboxPhase phase, StatementTraits& traits,
                            Compiled& compiled) {
  const char* tail = nullptr;
  traits = {};
  phase_ = phase;
  noting_ = &traits;
  const MemoryBudget budget(&store_, &guard_,
                            limits::kCompilerMemoryBytes + limits::kCompilerMemoryBytesPerByte * sql.size(),
                            limits::kCompilerAllocations + limits::kCompilerAllocationsPerByte * sql.size());
  const Pauses pauses(guard_, store_);
  const runtime::Activity activity("compile");
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &compiled.handle, &tail);
  noting_ = nullptr;
  phase_ = SandboxPhase::kStepping;
  if (touched_.any()) BoundLikeAgain(handle_);
  if (budget.used_up() && code != SQLITE_OK) interruption_ = TooMuchMemory(budget, TooComplex());
  if (code == SQLITE_OK) compiled.length = static_cast<size_t>(tail - sql.data());
  return code;
}

void Connection::VerifySchema() {
  // When a table is missing, SQLite compares the schema that it remembers with the one that there is, and
  // reads it again if it has to. No table can have this name.
  const Pauses pauses(guard_, store_);
  sqlite3_stmt* none = nullptr;
  own_ = true;
  sqlite3_prepare_v2(handle_, "SELECT 1 FROM sqlite_missing", -1, &none, nullptr);
  own_ = false;
  sqlite3_finalize(none);
}

Result<std::unique_ptr<PreparedStatement>> Connection::Prepare(const std::string& sql, SandboxPhase phase) {
  if (phase == SandboxPhase::kPreparing)
    if (auto cached = cache_.Take(sql)) return cached;
  if (sql.find('\0') != std::string::npos) return Fail(ZeroByte());
  auto statement = std::make_unique<PreparedStatement>();
  TW_TRY_ASSIGN(Compiled compiled, Compile(sql, phase, statement->traits));
  statement->handle = compiled.handle;
  if (!compiled.handle)
    return Fail(ErrorKind::kInvalid, "SQL_NO_STATEMENT", "the text holds no SQL statement");
  const std::string_view rest = std::string_view(sql).substr(compiled.length);
  if (sql::BlankLength(rest) != rest.size())
    return Fail(ErrorKind::kInvalid, "SQL_MANY_STATEMENTS", "the text holds more than one SQL statement",
                "send them one by one, or as a sequence");
  statement->sql = sql;
  return statement;
}

Result<sql::Description> Connection::Describe(const std::string& sql) {
  Result<sql::Description> described = DescribePrepared(sql);
  SettleSettings(described.has_value());
  return described;
}

Result<sql::Description> Connection::DescribePrepared(const std::string& sql) {
  interruption_.reset();
  TW_TRY_ASSIGN(const auto statement, Prepare(sql, SandboxPhase::kDescribing));
  sql::Description description;
  const Pauses pauses(guard_, store_);  // A parameter's name is looked for among all.
  for (int index = 1; index <= sqlite3_bind_parameter_count(statement->handle); ++index) {
    const char* name = sqlite3_bind_parameter_name(statement->handle, index);
    description.parameters.push_back({name ? std::optional<std::string>(name) : std::nullopt});
  }
  description.columns = ColumnsOf(statement->handle);
  description.is_explain = sqlite3_stmt_isexplain(statement->handle) != 0;
  description.is_readonly = statement->traits.readonly;
  Finalize(*statement);
  return description;
}

// -- Running

Result<sql::StatementResult> Connection::Run(const sql::Statement& statement, const BeforeStep& before_step,
                                             sql::RowSink* rows) {
  Result<sql::StatementResult> ran = RunPrepared(statement, before_step, rows);
  SettleSettings(ran.has_value());
  return ran;
}

Result<sql::StatementResult> Connection::RunPrepared(const sql::Statement& statement,
                                                     const BeforeStep& before_step, sql::RowSink* rows) {
  interruption_.reset();
  const Pauses pauses(guard_, store_);
  TW_TRY_ASSIGN(auto prepared, Prepare(statement.sql, SandboxPhase::kPreparing));
  Result<void> bound = BindArguments(prepared->handle, statement);
  Result<sql::StatementResult> result = bound ? Perform(*prepared, statement.want_rows, before_step, rows)
                                              : Result<sql::StatementResult>(Fail(std::move(bound).error()));
  sqlite3_clear_bindings(prepared->handle);  // They point into `statement`, which the caller may free.
  const StatementTraits& traits = prepared->traits;
  if (!traits.is_pragma && !traits.is_explain && !traits.changes_schema &&
      prepared->sql.size() <= limits::kPreparedStatementSqlBytes)
    cache_.Put(std::move(prepared));
  else
    Finalize(*prepared);
  return result;
}

Result<size_t> Connection::RunFirst(std::string_view sql, const BeforeStep& before_step) {
  Result<size_t> ran = RunFirstOf(sql, before_step);
  SettleSettings(ran.has_value());
  return ran;
}

Result<size_t> Connection::RunFirstOf(std::string_view sql, const BeforeStep& before_step) {
  interruption_.reset();
  const size_t blank = sql::BlankLength(sql);
  const std::string_view text = sql.substr(blank);
  if (text.empty()) return sql.size();
  const Pauses pauses(guard_, store_);
  PreparedStatement statement;
  TW_TRY_ASSIGN(const Compiled compiled, Compile(text, SandboxPhase::kPreparing, statement.traits));
  statement.handle = compiled.handle;
  if (!statement.handle) return Fail(ZeroByte());
  Result<void> bound = BindArguments(statement.handle, sql::Statement{});
  const Result<sql::StatementResult> result =
      bound ? Perform(statement, /*want_rows=*/false, before_step, nullptr)
            : Result<sql::StatementResult>(Fail(std::move(bound).error()));
  Finalize(statement);
  if (!result) return Fail(result.error());
  return blank + compiled.length;
}

// What a statement was compiled to may be millions of pieces: others run meanwhile.
void Connection::Finalize(PreparedStatement& statement) {
  const Pauses pauses(guard_, store_);
  sqlite3_finalize(std::exchange(statement.handle, nullptr));
}

Result<sql::StatementResult> Connection::Perform(PreparedStatement& statement, bool want_rows,
                                                 const BeforeStep& before_step, sql::RowSink* rows) {
  const runtime::TimePoint started = store_.core().Now();
  sql::StatementResult result;
  const StatementTraits& traits = statement.traits;
  if (autocommit()) readonly_transaction_ = false;
  if (readonly_transaction_ && !traits.readonly)
    return Fail(ErrorKind::kRefused, "SQLITE_READONLY",
                "attempt to write in a transaction that was begun as READONLY",
                "begin the transaction without READONLY");
  if (traits.creates) TW_TRY(CheckSchemaSize());
  if (traits.shows_changes_inside && counters_.is_carried()) {
    own_ = true;
    counters_.MakeReal();
    own_ = false;
    reusable_ = false;  // It has had a temporary table, which PRAGMA database_list tells.
  }
  if (before_step) {
    TW_TRY_ASSIGN(const Decision decision, before_step(traits));
    if (decision == Decision::kSkip) return result;
  }
  Result<void> stepped = Step(statement, want_rows, result, traits.readonly ? rows : nullptr);
  counters_.NoteSteps(traits.counts_changes);
  TW_TRY(stepped);
  if (traits.control == TransactionControl::kBegin) readonly_transaction_ = traits.begins_readonly;
  if (traits.changes_rows && !traits.changes_schema)
    result.affected_row_count = static_cast<uint64_t>(sqlite3_changes64(handle_));
  if (traits.inserts && !traits.changes_schema) result.last_insert_rowid = sqlite3_last_insert_rowid(handle_);
  result.rows_written = result.affected_row_count;
  result.duration_ms = Milliseconds(store_.core().Now() - started);
  return result;
}

Result<void> Connection::Step(PreparedStatement& statement, bool want_rows, sql::StatementResult& result,
                              sql::RowSink* rows) {
  sqlite3_stmt* const handle = statement.handle;
  size_t bytes = 0;
  phase_ = statement.traits.is_vacuum       ? SandboxPhase::kVacuuming
           : statement.traits.writes_inside ? SandboxPhase::kOptimizing
                                            : SandboxPhase::kStepping;
  const MemoryBudget budget(&store_, &guard_, limits::kStatementMemoryBytes);
  const Pauses pauses(guard_, store_);
  const runtime::Activity activity(ActivityOf(handle));
  int code = sqlite3_step(handle);
  const auto end_with = [&](const Error& why) {
    want_rows = false;
    interruption_ = why;
    sqlite3_interrupt(handle_);  // The next step fails, and undoes what the statement has changed.
  };
  // Only now: the step compiles again when the schema has changed.
  const Result<void> named = OrOutOfMemory<void>([&]() -> Result<void> {
    result.columns = ColumnsOf(handle);
    const bool begun = code == SQLITE_ROW || code == SQLITE_DONE;
    return rows && begun ? rows->Begin(result.columns) : Result<void>();
  });
  if (!named) end_with(named.error());
  std::vector<sql::ValueView> row;
  for (; code == SQLITE_ROW; code = sqlite3_step(handle)) {
    ++result.rows_read;
    if (!want_rows) continue;
    const Result<void> taken = OrOutOfMemory<void>([&]() -> Result<void> {
      return rows ? PassRow(handle, row, *rows) : KeepRow(handle, result, bytes);
    });
    if (!taken) end_with(taken.error());
  }
  phase_ = SandboxPhase::kStepping;
  if (budget.used_up() && code != SQLITE_DONE) interruption_ = TooMuchMemory(budget, TooLarge());
  const auto scanned = sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
  result.rows_read = std::max(result.rows_read, static_cast<uint64_t>(scanned));
  // A function may have made a text of the refusal.
  const bool done = code == SQLITE_DONE && !guard_.has_barred && named;
  Result<void> outcome = done ? Result<void>() : Fail(ErrorNow(code));
  sqlite3_reset(handle);
  EndLeftOvers();
  return outcome;
}

// Virtual tables keep statements, and one that was left in the middle would keep its snapshot: what its client
// reads would stay old, and no checkpoint would ever be whole.
void Connection::EndLeftOvers() {
  if (!autocommit() || transaction_state() == TransactionState::kNone) return;
  ResetRunning(handle_);
  if (transaction_state() == TransactionState::kNone) return;
  // The last of them did not count as a reader, and nobody has ended what the others had begun.
  if (RunOwn("BEGIN")) static_cast<void>(RunOwn("ROLLBACK"));
}

Result<void> Connection::CheckSchemaSize() {
  TW_TRY_ASSIGN(const std::string objects, RunOwn("SELECT count(*) FROM main.sqlite_schema"));
  int64_t count = limits::kSchemaObjects;
  std::from_chars(objects.data(), objects.data() + objects.size(), count);
  if (count < limits::kSchemaObjects) return {};
  return Fail(ErrorKind::kTooLarge, "SCHEMA_TOO_LARGE",
              "the database already has " + objects + " tables, indexes, views and triggers");
}

Result<std::string> Connection::RunOwn(const char* sql) {
  PreparedStatement own;
  sqlite3_stmt*& handle = own.handle;
  std::string answer;
  const struct Own {
    explicit Own(bool& is_own) : own(is_own) { own = true; }
    ~Own() { own = false; }
    bool& own;
  } scope(own_);
  int code = sqlite3_prepare_v2(handle_, sql, -1, &handle, nullptr);
  if (code == SQLITE_OK) {
    while ((code = sqlite3_step(handle)) == SQLITE_ROW)
      if (const auto row = CurrentRow(handle); !row.empty())
        if (const auto* text = sqlite3_column_text(handle, 0)) answer = reinterpret_cast<const char*>(text);
  }
  if (code == SQLITE_DONE) return answer;
  return Fail(ErrorNow(code));
}

Result<void> Connection::Rollback() {
  interruption_.reset();
  if (autocommit()) return {};
  TW_TRY(RunOwn("ROLLBACK"));
  return {};
}

Result<void> Connection::Checkpoint(CheckpointMode mode) {
  interruption_.reset();
  const int code = sqlite3_wal_checkpoint_v2(
      handle_, "main",
      mode == CheckpointMode::kPassive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE, nullptr,
      nullptr);
  if (code == SQLITE_OK) return {};
  return Fail(ErrorNow(code));
}

// -- State

bool Connection::autocommit() const {
  return sqlite3_get_autocommit(handle_) != 0;
}

TransactionState Connection::transaction_state() const {
  switch (sqlite3_txn_state(handle_, "main")) {
    case SQLITE_TXN_WRITE: return TransactionState::kWrite;
    case SQLITE_TXN_READ: return TransactionState::kRead;
    default: return TransactionState::kNone;
  }
}

}  // namespace tradewind::sqlite
