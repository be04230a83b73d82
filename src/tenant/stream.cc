#include "tenant/stream.h"

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/units.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"
#include "tenant/admission.h"
#include "tenant/tenant.h"

namespace tradewind::tenant {

using sqlite::StatementTraits;
using sqlite::TransactionControl;
using sqlite::TransactionState;
using Decision = sqlite::Connection::Decision;

namespace {

tl::unexpected<Error> Cancelled() {
  return Fail(ErrorKind::kUnavailable, "STATEMENT_CANCELLED",
              "the statement was cancelled, since its stream, its tenant or its node ends here",
              "run it again");
}

// The tenant or its node left in the middle of a statement whose rows its reader has in part.
Error CannotBeginAgain(const Error& why) {
  return {
      ErrorKind::kUnavailable, "SQLITE_BUSY",
      "the statement had given rows when it would have had to begin again at another node: " + why.message,
      "run it again"};
}

Error SnapshotEnded() {
  return {ErrorKind::kTimeout, "TRANSACTION_TIMEOUT",
          "the transaction has read for more than " + std::to_string(limits::kSnapshotTime.count() / 1000) +
              " s, or much has been written meanwhile, and what it sees kept the tenant's log from being "
              "cut; it was "
              "rolled back",
          "keep transactions short, and run it again"};
}

}  // namespace

// Knows whether anybody has seen anything of the statement yet.
class Stream::Rows final : public sql::RowSink {
 public:
  Rows(Stream& stream, sql::RowSink& to) : stream_(stream), to_(to) { stream_.rows_ = this; }
  ~Rows() override { stream_.rows_ = nullptr; }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  Result<void> Begin(const std::vector<sql::Column>& columns) override {
    begun_ = true;
    return to_.Begin(columns);
  }
  Result<void> Take(std::span<const sql::ValueView> row) override { return to_.Take(row); }
  runtime::Duration TakeWaited() override { return to_.TakeWaited(); }
  bool begun() const { return begun_; }

 private:
  Stream& stream_;
  sql::RowSink& to_;
  bool begun_ = false;
};

Stream::Stream(Tenant& tenant, std::unique_ptr<sqlite::Connection> connection)
    : tenant_(&tenant), connection_(std::move(connection)) {
  connection_->SetProgress([this] { return OnProgress(); });
}

Stream::~Stream() {
  TW_CHECK(!executing_ || !connection_, "a stream goes away while a request of it runs");
  if (tenant_) tenant_->Leave(*this);
}

bool Stream::autocommit() const {
  return !aborted_ && (!connection_ || connection_->autocommit());
}

TransactionState Stream::transaction_state() const {
  return connection_ ? connection_->transaction_state() : TransactionState::kNone;
}

bool Stream::may_write() const {
  if (!connection_ || connection_->autocommit() || reads_only_) return false;
  return transaction_state() != TransactionState::kNone || let_in_;
}

sqlite::SessionState Stream::session() const {
  return connection_ ? connection_->session() : last_session_;
}

Result<void> Stream::Resume(const sqlite::SessionState& session, const std::vector<std::string>& begun) {
  TW_TRY(Enter<void>([&] { return connection_->Restore(session); }));
  for (const std::string& sql : begun) TW_TRY(ExecuteFirst(sql));
  return {};
}

// -- Requests

template <typename T, typename Request>
Result<T> Stream::Enter(const Request& request) {
  if (!tenant_)
    return Fail(ErrorKind::kUnavailable, std::string(kDownCode), "the tenant of this stream was closed here",
                "open a new stream");
  // The tenant may be rolling the stream back just now.
  runtime::WaitFor(tenant_->progress_, [&] { return !tenant_ || !executing_; });
  if (!tenant_) return Enter<T>(request);
  TW_TRY(tenant_->CheckUp());
  TW_TRY(CheckNotCancelled());
  if (snapshot_ended_) RollBackSnapshot();
  executing_ = true;
  deadline_ = tenant_->core().Now() + tenant_->statement_time();
  Result<T> result = sqlite::OrOutOfMemory<T>(request);
  executing_ = false;
  tenant_->NoteProgress();
  tenant_->WakeTurnWatchWhenDue();
  return result;
}

template <typename T, typename Run, typename TextOf>
Result<T> Stream::RunStatement(const Run& run, const TextOf& text_of) {
  return Enter<T>([&]() -> Result<T> {
    while (true) {
      const bool idle = transaction_state() == TransactionState::kNone && !aborted_;
      const bool was_autocommit = connection_->autocommit();
      bool compiled = false;
      StatementTraits seen;
      std::optional<runtime::LockHeld> holds_turn;
      const auto before_step = [&](const StatementTraits& traits) {
        compiled = true;
        seen = traits;
        Result<Decision> decision = BeforeStep(traits);
        if (tenant_ && tenant_->turn_.holder() == connection_.get()) holds_turn.emplace();
        return decision;
      };
      Result<T> result = sqlite::OrOutOfMemory<T>([&] { return run(before_step); });
      holds_turn.reset();
      let_in_ = false;
      connection_->LiftBar();
      // The gate was closed after the statement was let in, and before it had a snapshot: it comes anew.
      const bool has_given_rows = rows_ && rows_->begun();
      if (!result && result.error().code == sqlite::kSnapshotBarredCode && has_given_rows)
        result = Fail(CannotBeginAgain(result.error()));
      if (!result && result.error().code == sqlite::kSnapshotBarredCode) {
        tenant_->turn_.Release(connection_.get());
        TW_TRY(Admit(EntrantFor(seen)));
        continue;
      }
      const bool handed_over = !result && result.error().code == sqlite::kHandedOverCode;
      if (handed_over && !was_autocommit) {
        result = Fail(Explain(result.error()));
        // SQLite has rolled back; after a RELEASE that was a commit it keeps the savepoint.
        if (!connection_->autocommit()) TW_TRY(connection_->Rollback());
      }
      if (!result && result.error().code == sqlite::kPullFailedCode && has_given_rows &&
          !tenant_->IsOpenTo(Entrant::kStatement))
        result = Fail(CannotBeginAgain(result.error()));
      const Error* error = result ? nullptr : &result.error();
      // For want of a page SQLite rolls a transaction back, its BEGIN too. One that had no snapshot begins anew
      // where the tenant has gone: `begun_` goes with it.
      if (error && error->code == sqlite::kPullFailedCode && !was_autocommit && idle &&
          connection_->autocommit() && !tenant_->IsOpenTo(Entrant::kStatement)) {
        tenant_->turn_.Release(connection_.get());
        if (const Result<void> admitted = Admit(Entrant::kStatement);
            !admitted && admitted.error().code == kMovedCode)
          return Fail(admitted.error());
      }
      NoteOutcome(seen, result ? text_of(*result) : std::string_view(), was_autocommit, error);
      // A good statement may fail against the schema of a tenant that has moved, before it asks at the gate.
      // So may one that lacked a page of a tenant that goes back; it has left no trace. Nor has one on its own
      // that was refused by the move. If that was given up meanwhile, it runs here after all.
      const bool lacked_page = error && error->code == sqlite::kPullFailedCode && connection_->autocommit();
      const bool refused = handed_over && was_autocommit;
      if ((!compiled || lacked_page || refused) && idle && !tenant_->IsOpenTo(Entrant::kStatement)) {
        TW_TRY(Admit(Entrant::kStatement));
        continue;
      }
      if (!refused) return result;
    }
  });
}

Result<sql::StatementResult> Stream::Execute(const sql::Statement& statement, sql::RowSink* rows) {
  std::optional<Rows> watched;
  if (rows) watched.emplace(*this, *rows);
  return RunStatement<sql::StatementResult>(
      [&](const auto& before_step) { return connection_->Run(statement, before_step, rows_); },
      [&](const sql::StatementResult&) { return std::string_view(statement.sql); });
}

Result<size_t> Stream::ExecuteFirst(std::string_view sql) {
  return RunStatement<size_t>(
      [&](const auto& before_step) { return connection_->RunFirst(sql, before_step); },
      [&](size_t length) { return sql.substr(0, length); });
}

Result<sql::Description> Stream::Describe(const std::string& sql) {
  return Enter<sql::Description>([&]() -> Result<sql::Description> {
    if (transaction_state() == TransactionState::kNone) TW_TRY(Admit(Entrant::kStatement));
    return connection_->Describe(sql);
  });
}

// -- Around a statement

// Whatever writes is known by its compiled program, or by the PRAGMAs that the sandbox lets through, and needs the write
// turn; so this is the one place where it can be kept from it.
Result<void> Stream::CheckRights(const StatementTraits& traits) const {
  if (traits.readonly) return {};
  if (!rights_.write)
    return Fail(ErrorKind::kRefused, "SQLITE_READONLY", "attempt to write with a token that may only read",
                "ask for a token that may write to this tenant");
  if (traits.changes_schema && !rights_.change_schema)
    return Fail(ErrorKind::kRefused, "SQLITE_AUTH",
                "attempt to change the schema with a token that may not do so",
                "ask for a token that has the tenant in its ddl scope");
  return {};
}

Result<Decision> Stream::BeforeStep(const StatementTraits& traits) {
  if (aborted_) {
    const Error reason = *aborted_;
    switch (traits.control) {
      case TransactionControl::kRollback: aborted_.reset(); return Decision::kSkip;
      case TransactionControl::kCommit: aborted_.reset(); return Fail(reason);
      case TransactionControl::kBegin: aborted_.reset(); break;
      default: return Fail(reason);
    }
  }
  TW_TRY(CheckRights(traits));
  TW_TRY(AwaitCoreShare());
  while (true) {
    TW_TRY(CheckNotCancelled());
    const bool needs_turn = !traits.readonly && tenant_->turn_.holder() != connection_.get();
    if (transaction_state() == TransactionState::kNone && !tenant_->IsOpenTo(EntrantFor(traits))) {
      // Transactions that are open here may still want the turn.
      tenant_->turn_.Release(connection_.get());
      TW_TRY(Admit(EntrantFor(traits)));
      continue;
    }
    if (!needs_turn) break;
    TW_TRY(AcquireTurn());
  }
  TW_TRY(tenant_->CheckUp());
  // From here to the first step nothing suspends.
  let_in_ = transaction_state() == TransactionState::kNone;
  if (let_in_) {
    snapshot_since_ = tenant_->core().Now();
    if (admission_observer) [[unlikely]]
      admission_observer->OnAdmitted(tenant_->name());
  }
  deadline_ = tenant_->core().Now() + tenant_->statement_time();
  return Decision::kStep;
}

// A deferred BEGIN takes no snapshot: what comes after it asks once more. One that is IMMEDIATE counts as
// writing.
Entrant Stream::EntrantFor(const StatementTraits& traits) const {
  if (traits.control == TransactionControl::kBegin && !traits.readonly) return Entrant::kTransaction;
  const bool in_transaction = !connection_->autocommit() && traits.control == TransactionControl::kNone;
  return in_transaction && !reads_only_ ? Entrant::kTransaction : Entrant::kStatement;
}

Error Stream::Explain(const Error& error) const {
  return Error{ErrorKind::kUnavailable, "SQLITE_BUSY_SNAPSHOT",
               "database is locked: the tenant moved to another node while the transaction was open, and " +
                   error.message,
               "run the transaction again"};
}

void Stream::Cancel() {
  cancelled_ = true;
  if (!tenant_) return;
  tenant_->turn_.GiveUp(connection_.get());
  tenant_->NotifyWaiting();
}

Result<void> Stream::CheckNotCancelled() const {
  const bool moves_on = tenant_->gate() == Gate::kMoved && transaction_state() == TransactionState::kNone;
  if (!cancelled_ || moves_on) return {};
  return Cancelled();
}

Result<void> Stream::Admit(Entrant entrant) {
  return tenant_->Admit(entrant, [this] { return CheckNotCancelled(); });
}

Result<void> Stream::AcquireTurn() {
  runtime::FairLock& turn = tenant_->turn_;
  if (turn.holder()) tenant_->WatchTurn();
  if (turn.Acquire(connection_.get(), tenant_->core().Now() + limits::kWriteTurnWait)) return {};
  TW_TRY(tenant_->CheckUp());
  TW_TRY(CheckNotCancelled());
  return Fail(ErrorKind::kUnavailable, "SQLITE_BUSY",
              "database is locked: other transactions hold the write turn", "run the transaction again");
}

Result<void> Stream::OnProgress() {
  TW_TRY(tenant_->CheckUp());
  if (cancelled_) return Cancelled();
  if (snapshot_ended_) return Fail(SnapshotEnded());
  if (rows_) deadline_ += rows_->TakeWaited();
  const runtime::TimePoint now = tenant_->core().Now();
  if (now >= deadline_)
    return Fail(
        ErrorKind::kTimeout, "STATEMENT_TIMEOUT",
        "the statement ran longer than " + FormatDuration(tenant_->statement_time()) + " and was ended",
        std::string("make it touch fewer rows, or split it") +
            (tenant_->statement_time() < limits::kStatementTime
                 ? "; an administrator can change its quota (tradewind tenant set --quota-statement-time)"
                 : ""));
  runtime::YieldIfTurnIsOver();
  TW_TRY(AwaitCoreShare());
  return tenant_->CheckUp();
}

Result<void> Stream::AwaitCoreShare() {
  if (!tenant_->core_share().is_bounded()) return {};
  TW_TRY_ASSIGN(const bool has_it,
                tenant_->AwaitCoreShare(deadline_, [this] { return CheckNotCancelled(); }));
  if (has_it) return {};
  return Fail(
      ErrorKind::kTimeout, "STATEMENT_TIMEOUT",
      "the statement was ended, since its time would be over before its tenant may have more of its core",
      "have the tenant do less at a time; an administrator can change its quota (tradewind tenant set "
      "--quota-cpu)");
}

void Stream::NoteOutcome(const StatementTraits& traits, std::string_view sql, bool was_autocommit,
                         const Error* error) {
  const bool autocommit = connection_->autocommit();
  const TransactionState state = transaction_state();
  if (state != TransactionState::kWrite) tenant_->turn_.Release(connection_.get());
  if (autocommit)
    reads_only_ = false;
  else if (!error && traits.control == TransactionControl::kBegin)
    reads_only_ = traits.begins_readonly;
  if (autocommit || state != TransactionState::kNone)
    begun_.clear();
  else if (!error && traits.control != TransactionControl::kNone)
    begun_.emplace_back(sql);

  const bool ended_by_client =
      traits.control == TransactionControl::kRollback ||
      (error && error->code == "SQLITE_CONSTRAINT");  // OR ROLLBACK, RAISE(ROLLBACK): the client's own wish.
  if (error && !was_autocommit && autocommit && !ended_by_client) {
    aborted_ = *error;
    aborted_->message = "the transaction was rolled back: " + error->message;
  }
  if (!error) tenant_->checkpoints_.StartIfLong();
}

bool Stream::HoldsSnapshotSince(runtime::TimePoint since) const {
  return connection_ && transaction_state() == TransactionState::kRead && snapshot_since_ <= since;
}

void Stream::EndSnapshot() {
  snapshot_ended_ = true;
  if (!executing_) RollBackSnapshot();
}

// A transaction that has written nothing has nothing to do with the disk: this does not suspend.
void Stream::RollBackSnapshot() {
  snapshot_ended_ = false;
  if (transaction_state() != TransactionState::kRead || connection_->autocommit()) return;
  if (const Result<void> rolled_back = connection_->Rollback(); !rolled_back) {
    tenant_->TakeDown(rolled_back.error());
    return;
  }
  begun_.clear();
  reads_only_ = false;
  aborted_ = SnapshotEnded();
}

void Stream::NoteTurnTakenBack(const Result<void>& rolled_back) {
  connection_->SetProgress([this] { return OnProgress(); });
  if (!rolled_back) {
    tenant_->TakeDown(rolled_back.error());
    return;
  }
  begun_.clear();
  aborted_ = Error{ErrorKind::kTimeout, "TRANSACTION_TIMEOUT",
                   "the transaction held the write turn for more than " +
                       std::to_string(limits::kWriteTurnHeldWhileWanted.count() / 1000) +
                       " s while others waited; it was rolled back",
                   "keep write transactions short, and run it again"};
}

}  // namespace tradewind::tenant
