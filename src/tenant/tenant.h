// A tenant at the node that serves it: its page store, connections, write turn, durability and streams.
// Pinned to one core; everything here is for that core's fibers only.
//
// Answers and durability (I4). SQLite runs with synchronous=NORMAL, so COMMIT returns before the WAL is on
// disk. A result must not leave before WaitDurable() has returned: it waits for a sync that covers every
// commit that finished before the result was computed, reads included. One sync serves all commits that came
// before it (group commit). A failed sync takes the tenant down (failed()); it is never retried.
//
// Transactions and moves (I1). A new transaction starts only while the gate is open. Closed (Park),
// statements that would start one wait; then either the gate opens again (the move was given up) or the
// tenant has moved, and they fail with code TENANT_MOVED, for the gateway to run them at the new owner.
// Statements of a stream that has a snapshot go on. A statement that was let in and has not yet got one (it
// waits for SQLite's lock, is compiled again, or reads no table at all) goes on as well, but gets none any
// more: where it wants one it is put back to the gate as if it had just come. So closing the gate waits for
// nobody, however long a statement takes.
//
// A transaction that is open when its tenant changes hands cannot write any more as a rule. So before anything
// is parked AwaitQuiet() waits for a moment at which none is open that may still write; statements on their
// own, and transactions that were begun as READONLY, go on all the while.
//
// The hand-over of a source, in order: checkpoints().Stop() (suspends), AwaitQuiet() (suspends), Park(), then,
// once nothing is undurable and without a suspension in between, the list.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"
#include "sqlite/connection.h"
#include "sqlite/page_store.h"
#include "tenant/checkpoints.h"
#include "tenant/core_share.h"
#include "tenant/hosted_tenant.h"
#include "tenant/stream.h"

namespace tradewind::tenant {

inline constexpr std::string_view kMovedCode = "TENANT_MOVED";
inline constexpr std::string_view kDownCode = "TENANT_DOWN";
inline constexpr std::string_view kWantedCode = "TENANT_WANTED";  // It is not idle any more.

// While a hand-over waits for open transactions others may begin as they like for so long.
inline constexpr std::chrono::milliseconds kQuietWait{250};

// As the catalog names it.
inline constexpr std::string_view kSqliteEngine = "sqlite";

// What asks at the gate: a transaction of several statements that may write, or anything else.
enum class Entrant { kStatement, kTransaction };

class Tenant final : public HostedTenant {
 public:
  // Takes the store, opened. Opens the anchor connection, which keeps the WAL, copies a WAL that a crash left
  // into the main file, and makes an empty database of an empty file. Suspends.
  static Result<std::unique_ptr<Tenant>> Open(runtime::Core& core, TenantName name,
                                              std::unique_ptr<sqlite::PageStore> store);
  ~Tenant() override;  // Requires: Close() has returned.
  Tenant(const Tenant&) = delete;
  Tenant& operator=(const Tenant&) = delete;

  // A stream on a pooled or new connection. Fails with TOO_MANY_STREAMS, or TENANT_DOWN. Suspends.
  Result<std::unique_ptr<Stream>> OpenStream();

  // Suspends until every commit that has finished so far is on disk.
  Result<void> WaitDurable();

  // The gate. From the return of Park() no new snapshot is taken for a client. It does not suspend.
  Gate gate() const override { return gate_; }
  void Park() override;
  void Unpark() override;
  void SetMoved() override { SetGate(Gate::kMoved); }
  // Suspends until no transaction is open that may still write, and then, without a suspension in between,
  // closes the gate for new ones of that kind (held). They may begin for kQuietWait first, and have to
  // wait from then on. False: one was still open `grace` after that, or `given_up` says so; the gate is held
  // all the same. Requires: the gate is open.
  bool AwaitQuiet(runtime::Duration grace, const std::function<bool()>& given_up) override;
  // Suspends while the gate is closed to the entrant. Fails with TENANT_MOVED, with TENANT_MOVING when it
  // stays parked for limits::kParkedRequest, with TENANT_DOWN, or as `keep_waiting` does, which is asked at each
  // change. When it succeeds the gate is open to it, and stays so until the caller suspends.
  Result<void> Admit(Entrant entrant = Entrant::kStatement,
                     const std::function<Result<void>()>& keep_waiting = {});

  Checkpoints& checkpoints() { return checkpoints_; }

  // Transactions that have a snapshot, those included whose streams are gone and that are being rolled back,
  // and exports; and statements that run without one.
  size_t open_transactions() const;
  // Suspends until there is none (true), or the deadline passes.
  bool JoinTransactions(runtime::TimePoint deadline) override;
  // Suspends until no client has still to say ROLLBACK to a transaction that was rolled back here, or the deadline
  // passes. Its stream answers that; one that is gone would say "lost".
  void AwaitRollbacks(runtime::TimePoint deadline) override;

  // A plain, consistent SQLite file at `path` on this node's disk, made while the tenant is in use. Fails
  // with kExists when there is one, and as `keep_going` does, which is asked now and then. Suspends.
  Result<void> ExportTo(const std::string& path, const std::function<Result<void>()>& keep_going = {});
  size_t exports() const override { return exports_; }

  // Copies the WAL.
  void PrepareToClose() override;
  // Ends everything: requests in progress, whatever they wait for, and later ones fail with TENANT_DOWN, open
  // transactions are rolled back, connections close, and the last one checkpoints unless `keep_wal` or
  // checkpoints().Stop() was called. Streams may outlive the tenant, and nothing touches its files afterwards.
  // Suspends, for no statement longer than until its next progress call.
  void Close(bool keep_wal = false) override;

  // Whether nothing speaks against closing it for idleness: no stream, no transaction that is being rolled back, no
  // export, no checkpoint; no move has to do with it, and its disk has not failed.
  bool IsIdle() const override;
  // Closes a tenant that is idle, so that it opens and commits again as fast as can be (commit_log.h, "A blank WAL").
  // Nobody may begin to use it meanwhile; who wants to says so by `wanted`, and it stays open if that is soon
  // enough. Fails, and stays open, when its WAL cannot be copied. Suspends.
  Result<void> CloseIdle(const std::function<bool()>& wanted) override;
  void HurryClosing() override { store_->HurryNextCheckpoint(); }
  void StopWaits() override { store_->arrival().StopPulls(); }
  std::vector<PageNumber> RecentlyUsed() const override;

  const TenantName& name() const override { return name_; }
  std::string_view engine() const override { return kSqliteEngine; }
  void SetQuotas(const Quotas& quotas) override;
  // Suspends while the tenant has had its part of the core (core_share.h): not while its gate is closed to anybody, since
  // who waits for that would wait for this, too. False: not before `until`. Fails with TENANT_DOWN, or as `keep_waiting`.
  Result<bool> AwaitCoreShare(runtime::TimePoint until,
                              const std::function<Result<void>()>& keep_waiting = {});
  const CoreShare& core_share() const { return core_share_; }
  // How long a statement may run.
  runtime::Duration statement_time() const { return statement_time_; }
  std::optional<TenantSize> Size() const override;
  runtime::Core& core() { return core_; }
  sqlite::PageStore& store() { return *store_; }
  runtime::FairLock& turn() { return turn_; }
  size_t stream_count() const { return streams_.size(); }  // For tests.
  bool failed() const { return failed_.has_value(); }

 private:
  friend class Stream;
  Tenant(runtime::Core& core, TenantName name, std::unique_ptr<sqlite::PageStore> store,
         std::unique_ptr<sqlite::Connection> anchor);

  void SetGate(Gate gate);
  // What is asked at the gate, or for the core, may have another answer.
  void NotifyWaiting();
  bool IsOpenTo(Entrant entrant) const {
    return gate_ == Gate::kOpen || (gate_ == Gate::kHeld && entrant == Entrant::kStatement);
  }
  // Fails with TENANT_DOWN when the tenant is failed or closing.
  Result<void> CheckUp() const;
  void TakeDown(const Error& cause);
  Result<std::unique_ptr<sqlite::Connection>> TakeConnection();
  void ReturnConnection(std::unique_ptr<sqlite::Connection> connection);
  // A stream goes away and leaves its connection, perhaps in a transaction.
  void Leave(Stream& stream);
  void Detach(Stream& stream);
  Stream* IdleStream() const;
  Result<void> CopyTo(const std::string& path, sqlite::Connection& from,
                      const std::function<Result<void>()>& keep_going);
  // A statement or transaction has ended.
  void NoteProgress();
  void EndSnapshots(runtime::TimePoint since);
  bool HasSnapshot(Checkpoints::Snapshots which) const;
  // A fiber that takes the turn back when its time is up, while anyone waits for it.
  void WatchTurn();
  void WakeTurnWatchWhenDue();
  void TakeTurnBackWhenDue();
  void TakeTurnBack(Stream& holder);
  Stream* TurnHolder() const;

  runtime::Core& core_;
  TenantName name_;
  std::unique_ptr<sqlite::PageStore> store_;
  std::vector<std::unique_ptr<sqlite::Connection>> pool_;
  std::list<Stream*> streams_;
  std::list<std::unique_ptr<sqlite::Connection>> streamless_;  // Being rolled back, or exporting.
  size_t opening_ = 0;                                         // Streams that are being opened, and exports.
  size_t exports_ = 0;

  runtime::FairLock turn_;  // To write.
  bool watching_turn_ = false;
  Stream* rolled_back_ =
      nullptr;  // Its connection is being rolled back, in streamless_; null when it has gone.
  runtime::WaitQueue turn_watch_;  // The watch looks again.

  Gate gate_ = Gate::kOpen;
  runtime::WaitQueue gate_changed_;
  CoreShare core_share_;
  runtime::WaitQueue progress_;  // A statement or a transaction ended, or a stream left.

  bool closing_ = false;
  bool closed_ = false;
  std::optional<Error> failed_;
  runtime::TaskGroup background_;
  Checkpoints checkpoints_;
  runtime::Duration statement_time_ = limits::kStatementTime;
  size_t most_streams_ = limits::kStreamsPerTenant;
};

}  // namespace tradewind::tenant
