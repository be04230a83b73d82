// One client's SQL session at the tenant's owner: a connection of its own, and the transaction that it may
// have open. One request at a time.
//
// A transaction that ended without its client's doing (a commit refused by a move, a failed pull, a write
// turn taken back) leaves a client that believes it is open. Its next statements would each be committed on
// their own; so the stream refuses them, with the reason, until it is told ROLLBACK (which succeeds), COMMIT
// (which fails once more) or BEGIN. A COMMIT that was refused counts as such an end too, since clients answer it
// with ROLLBACK.
//
// What a move refuses (sqlite::kHandedOverCode) is SQLITE_BUSY_SNAPSHOT to the client of a transaction: other
// than in SQLite it is over, and can be run again at once. A statement on its own is not refused: it has left
// no trace, and runs at the new owner.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/fiber.h"
#include "sql/row_sink.h"
#include "sql/value.h"
#include "sqlite/connection.h"
#include "sqlite/session_state.h"
#include "tenant/rights.h"

namespace tradewind::tenant {

class Tenant;
enum class Entrant;

class Stream {
 public:
  // Gives the connection back; an open transaction is rolled back by a fiber of the tenant. Requires: no
  // request in progress. Does not suspend.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // From the next statement on. One that needs more fails before it has the write turn, so nothing of it reaches the file:
  // with SQLITE_READONLY, or with SQLITE_AUTH where it is the schema that may not be changed (both kRefused).
  void SetRights(const Rights& rights) { rights_ = rights; }
  // Waits for the gate and the write turn where the statement needs them, then runs it. It does not wait for
  // durability. Codes besides SQLite's: TENANT_MOVED (nothing ran), TRANSACTION_TIMEOUT (the transaction was
  // rolled back because it held the write turn too long), SQLITE_BUSY (the turn did not come in time),
  // SQLITE_BUSY_SNAPSHOT (the tenant has moved under the transaction, which was rolled back),
  // STATEMENT_TIMEOUT, STATEMENT_CANCELLED, TENANT_MOVING, TENANT_DOWN. Suspends.
  // With `rows` those of a statement that only reads go there (sqlite::Connection::Run). Once they have begun it does
  // not start anew: it fails, and what it waits for its reader is no time of its own.
  Result<sql::StatementResult> Execute(const sql::Statement& statement, sql::RowSink* rows = nullptr);
  // Runs the first statement of a text; returns how many bytes it took. Suspends.
  Result<size_t> ExecuteFirst(std::string_view sql);
  Result<sql::Description> Describe(const std::string& sql);

  // As the client sees it: false also while the stream waits to be told ROLLBACK.
  bool autocommit() const;
  sqlite::TransactionState transaction_state() const;
  // The statements of an explicit transaction that has no snapshot yet (BEGIN, SAVEPOINT, ...), in order.
  // Such a stream is idle: it may change its node, and these are run there first. Empty otherwise.
  const std::vector<std::string>& begun() const { return begun_; }
  // What Resume() on the stream that replaces this one has to be given, with begun().
  sqlite::SessionState session() const;
  // For a new stream: goes on with the session of another one. Fails like its statements. Suspends.
  Result<void> Resume(const sqlite::SessionState& session, const std::vector<std::string>& begun);

  // For a stream that is to be closed: ends the statement in progress with STATEMENT_CANCELLED, whether it runs
  // or waits for the turn or at the gate, and lets none begin that would run here. Does not suspend.
  void Cancel();
  bool executing() const { return executing_; }  // For tests.

 private:
  friend class Tenant;
  Stream(Tenant& tenant, std::unique_ptr<sqlite::Connection> connection);

  // Runs `request` (to a Result<T>) with the stream marked as executing.
  template <typename T, typename Request>
  Result<T> Enter(const Request& request);
  // Lets `run` run a statement: it is given what the connection calls before the step, and returns a
  // Result<T>. `text_of` gives the statement's text from its T.
  template <typename T, typename Run, typename TextOf>
  Result<T> RunStatement(const Run& run, const TextOf& text_of);
  Result<sqlite::Connection::Decision> BeforeStep(const sqlite::StatementTraits& traits);
  Result<void> CheckRights(const sqlite::StatementTraits& traits) const;
  Result<void> AcquireTurn();
  Result<void> Admit(Entrant entrant);
  // Fails when the stream was cancelled; but what has yet to begin, and moves on, is let go to the new owner.
  Result<void> CheckNotCancelled() const;
  Result<void> OnProgress();
  // Until the tenant may have more of its core, if it has a bound. Fails with STATEMENT_TIMEOUT.
  Result<void> AwaitCoreShare();
  // Keeps begun_, aborted_ and the write turn in step with what the statement did.
  void NoteOutcome(const sqlite::StatementTraits& traits, std::string_view sql, bool was_autocommit,
                   const Error* error);
  // Whether a transaction of several statements has a snapshot, or is taking one, and may write.
  bool may_write() const;
  // What it is at the gate.
  Entrant EntrantFor(const sqlite::StatementTraits& traits) const;
  // The error that the client sees. Requires: the statement has ended.
  Error Explain(const Error& error) const;
  // A transaction that only reads, and has had its snapshot since then.
  bool HoldsSnapshotSince(runtime::TimePoint since) const;
  // Its transaction keeps the WAL from being cut, and is rolled back: at once, or when its statement has ended, which
  // is soon.
  void EndSnapshot();
  void RollBackSnapshot();
  // The tenant has rolled back the idle stream, which has held the write turn too long.
  void NoteTurnTakenBack(const Result<void>& rolled_back);

  Tenant* tenant_;  // Null once the tenant was closed.
  std::unique_ptr<sqlite::Connection> connection_;
  sqlite::SessionState last_session_;  // Without a connection.
  std::vector<std::string> begun_;
  std::optional<Error> aborted_;  // Why the client's transaction is gone without its knowing.
  Rights rights_;
  bool reads_only_ = false;  // Its transaction was begun as READONLY.
  bool executing_ = false;
  bool let_in_ = false;  // A statement runs that began without a snapshot.
  bool cancelled_ = false;
  bool snapshot_ended_ = false;  // It is to be rolled back.
  runtime::TimePoint snapshot_since_{};
  runtime::TimePoint deadline_{};
  class Rows;
  Rows* rows_ = nullptr;  // Of the statement that runs, if it gives them one by one.
};

}  // namespace tradewind::tenant
