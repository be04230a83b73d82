// One SQLite connection to a tenant's file, set up so that SQLite's waits suspend the calling fiber (shared
// rules in vfs.h). One fiber at a time uses a connection; all connections of a tenant live on its core's
// thread.
//
// Settings of every connection, and why (each failure was seen without its rule):
//   cache_spill=OFF         a spilled transaction that rolls back to a savepoint can leave zero checksums
//                           in the WAL: that commit and all later ones are gone after recovery. Memory is
//                           bounded by limits::kDirtyMemoryBytes instead
//   synchronous=NORMAL      the tenant syncs the WAL itself and answers only then (group commit)
//   wal_autocheckpoint=0    the tenant checkpoints; a source does not from the hand-over on
//   temp_store=FILE         sorts and tables kept apart would take any amount of memory (temporary_file.h)
//   secure_delete=OFF       Debian's default would pull every freed page at a destination
//   foreign_keys=ON         what libSQL servers do, and so what their clients expect
//   busy handler            waits in the fiber; SQLite's own timeout would block the core
//   limits                  base/limits.h: SQL that would overflow a fiber's stack is refused
//   sandbox                 sandbox.h
#pragma once

#include <array>
#include <bitset>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "runtime/core.h"
#include "sql/row_sink.h"
#include "sql/value.h"
#include "sqlite/sandbox.h"
#include "sqlite/session_counters.h"
#include "sqlite/session_state.h"
#include "sqlite/statement_cache.h"
#include "sqlite/statement_traits.h"
#include "sqlite/vfs.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tradewind::sqlite {

class PageStore;

// A transaction that a connection has open (sqlite3_txn_state). kNone also after a BEGIN that has read
// nothing yet.
enum class TransactionState { kNone, kRead, kWrite };

inline constexpr std::string_view kSnapshotBarredCode = "SNAPSHOT_BARRED";

enum class CheckpointMode {
  kPassive,   // As much as readers and writers allow, without waiting for them.
  kTruncate,  // Waits for readers and writers, copies everything, leaves the WAL blank (commit_log.h).
};

class Connection {
 public:
  // The store must outlive the connection. A new file becomes an empty database in WAL mode. Suspends.
  static Result<std::unique_ptr<Connection>> Open(PageStore& store);
  ~Connection();  // As Close().
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Rolls back and closes. The last connection of a store checkpoints and removes the WAL, unless `keep_wal`,
  // and suspends for it; another one does no I/O. Nothing but the destructor may be called afterwards.
  void Close(bool keep_wal = false);

  // Called before a prepared statement takes its first step, when it may still wait or refuse. Suspension is
  // allowed inside; after it returns, the step begins without one. kSkip ends the statement successfully
  // without running it.
  enum class Decision { kStep, kSkip };
  using BeforeStep = std::function<Result<Decision>(const StatementTraits&)>;
  // Called every limits::kProgressInstructions virtual machine instructions, now and then while a statement
  // is compiled or one instruction reads many pages, and while SQLite waits for a lock; an error ends the
  // statement with it. Suspension is allowed inside.
  using OnProgress = std::function<Result<void>()>;

  // Runs one statement to its end. Errors have Hrana's codes (SQLITE_CONSTRAINT, SQL_PARSE_ERROR,
  // SQL_NO_STATEMENT, SQL_MANY_STATEMENTS, ARGS_INVALID, RESPONSE_TOO_LARGE, ...), or the store's reason
  // (HANDED_OVER, PULL_FAILED). Some end the whole transaction: autocommit() tells. Suspends.
  // With `rows` those of a statement that only reads go there, however many, and none into the result; those of one that
  // writes are there when it is done, and it ends whole.
  Result<sql::StatementResult> Run(const sql::Statement& statement, const BeforeStep& before_step = {},
                                   sql::RowSink* rows = nullptr);
  // Runs the first statement of `sql` without arguments, drops its rows, and returns how many bytes of `sql`
  // it took; blanks and comments alone take their length and do nothing. `sql` may be of any length, and costs
  // what its first statement costs. Suspends.
  Result<size_t> RunFirst(std::string_view sql, const BeforeStep& before_step = {});
  // Compiles a statement without running it. Suspends.
  Result<sql::Description> Describe(const std::string& sql);
  // Ends an open transaction, if there is one. Suspends.
  Result<void> Rollback();
  // Fails with SQLITE_BUSY when another checkpoint is under way, or, but for kPassive, when others do not end in
  // time. Suspends.
  Result<void> Checkpoint(CheckpointMode mode);

  // Of the rows of a statement; limits::kResponseBytes unless it is our own.
  void SetResponseBytes(uint64_t bytes) { response_bytes_ = bytes; }
  void SetProgress(OnProgress on_progress) { on_progress_ = std::move(on_progress); }
  // For what takes long inside one instruction (function_bounds.h): reports progress; false when the statement has to
  // end. Suspends.
  bool GoesOn();
  bool autocommit() const;
  TransactionState transaction_state() const;
  // From now on no new snapshot is taken here, until the bar is lifted; one that there is stays. A statement
  // that asks for one anyway, at its start or in its middle (a table-valued PRAGMA, rtreecheck), fails
  // with kSnapshotBarredCode and has changed nothing. For other fibers to call. Does not suspend.
  void BarSnapshots() { guard_.bars_snapshots = true; }
  void LiftBar() { guard_.bars_snapshots = false; }
  // What Restore() on the connection that replaces this one has to be given. A statement that fails leaves the
  // settings as they were, also where SQLite carries them out while it compiles.
  SessionState session();
  // For a connection that is new, or reset: gives it the session of another one. Fails with SESSION_LOST.
  Result<void> Restore(const SessionState& state);
  // Makes the connection as new for another client; false when it cannot (then close it instead).
  bool ResetForReuse();

  PageStore& store() { return store_; }
  sqlite3* handle() { return handle_; }

 private:
  friend struct ConnectionCallbacks;
  explicit Connection(PageStore& store);
  Result<void> Configure();
  // Runs one of our own statements; returns the first column of its last row as text.
  Result<std::string> RunOwn(const char* sql);

  struct Compiled {
    sqlite3_stmt* handle = nullptr;  // Null when the text holds nothing but blanks.
    size_t length = 0;
  };
  Result<Compiled> Compile(std::string_view sql, SandboxPhase phase, StatementTraits& traits);
  // Calls SQLite's compiler; returns its code.
  int CompileOnce(std::string_view sql, SandboxPhase phase, StatementTraits& traits, Compiled& compiled);
  // Drops what the connection remembers of the schema if that is not the schema of its snapshot, or, when it
  // has none, of the database now. Takes no snapshot that stays. Suspends.
  void VerifySchema();
  Result<std::unique_ptr<PreparedStatement>> Prepare(const std::string& sql, SandboxPhase phase);
  void Finalize(PreparedStatement& statement);
  Result<sql::StatementResult> Perform(PreparedStatement& statement, bool want_rows,
                                       const BeforeStep& before_step, sql::RowSink* rows);
  Result<void> Step(PreparedStatement& statement, bool want_rows, sql::StatementResult& result,
                    sql::RowSink* rows);
  // The row that the statement stands at goes to whoever wants it.
  Result<void> KeepRow(sqlite3_stmt* handle, sql::StatementResult& result, size_t& bytes);
  Result<void> PassRow(sqlite3_stmt* handle, std::vector<sql::ValueView>& row, sql::RowSink& rows) const;
  void EndLeftOvers();
  Result<void> CheckSchemaSize();
  Result<sql::StatementResult> RunPrepared(const sql::Statement& statement, const BeforeStep& before_step,
                                           sql::RowSink* rows);
  Result<size_t> RunFirstOf(std::string_view sql, const BeforeStep& before_step);
  Result<sql::Description> DescribePrepared(const std::string& sql);

  std::optional<int64_t> ReadSetting(size_t setting);
  Result<void> WriteSetting(size_t setting, int64_t value);
  // After a statement: looks at what it may have set; puts it back if the statement has failed.
  void SettleSettings(bool succeeded);
  void RefreshDeferral();

  Error ErrorNow(int code);
  Error ExplainedOr(int code, Error otherwise);

  PageStore& store_;
  sqlite3* handle_ = nullptr;
  StatementCache cache_{limits::kPreparedStatements};
  OnProgress on_progress_;

  SandboxPhase phase_ = SandboxPhase::kStepping;
  StatementTraits* noting_ = nullptr;  // Of the statement that is being compiled.
  uint32_t authorizer_calls_ = 0;
  bool readonly_transaction_ = false;  // Of the last BEGIN; means nothing in autocommit.
  ConnectionGuard guard_;
  uint64_t response_bytes_ = limits::kResponseBytes;
  std::optional<Error> interruption_;  // Why a callback of ours ended the statement.
  runtime::TimePoint busy_since_{};

  bool own_ = false;  // A statement of ours is compiled or runs: nothing is checked or noted.
  SessionCounters counters_;
  std::array<int64_t, kSettings> settings_{};  // As SQLite had them when it was asked last.
  std::bitset<kSettings> touched_;             // A PRAGMA that sets them was compiled since.
  bool data_version_shown_ = false;
  bool reusable_ = true;  // False: a setting could not be read or put back.
};

}  // namespace tradewind::sqlite
