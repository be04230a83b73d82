#include "tenant/tenant.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "runtime/descriptors.h"
#include "runtime/turns.h"
#include "sqlite/error_code.h"
#include "sqlite/export.h"

namespace tradewind::tenant {

using sqlite::Connection;
using sqlite::TransactionState;

namespace {

// What AwaitQuiet() may be given up by tells nobody.
constexpr runtime::Duration kQuietLook = std::chrono::milliseconds(20);

}  // namespace

Tenant::Tenant(runtime::Core& core, TenantName name, std::unique_ptr<sqlite::PageStore> store,
               std::unique_ptr<Connection> anchor)
    : core_(core),
      name_(std::move(name)),
      store_(std::move(store)),
      turn_(core),
      core_share_(core, name_),
      background_(core),
      checkpoints_(core, name_, *store_, std::move(anchor), turn_, background_,
                   {[this] { return CheckUp().has_value(); },
                    [this](Checkpoints::Snapshots which) { return HasSnapshot(which); },
                    [this](runtime::TimePoint since) { EndSnapshots(since); }}) {}

Tenant::~Tenant() {
  TW_CHECK(closed_, "a tenant goes away before it was closed");
}

Result<std::unique_ptr<Tenant>> Tenant::Open(runtime::Core& core, TenantName name,
                                             std::unique_ptr<sqlite::PageStore> store) {
  TW_TRY_ASSIGN(auto anchor, Connection::Open(*store));
  // The store's map of the newest page versions starts empty, so the WAL must be: also the one that a crash
  // left.
  TW_TRY(anchor->Checkpoint(sqlite::CheckpointMode::kTruncate));
  TW_TRY(store->ReadGeometry());
  return std::unique_ptr<Tenant>(new Tenant(core, std::move(name), std::move(store), std::move(anchor)));
}

void Tenant::Close(bool keep_wal) {
  if (closing_) {
    runtime::WaitFor(progress_, [&] { return closed_; });
    return;
  }
  closing_ = true;
  store_->arrival().StopPulls();
  store_->HurryCheckpoint();
  turn_.GiveUpAll();
  NotifyWaiting();
  turn_watch_.NotifyAll();
  checkpoints_.Wake();
  while (!streams_.empty() || opening_ > 0) {
    if (Stream* idle = IdleStream())
      Detach(*idle);
    else
      progress_.Wait();
  }
  background_.Join();
  for (auto& connection : pool_) connection->Close();
  pool_.clear();
  checkpoints_.Close(keep_wal);
  closed_ = true;
  progress_.NotifyAll();
}

bool Tenant::IsIdle() const {
  return !closing_ && !failed_ && !store_->log().failure().has_value() && gate_ == Gate::kOpen &&
         streams_.empty() && streamless_.empty() && opening_ == 0 && exports_ == 0 && !turn_.holder() &&
         !checkpoints_.running() && !checkpoints_.stopped() && !store_->arrival().presence() &&
         !store_->handed().is_sending() && !store_->handed().handed_over();
}

Result<void> Tenant::CloseIdle(const std::function<bool()>& wanted) {
  // Before anything ends, so that a full disk is no reason to lose what is open.
  TW_TRY(checkpoints_.CutForIdleness());
  if (wanted() || !IsIdle())
    return Fail(ErrorKind::kUnavailable, std::string(kWantedCode),
                "the tenant " + name_ + " is in use again");
  Close(/*keep_wal=*/true);
  return {};
}

std::optional<TenantSize> Tenant::Size() const {
  if (store_->page_size() == 0) return std::nullopt;
  return TenantSize{store_->page_size(), store_->page_count()};
}

std::vector<PageNumber> Tenant::RecentlyUsed() const {
  if (store_->page_count() <= limits::kRememberedHotPages) return {};
  return store_->HotPages(limits::kRememberedHotPages);
}

Result<void> Tenant::CheckUp() const {
  if (failed_) return Fail(*failed_);
  if (!closing_) return {};
  return Fail(ErrorKind::kUnavailable, std::string(kDownCode), "the tenant " + name_ + " is closing here",
              "try again");
}

void Tenant::TakeDown(const Error& cause) {
  if (failed_) return;
  log::error("tenant {} is down: {}", name_, Describe(cause));
  failed_ = Error{ErrorKind::kUnavailable, std::string(kDownCode),
                  "the tenant " + name_ + " is down: " + cause.message,
                  "restart its node once the disk is in order"};
  NotifyWaiting();
  turn_watch_.NotifyAll();
  checkpoints_.Wake();
  progress_.NotifyAll();
}

Result<void> Tenant::WaitDurable() {
  TW_TRY(CheckUp());
  Result<void> durable = store_->log().WaitDurable();
  // A folder that could not be opened for want of a descriptor is no failed sync.
  if (durable || durable.error().code == runtime::kTooManyFilesCode) return durable;
  TakeDown(durable.error());
  return CheckUp();
}

// -- Streams and their connections

Result<std::unique_ptr<Connection>> Tenant::TakeConnection() {
  if (pool_.empty()) return Connection::Open(*store_);
  std::unique_ptr<Connection> connection = std::move(pool_.back());
  pool_.pop_back();
  return connection;
}

void Tenant::ReturnConnection(std::unique_ptr<Connection> connection) {
  if (!closing_ && pool_.size() < limits::kPooledConnections && connection->ResetForReuse())
    pool_.push_back(std::move(connection));
}

void Tenant::SetQuotas(const Quotas& quotas) {
  const auto bounded = [](const std::optional<uint64_t>& quota, uint64_t most) {
    return quota && *quota != 0 ? std::min(*quota, most) : most;
  };
  statement_time_ = std::chrono::milliseconds(
      bounded(quotas.statement_ms, std::chrono::milliseconds(limits::kStatementTime).count()));
  most_streams_ = bounded(quotas.streams, limits::kStreamsPerTenant);
  store_->memory().SetBound(bounded(quotas.memory_bytes, limits::kTenantMemoryBytes));
  store_->SetMostBytes(quotas.size_bytes.value_or(0));
  core_share_.Set(quotas.cpu_percent.value_or(0));
}

Result<bool> Tenant::AwaitCoreShare(runtime::TimePoint until,
                                    const std::function<Result<void>()>& keep_waiting) {
  if (!core_share_.is_bounded()) return true;
  ++opening_;  // It is not closed meanwhile.
  Result<bool> has_it = core_share_.Await(until, [&]() -> Result<bool> {
    TW_TRY(CheckUp());
    if (keep_waiting) TW_TRY(keep_waiting());
    return gate_ == Gate::kOpen;
  });
  --opening_;
  NoteProgress();
  return has_it;
}

Result<std::unique_ptr<Stream>> Tenant::OpenStream() {
  TW_TRY(CheckUp());
  if (streams_.size() + opening_ >= most_streams_)
    return Fail(ErrorKind::kUnavailable, "TOO_MANY_STREAMS",
                "the tenant " + name_ + " has " + std::to_string(streams_.size() + opening_) +
                    " streams open, which is as many as it may",
                "close some, or try again; an administrator can change its quota (tradewind tenant set "
                "--quota-streams)");
  ++opening_;
  auto connection = sqlite::OrOutOfMemory<std::unique_ptr<Connection>>([this] { return TakeConnection(); });
  --opening_;
  NoteProgress();
  if (!connection) return Fail(std::move(connection).error());
  TW_TRY(CheckUp());
  std::unique_ptr<Stream> stream(new Stream(*this, std::move(*connection)));
  streams_.push_back(stream.get());
  return stream;
}

void Tenant::Leave(Stream& stream) {
  streams_.remove(&stream);
  if (&stream == rolled_back_) {
    rolled_back_ = nullptr;
    NoteProgress();
    return;
  }
  std::unique_ptr<Connection> connection = std::move(stream.connection_);
  connection->SetProgress({});  // It outlives the stream, whose progress it would report.
  if (connection->autocommit()) {
    turn_.Release(connection.get());
    ReturnConnection(std::move(connection));
    NoteProgress();
    return;
  }
  streamless_.push_back(std::move(connection));
  background_.Spawn("roll back " + name_, [this, place = std::prev(streamless_.end())] {
    const runtime::Turns turns("roll back " + name_);
    const Connection* holder = place->get();
    Result<void> rolled_back = (*place)->Rollback();
    std::unique_ptr<Connection> idle = std::move(*place);
    streamless_.erase(place);
    if (rolled_back) ReturnConnection(std::move(idle));
    idle.reset();  // Closing rolls back as well.
    turn_.Release(holder);
    NoteProgress();
  });
}

void Tenant::Detach(Stream& stream) {
  streams_.remove(&stream);
  stream.tenant_ = nullptr;
  stream.last_session_ = stream.connection_->session();
  std::unique_ptr<Connection> connection = std::move(stream.connection_);
  connection->SetProgress({});
  connection->Close();
  turn_.Release(connection.get());
  connection.reset();
  NoteProgress();
}

Stream* Tenant::IdleStream() const {
  const auto idle =
      std::find_if(streams_.begin(), streams_.end(), [](Stream* stream) { return !stream->executing_; });
  return idle == streams_.end() ? nullptr : *idle;
}

void Tenant::NoteProgress() {
  progress_.NotifyAll();
}

// -- The gate

void Tenant::SetGate(Gate gate) {
  TW_CHECK(gate_ != Gate::kMoved || gate == Gate::kMoved,
           "a tenant that has moved is served here again without a new open");
  if (gate == Gate::kMoved && Planted(PlantedBug::kServesAfterSwap)) return Unpark();
  gate_ = gate;
  NotifyWaiting();
}

void Tenant::NotifyWaiting() {
  gate_changed_.NotifyAll();
  core_share_.LookAgain();
}

bool Tenant::AwaitQuiet(runtime::Duration grace, const std::function<bool()>& given_up) {
  const auto may_write = [&] {
    return std::any_of(streams_.begin(), streams_.end(), [](Stream* stream) { return stream->may_write(); });
  };
  const runtime::TimePoint held_from = core_.Now() + kQuietWait;
  while (may_write()) {
    const runtime::TimePoint now = core_.Now();
    if (gate_ == Gate::kOpen && now >= held_from) SetGate(Gate::kHeld);
    if (given_up() || closing_ || failed_ || now >= held_from + grace) break;
    progress_.WaitUntil(now + kQuietLook);
  }
  const bool quiet = !may_write();
  SetGate(Gate::kHeld);
  return quiet;
}

Result<void> Tenant::Admit(Entrant entrant, const std::function<Result<void>()>& keep_waiting) {
  const runtime::TimePoint deadline = core_.Now() + limits::kParkedRequest;
  while (true) {
    TW_TRY(CheckUp());
    if (IsOpenTo(entrant)) return {};
    if (gate_ == Gate::kMoved)
      return Fail(ErrorKind::kUnavailable, std::string(kMovedCode),
                  "the tenant " + name_ + " has moved to another node", "send the statement there");
    if (keep_waiting) TW_TRY(keep_waiting());
    if (!gate_changed_.WaitUntil(deadline) && gate_ != Gate::kMoved && !IsOpenTo(entrant))
      return Fail(ErrorKind::kUnavailable, "TENANT_MOVING",
                  "the tenant " + name_ + " is moving and its new owner is not certain yet", "try again");
  }
}

void Tenant::Park() {
  for (Stream* stream : streams_)
    if (stream->let_in_) stream->connection_->BarSnapshots();
  for (const auto& connection : streamless_) connection->BarSnapshots();
  SetGate(Gate::kParked);
}

void Tenant::Unpark() {
  for (Stream* stream : streams_)
    if (stream->connection_) stream->connection_->LiftBar();
  for (const auto& connection : streamless_) connection->LiftBar();
  SetGate(Gate::kOpen);
}

size_t Tenant::open_transactions() const {
  const auto open = [](const Connection& connection) {
    return connection.transaction_state() != TransactionState::kNone;
  };
  const auto streams = std::count_if(streams_.begin(), streams_.end(), [&](Stream* stream) {
    return stream->let_in_ || stream->transaction_state() != TransactionState::kNone;
  });
  const auto streamless = std::count_if(streamless_.begin(), streamless_.end(),
                                        [&](const auto& connection) { return open(*connection); });
  return static_cast<size_t>(streams + streamless);
}

bool Tenant::JoinTransactions(runtime::TimePoint deadline) {
  return runtime::WaitForUntil(progress_, deadline, [&] { return open_transactions() == 0; });
}

void Tenant::AwaitRollbacks(runtime::TimePoint deadline) {
  runtime::WaitForUntil(progress_, deadline, [&] {
    return std::none_of(streams_.begin(), streams_.end(),
                        [](Stream* stream) { return stream->aborted_.has_value(); });
  });
}

// -- Snapshots, exports

void Tenant::PrepareToClose() {
  ++opening_;  // It is not closed meanwhile.
  checkpoints_.RunNow();
  --opening_;
  NoteProgress();
}

void Tenant::EndSnapshots(runtime::TimePoint since) {
  for (Stream* stream : streams_)
    if (stream->HoldsSnapshotSince(since)) stream->EndSnapshot();
}

bool Tenant::HasSnapshot(Checkpoints::Snapshots which) const {
  const auto has = [](const std::unique_ptr<Connection>& connection) {
    return connection && connection->transaction_state() == TransactionState::kRead;
  };
  return std::any_of(streams_.begin(), streams_.end(),
                     [&](Stream* stream) {
                       return has(stream->connection_) &&
                              (which == Checkpoints::Snapshots::kAny || !stream->executing_);
                     }) ||
         std::any_of(streamless_.begin(), streamless_.end(), has);
}

Result<void> Tenant::ExportTo(const std::string& path, const std::function<Result<void>()>& keep_going) {
  TW_TRY(CheckUp());
  ++opening_;
  ++exports_;
  Result<std::unique_ptr<Connection>> connection = Connection::Open(*store_);
  Result<void> exported;
  if (connection) {
    streamless_.push_back(std::move(*connection));
    const auto place = std::prev(streamless_.end());
    exported = CopyTo(path, **place, keep_going);
    streamless_.erase(place);
  } else {
    exported = Fail(std::move(connection).error());
  }
  --opening_;
  --exports_;
  NoteProgress();
  return exported;
}

Result<void> Tenant::CopyTo(const std::string& path, Connection& from,
                            const std::function<Result<void>()>& keep_going) {
  const auto check = [&]() -> Result<void> {
    TW_TRY(CheckUp());
    return keep_going ? keep_going() : Result<void>();
  };
  const auto before_step = [&](const sqlite::StatementTraits&) -> Result<Connection::Decision> {
    TW_TRY(Admit(Entrant::kStatement, check));
    from.LiftBar();
    return Connection::Decision::kStep;
  };
  TW_TRY(from.Run({.sql = "BEGIN"}));
  while (true) {
    const auto began = from.Run({.sql = "SELECT count(*) FROM main.sqlite_schema"}, before_step);
    if (began) break;
    if (began.error().code != sqlite::kSnapshotBarredCode) return Fail(began.error());
  }
  const auto on_progress = [&] {
    runtime::Yield();
    return check();
  };
  return sqlite::CopyToNewFile(from, path, on_progress);
}

// -- Taking the write turn back

void Tenant::WatchTurn() {
  if (watching_turn_ || closing_) return;
  watching_turn_ = true;
  background_.Spawn("write turn " + name_, [this] {
    while (!closing_ && !failed_ && turn_.holder()) {
      if (turn_.waiting() == 0) break;
      TakeTurnBackWhenDue();
    }
    watching_turn_ = false;
  });
}

void Tenant::WakeTurnWatchWhenDue() {
  if (turn_.waiting() > 0 && core_.Now() >= turn_.held_since() + limits::kWriteTurnHeldWhileWanted)
    turn_watch_.NotifyAll();
}

void Tenant::TakeTurnBackWhenDue() {
  const runtime::TimePoint due = turn_.held_since() + limits::kWriteTurnHeldWhileWanted;
  if (core_.Now() < due) {
    turn_watch_.WaitUntil(due);
    return;
  }
  Stream* holder = TurnHolder();
  if (holder && !holder->executing_) {
    TakeTurnBack(*holder);
    return;
  }
  // It is busy with a statement, or being rolled back; the end of that wakes the watch.
  turn_watch_.WaitUntil(core_.Now() + limits::kWriteTurnHeldWhileWanted);
}

// The stream may go away meanwhile, so its connection is held here; requests on it wait until it is back.
void Tenant::TakeTurnBack(Stream& holder) {
  const Connection* const connection = holder.connection_.get();
  streamless_.push_back(std::move(holder.connection_));
  const auto place = std::prev(streamless_.end());
  (*place)->SetProgress({});
  holder.executing_ = true;
  rolled_back_ = &holder;
  const Result<void> rolled_back = (*place)->Rollback();
  std::unique_ptr<Connection> idle = std::move(*place);
  streamless_.erase(place);
  if (rolled_back_) {
    holder.connection_ = std::move(idle);
    holder.executing_ = false;
    holder.NoteTurnTakenBack(rolled_back);
    rolled_back_ = nullptr;
  }
  idle.reset();
  turn_.Release(connection);
  NoteProgress();
}

Stream* Tenant::TurnHolder() const {
  const auto holder = std::find_if(streams_.begin(), streams_.end(), [&](Stream* stream) {
    return stream->connection_.get() == turn_.holder();
  });
  return holder == streams_.end() ? nullptr : *holder;
}

}  // namespace tradewind::tenant
