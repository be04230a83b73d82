#include "sim/instances/sim_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "runtime/random_id.h"
#include "sim/sim_world.h"

namespace tradewind::sim {

using namespace std::chrono_literals;
using mariadb::GtidPosition;

namespace {

constexpr size_t kGreetingBytes = 48;  // A replica's: its password, then where it is.
constexpr size_t kPasswordBytes = kGreetingBytes;
constexpr char kRefused = 'X';  // In place of a record: 'X' and why, filled up.

Bytes AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// It is no longer than that.
std::string Filled(std::string_view text, size_t bytes) {
  return fmt::format("{:<{}}", text, bytes);
}

Result<std::string> ReadExactly(runtime::Connection& connection, size_t count) {
  std::string bytes(count, '\0');
  for (size_t at = 0; at < count;) {
    TW_TRY_ASSIGN(const size_t got, connection.Read(std::as_writable_bytes(std::span(bytes).subspan(at))));
    if (got == 0) return Fail(ErrorKind::kIo, "ENDED", "no more comes");
    at += got;
  }
  return bytes;
}

uint32_t NumberOf(const std::string& host) {
  return static_cast<uint32_t>(Hash64(AsBytes(host)) % 999'983 + 1);
}

}  // namespace

GtidPosition PositionOf(const std::vector<SimTransaction>& log, size_t count) {
  if (count == 0) return {};
  return GtidPosition::Parse(fmt::format("0-{}-{}", log.at(count - 1).server, count)).value();
}

size_t CountOf(const GtidPosition& position) {
  return position.Beyond(GtidPosition());
}

// -- Its life

SimServer::SimServer(SimCore& core, SimServers& all, Options options)
    : core_(core),
      all_(all),
      options_(std::move(options)),
      number_(NumberOf(core.host())),
      address_{core.host(), 0},
      fibers_(core),
      follower_(core) {}

SimServer::~SimServer() {
  TW_CHECK(fibers_.size() == 0 && follower_.size() == 0, "a server was stopped before it goes");
}

Result<std::unique_ptr<SimServer>> SimServer::Open(SimCore& core, SimServers& all, Options options) {
  std::unique_ptr<SimServer> server(new SimServer(core, all, std::move(options)));
  TW_TRY(server->Start());
  return server;
}

Result<void> SimServer::Start() {
  core_.Pause(1ms, 100ms);
  TW_TRY_ASSIGN(file_, core_.disk().Open(options_.path, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint64_t size, file_->Size());
  std::string bytes(size, '\0');
  TW_TRY(file_->Read(0, std::as_writable_bytes(std::span(bytes))));
  log_ = ParseLog(bytes);
  // What it has recovered nobody takes away again.
  TW_TRY(file_->Truncate(log_.size() * kTransactionBytes));
  TW_TRY(file_->Sync());
  TW_TRY_ASSIGN(listener_, core_.network().Listen({core_.host(), 0}));
  if (ending_) return Down();
  address_ = listener_->local();
  synced_ = log_.size();
  read_only_ = true;
  all_.checker.TakesNoWrites(core_.host(), options_.tenant);
  all_.running[{core_.host(), options_.tenant}] = this;
  answers_ = true;
  ++starts_;
  fibers_.Spawn("simulated server", [this, listener = listener_.get()] { Accept(*listener); });
  changed_.NotifyAll();
  return {};
}

// Its memory is lost.
void SimServer::Die() {
  if (!answers_ || ending_ || core_.crashed()) return;
  answers_ = false;
  SetReadOnly(true);
  follows_ = false;
  lazy_ = false;
  broken_ = "its server has died";
  snapshot_.reset();
  if (primary_) primary_->Close();
  listener_->Close();
  for (runtime::Connection* const connection : served_) connection->Close();
  changed_.NotifyAll();
  fibers_.Spawn("simulated restart", [this] {
    runtime::WaitFor(changed_, [this] { return ending_ || (inside_ == 0 && served_.empty()); });
    runtime::WaitForUntil(changed_, core_.Now() + limits::kInstancePause, [this] { return ending_; });
    while (!ending_ && !Start()) runtime::SleepFor(limits::kInstancePause);
    if (answers_) options_.on_restart();
  });
}

SimServer::Ended SimServer::Stop(runtime::TimePoint) {
  ending_ = true;
  if (answers_ && !core_.crashed()) SetReadOnly(true);
  answers_ = false;
  follows_ = false;
  if (primary_) primary_->Close();
  if (listener_) listener_->Close();
  for (runtime::Connection* const connection : served_) connection->Close();
  changed_.NotifyAll();
  runtime::WaitFor(changed_, [this] { return inside_ == 0; });
  follower_.Join();
  fibers_.Join();
  const std::pair<std::string, std::string> key{core_.host(), options_.tenant};
  if (const auto mine = all_.running.find(key); mine != all_.running.end() && mine->second == this)
    all_.running.erase(mine);
  return Ended::kCleanly;
}

void SimServer::PassTo(std::function<void()> on_restart, std::function<bool()>) {
  options_.on_restart = std::move(on_restart);
}

tl::unexpected<Error> SimServer::Down() const {
  return Fail(ErrorKind::kUnavailable, "INSTANCE_DOWN", "no simulated server runs of " + options_.path);
}

Result<void> SimServer::CheckUp() const {
  TW_TRY(core_.CheckAlive());
  if (!answers_) return Down();
  return {};
}

// -- Who writes

void SimServer::SetReadOnly(bool read_only) {
  if (read_only_ == read_only) return;
  read_only_ = read_only;
  if (read_only)
    all_.checker.TakesNoWrites(core_.host(), options_.tenant);
  else
    all_.checker.TakesWrites(core_.host(), options_.tenant);
}

Result<void> SimServer::MakeWritable(runtime::TimePoint) {
  TW_TRY(CheckUp());
  const uint64_t starts = starts_;
  core_.Pause(20us, 2ms);
  TW_TRY(CheckUp());
  if (starts != starts_) return Down();
  SetReadOnly(false);
  return {};
}

Result<void> SimServer::MakeReadOnly(runtime::TimePoint deadline) {
  return Freeze(deadline);
}

// Whoever has begun to write is waited for; nobody else begins.
Result<void> SimServer::Freeze(runtime::TimePoint deadline) {
  TW_TRY(CheckUp());
  const uint64_t starts = starts_;
  const bool was = read_only_;
  core_.Pause(20us, 2ms);
  TW_TRY(CheckUp());
  const bool fails = all_.Fails(all_.failing_freezes);
  SetReadOnly(true);
  const bool quiet = runtime::WaitForUntil(changed_, deadline, [&] { return committing_ == 0 || !answers_; });
  TW_TRY(CheckUp());
  if (starts != starts_) return Down();
  if (quiet && !fails) return {};
  SetReadOnly(was);
  return Fail(ErrorKind::kUnavailable, "FREEZE_BLOCKED", "somebody holds a lock");
}

Result<mysql::ServerAnswer> SimServer::Query(std::string_view, runtime::TimePoint) {
  TW_TRY(CheckUp());
  core_.Pause(20us, 2ms);
  TW_TRY(CheckUp());
  return mysql::ServerAnswer{};
}

Result<void> SimServer::Commit(int64_t row) {
  TW_TRY(CheckUp());
  ++inside_;
  const auto commit = [&]() -> Result<void> {
    const uint64_t starts = starts_;
    core_.Pause(20us, 2ms);
    TW_TRY(CheckUp());
    if (starts != starts_) return Down();
    if (read_only_) return Fail(ErrorKind::kRefused, "MYSQL_1290", "the server is read-only");
    ++committing_;
    const auto done = Append({log_.size() + 1, number_, row}, /*durable=*/true);
    --committing_;
    return done;
  };
  const auto done = commit();
  --inside_;
  changed_.NotifyAll();
  return done;
}

// What a sync covers is what was written before it, whoever wrote that.
Result<void> SimServer::Append(const SimTransaction& transaction, bool durable) {
  const std::shared_ptr<runtime::File> file = file_;
  const uint64_t starts = starts_;
  all_.checker.Written(core_.host(), options_.tenant, transaction.row, transaction.server == number_);
  TW_TRY(file->Write(log_.size() * kTransactionBytes, AsBytes(ToRecord(transaction))));
  log_.push_back(transaction);
  if (!durable) {
    changed_.NotifyAll();
    return {};
  }
  const size_t covers = log_.size();
  const auto synced = file->Sync();
  if (starts != starts_ || !answers_) return Down();
  if (!synced) {
    Die();
    return Fail(synced.error());
  }
  synced_ = std::max(synced_, covers);
  changed_.NotifyAll();
  return {};
}

uint64_t SimServer::DataBytes() {
  return all_.snapshot_bytes + log_.size() * kTransactionBytes;
}

std::string SimServer::Dump() const {
  std::string records;
  for (size_t at = 0; at < synced_; ++at) records += ToRecord(log_[at]);
  return records;
}

// -- A primary

Result<GtidPosition> SimServer::WrittenTo() {
  TW_TRY(CheckUp());
  core_.Pause(20us, 1ms);
  TW_TRY(CheckUp());
  return PositionOf(log_, log_.size());
}

Result<mariadb::PrimaryLogin> SimServer::AdmitReplica() {
  TW_TRY(CheckUp());
  core_.Pause(20us, 2ms);
  password_ = runtime::RandomId(core_);
  return mariadb::PrimaryLogin{"replica", password_};
}

Result<void> SimServer::DismissReplica() {
  TW_TRY(CheckUp());
  password_.clear();
  return {};
}

Result<std::unique_ptr<runtime::Connection>> SimServer::Connect() {
  TW_TRY(CheckUp());
  return core_.network().Connect(address_, core_.Now() + limits::kInstanceAnswer);
}

void SimServer::Accept(runtime::Listener& listener) {
  while (true) {
    auto accepted = listener.Accept();
    if (!accepted) return;
    const std::shared_ptr<runtime::Connection> connection = *std::move(accepted);
    served_.push_back(connection.get());
    fibers_.Spawn("simulated primary", [this, connection] {
      Serve(*connection);
      std::erase(served_, connection.get());
      changed_.NotifyAll();
    });
  }
}

// A replica says its password and the last transaction that it has, which must be one of here; it gets what comes behind that.
// What is sent is durable.
void SimServer::Serve(runtime::Connection& connection) {
  runtime::TaskGroup reader(core_);
  bool over = false;
  const uint64_t starts = starts_;
  const auto serve = [&]() -> Result<void> {
    TW_TRY_ASSIGN(const std::string password, ReadExactly(connection, kPasswordBytes));
    TW_TRY_ASSIGN(const std::string last, ReadExactly(connection, kTransactionBytes));
    const auto refuse = [&](const std::string& why) {
      return connection.Write(AsBytes(Filled(kRefused + why, kTransactionBytes)));
    };
    if (password_.empty() || password != Filled(password_, kPasswordBytes)) return refuse("it is not let in");
    SimTransaction at;
    if (!ParseRecord(last, at) || at.sequence > synced_ ||
        (at.sequence > 0 && log_.at(at.sequence - 1) != at))
      return refuse("it has what is not here");
    reader.Spawn("simulated primary's reader", [&] {
      std::byte none{};
      static_cast<void>(connection.Read({&none, 1}));
      over = true;
      changed_.NotifyAll();
    });
    for (size_t next = at.sequence;; ++next) {
      const auto gone = [&] { return over || !answers_ || starts != starts_; };
      runtime::WaitFor(changed_, [&] { return gone() || next < synced_; });
      if (gone()) return {};
      TW_TRY(connection.Write(AsBytes(ToRecord(log_[next]))));
    }
  };
  static_cast<void>(serve());
  connection.Close();
  reader.Join();
}

// -- A replica

Result<void> SimServer::Follow(const mariadb::PrimaryLogin& login, slacker::Dial dial,
                               mariadb::Replication::Was was) {
  TW_TRY(StopFollowing());
  login_ = login;
  dial_ = std::move(dial);
  lazy_ = was == mariadb::Replication::Was::kSnapshot;
  FollowOn();
  return {};
}

void SimServer::FollowOn() {
  if (!dial_) return;
  follows_ = true;
  broken_.clear();
  follower_.Spawn("simulated replica", [this] {
    while (follows_) {
      static_cast<void>(FollowOnce());
      if (follows_) changed_.WaitUntil(core_.Now() + 20ms);
    }
  });
}

Result<void> SimServer::FollowOnce() {
  TW_TRY_ASSIGN(const auto connection, dial_());
  if (!follows_) return {};
  primary_ = connection.get();
  const auto follow = [&]() -> Result<void> {
    const SimTransaction last = log_.empty() ? SimTransaction() : log_.back();
    const std::string hello = Filled(login_.password, kPasswordBytes) + ToRecord(last);
    TW_TRY(connection->Write(AsBytes(hello)));
    while (follows_) {
      TW_TRY_ASSIGN(const std::string record, ReadExactly(*connection, kTransactionBytes));
      if (!follows_) return {};
      SimTransaction next;
      const bool whole = ParseRecord(record, next);
      if (!whole || next.sequence != log_.size() + 1) {
        broken_ = whole ? "a transaction is missing" : record;
        return {};
      }
      runtime::WaitFor(changed_, [&] { return !until_ || log_.size() < *until_ || !follows_; });
      if (!follows_) return {};
      if (all_.Fails(all_.slow_transactions)) core_.Pause(5ms, 60ms);
      if (!follows_) return {};
      TW_TRY(Append(next, !lazy_));
    }
    return {};
  };
  const auto followed = follow();
  primary_ = nullptr;
  return followed;
}

Result<bool> SimServer::AwaitFollowed(const GtidPosition& position, runtime::TimePoint deadline) {
  TW_TRY(CheckUp());
  const size_t wanted = CountOf(position);
  const auto there = [&] { return (lazy_ ? log_.size() : synced_) >= wanted; };
  runtime::WaitForUntil(changed_, deadline, [&] { return there() || !answers_; });
  TW_TRY(CheckUp());
  return there();
}

Result<void> SimServer::CheckFollows() {
  TW_TRY(CheckUp());
  if (follows_ && broken_.empty()) return {};
  return Fail(ErrorKind::kUnavailable, "REPLICATION_BROKEN", broken_.empty() ? "it was stopped" : broken_);
}

Result<void> SimServer::MakeDurable() {
  TW_TRY(CheckUp());
  lazy_ = false;
  const size_t covers = log_.size();
  const uint64_t starts = starts_;
  TW_TRY(file_->Sync());
  TW_TRY(CheckUp());
  if (starts != starts_) return Down();
  synced_ = std::max(synced_, covers);
  changed_.NotifyAll();
  return {};
}

Result<void> SimServer::StopFollowing() {
  follows_ = false;
  if (primary_) primary_->Close();
  changed_.NotifyAll();
  follower_.Join();
  return core_.CheckAlive();
}

Result<void> SimServer::ForgetPrimary() {
  TW_TRY(StopFollowing());
  dial_ = nullptr;
  return {};
}

// -- What it holds

uint64_t SimServer::SumOf(size_t count) const {
  uint64_t sum = count;
  for (size_t at = 0; at < count; ++at) sum = Hash64(AsBytes(ToRecord(log_[at])), sum);
  return sum;
}

Result<GtidPosition> SimServer::OpenSnapshot() {
  TW_TRY(CheckUp());
  snapshot_ = SumOf(log_.size());
  return PositionOf(log_, log_.size());
}

Result<void> SimServer::OpenSnapshotAt(const GtidPosition& position) {
  TW_TRY(CheckUp());
  if (log_.size() > CountOf(position))
    return Fail(ErrorKind::kUnavailable, "REPLICA_AHEAD", "the simulated replica has more than that");
  until_ = CountOf(position);
  FollowOn();
  const auto there = AwaitFollowed(position, core_.Now() + 10s);
  until_.reset();
  TW_TRY(StopFollowing());
  if (!there) return Fail(there.error());
  if (!*there) return Fail(ErrorKind::kTimeout, "REPLICA_BEHIND", "the simulated replica is behind");
  TW_TRY(OpenSnapshot());
  FollowOn();
  return {};
}

Result<mariadb::TableSums> SimServer::ReadSums(mariadb::RowPace& pace) {
  TW_TRY(CheckUp());
  if (!pace.Take(log_.size() * kTransactionBytes))
    return Fail(ErrorKind::kUnavailable, "CHECKSUMS_GIVEN_UP", "nobody wants them");
  core_.Pause(1ms, 20ms);
  if (!snapshot_) return Down();
  return mariadb::TableSums{{"`rows`.`rows`", *snapshot_}};
}

}  // namespace tradewind::sim
