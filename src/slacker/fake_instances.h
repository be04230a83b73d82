// For tests: instances without servers, in virtual time. What an instance holds is a FakeCopy (move/fake_tenant.h): a list of
// texts, each a transaction, so that its position is how many there are. A backup takes its time and has final stages; a
// replica reads what it lacks over a connection, after it has said the password; everything can fail.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "move/fake_tenant.h"
#include "move/move_fixture.h"
#include "slacker/engine.h"
#include "slacker/instance.h"

namespace tradewind::slacker {

// Of all instances of a test, and what a test does to them.
struct FakeServers {
  int backups_that_fail = 0;  // Of the next ones, half way.
  int prepares_that_fail = 0;
  int open_sessions_ended = 0;
  std::optional<runtime::TimePoint> open_since;  // What a client has open.
  int freezes_that_fail = 0;
  bool lets_replicas_in = true;
  bool corrupts_sums = false;
  uint64_t snapshot_bytes = 400'000;  // At least so many, however little an instance holds.
  uint64_t prepare_bytes = 200'000;   // That a preparation reads and writes.
  uint64_t final_bytes = 100'000;     // Of them, in the last stages.
  runtime::Duration apply_takes{};    // A replica for a text.
  uint64_t log_bytes_per_s = 0;       // Of redo.
  uint64_t log_capacity = 10'000'000;
  uint64_t rows_bytes = 2'000;                              // That are read to be summed up, of either copy.
  std::optional<uint64_t> rows_bytes_of_second;             // Of the copy that is read second, the source.
  bool rows_are_waited_for = false;                         // By others.
  std::function<void(uint64_t)> on_read = [](uint64_t) {};  // A backup was read so far.
  std::function<void(move::FakeCopy&)> on_freeze = [](move::FakeCopy&) {};

  int backups = 0;
  int freezes = 0;
  int thaws = 0;
  int followed = 0;  // Texts that replicas have applied.
  uint64_t corrupted = 0;
  runtime::Duration longest_final_stage{};
  std::map<const Instance*, uint64_t> rows_read;  // Of the instances that are being summed up.
  uint64_t rows_apart = 0;                        // The most that one has read beyond another.

  void NoteRows(const Instance& instance, uint64_t bytes) {
    const uint64_t read = rows_read[&instance] += bytes;
    for (const auto& [other, others] : rows_read)
      if (read > others) rows_apart = std::max(rows_apart, read - others);
  }
};

inline Position PositionOf(uint64_t count) {
  return Position::Parse(count == 0 ? "" : "0-1-" + std::to_string(count)).value();
}
inline uint64_t CountOf(const Position& position) {
  return position.Beyond(Position());
}

class FakeBackup final : public BackupStream {
 public:
  // It is of what the copy holds now, and of bytes without a meaning behind that.
  FakeBackup(runtime::Core& core, FakeServers& servers, const move::FakeCopy& copy)
      : core_(core), servers_(servers) {
    move::MessageWriter writer(move::MessageWriter::Of::kPart);
    writer.Number(static_cast<uint32_t>(copy.saved_to()));
    for (uint32_t number = 0; number < copy.saved_to(); ++number) writer.Text(copy.items.at(number));
    bytes_ = writer.Take();
    bytes_.resize(std::max<size_t>(bytes_.size(), servers.snapshot_bytes));
    fails_ = servers.backups_that_fail > 0;
    if (fails_) --servers.backups_that_fail;
    ++servers.backups;
  }

  Result<size_t> Read(MutableBytes into) override {
    runtime::SleepFor(std::chrono::microseconds(200));
    if (killed_ || (fails_ && at_ > bytes_.size() / 2))
      return Fail(ErrorKind::kUnavailable, "BACKUP_FAILED", "the test makes this backup fail");
    if (in_final_stages() && !final_since_) final_since_ = core_.Now();
    const size_t count = std::min(into.size(), bytes_.size() - at_);
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(at_), count, into.begin());
    at_ += count;
    servers_.on_read(at_);
    if (count == 0)
      servers_.longest_final_stage = std::max(servers_.longest_final_stage, core_.Now() - *final_since_);
    return count;
  }
  bool in_final_stages() const override { return at_ + servers_.final_bytes >= bytes_.size(); }
  // In proportion to how much of it was read: then the log has gone the same way.
  std::optional<uint64_t> log_copied_to() const override {
    const std::chrono::duration<double> passed = core_.Now().time_since_epoch();
    const double share = static_cast<double>(at_) / static_cast<double>(bytes_.size());
    return static_cast<uint64_t>(share * passed.count() * static_cast<double>(servers_.log_bytes_per_s));
  }
  void End() override { killed_ = true; }

 private:
  runtime::Core& core_;
  FakeServers& servers_;
  std::vector<std::byte> bytes_;
  size_t at_ = 0;
  bool fails_ = false;
  bool killed_ = false;
  std::optional<runtime::TimePoint> final_since_;
};

class FakeInstance final : public Instance {
 public:
  FakeInstance(runtime::Core& core, FakeServers& servers, std::shared_ptr<move::FakeCopy> copy)
      : core_(core), servers_(servers), copy_(std::move(copy)), fibers_(core), follower_(core) {}

  Result<std::unique_ptr<BackupStream>> StartBackup() override {
    return std::unique_ptr<BackupStream>(std::make_unique<FakeBackup>(core_, servers_, *copy_));
  }
  Result<mariadb::RedoLog> ReadRedoLog() override {
    const std::chrono::duration<double> passed = core_.Now().time_since_epoch();
    return mariadb::RedoLog{
        static_cast<uint64_t>(passed.count() * static_cast<double>(servers_.log_bytes_per_s)),
        servers_.log_capacity};
  }
  uint64_t DataBytes() override { return servers_.snapshot_bytes; }

  Result<Position> WrittenTo() override { return PositionOf(copy_->saved_to()); }
  Result<PrimaryLogin> AdmitReplica() override {
    password_ = "p" + std::to_string(++passwords_) + "_" + std::to_string(core_.UnixMilliseconds());
    return PrimaryLogin{"replica", password_};
  }
  Result<void> DismissReplica() override {
    password_.clear();
    return {};
  }
  Result<std::unique_ptr<runtime::Connection>> Connect() override {
    const auto one = std::make_shared<move::Pipe>();
    const auto other = std::make_shared<move::Pipe>();
    auto ours = std::make_shared<move::PipeConnection>(one, other);
    fibers_.Spawn("fake primary", [this, ours] { Serve(*ours); });
    return std::unique_ptr<runtime::Connection>(std::make_unique<move::PipeConnection>(other, one));
  }

  Result<void> Follow(const PrimaryLogin& login, Dial dial, mariadb::Replication::Was was) override {
    TW_TRY(StopFollowing());
    is_lazy_ = was == mariadb::Replication::Was::kSnapshot;
    login_ = login;
    dial_ = std::move(dial);
    FollowOn();
    return {};
  }
  Result<bool> AwaitFollowed(const Position& position, runtime::TimePoint deadline) override {
    return WaitForUntil(copy_->changed, deadline, [&] { return copy_->saved_to() >= CountOf(position); });
  }
  Result<void> MakeDurable() override {
    is_lazy_ = false;
    return {};
  }
  // What it has followed is not durable.
  bool is_lazy() const { return is_lazy_; }
  Result<void> CheckFollows() override {
    if (!refused_ && !broken_) return {};
    return Fail(ErrorKind::kUnavailable, "REPLICATION_BROKEN",
                refused_ ? "it is not let in" : "texts are missing");
  }
  Result<void> StopFollowing() override {
    follows_ = false;
    if (primary_) primary_->Close();
    copy_->changed.NotifyAll();
    follower_.Join();
    return {};
  }
  Result<void> ForgetPrimary() override {
    TW_TRY(StopFollowing());
    dial_ = nullptr;
    return {};
  }

  Result<void> MakeReadyToFreeze() override { return {}; }
  std::optional<runtime::TimePoint> OldestOpen() const override { return servers_.open_since; }
  void EndSessionsOpenSince(runtime::TimePoint then) override {
    ++servers_.open_sessions_ended;
    if (servers_.open_since <= then) servers_.open_since.reset();
  }
  Result<void> Freeze(runtime::TimePoint deadline) override {
    ++servers_.freezes;
    servers_.on_freeze(*copy_);
    if (servers_.freezes_that_fail > 0) {
      --servers_.freezes_that_fail;
      return Fail(ErrorKind::kUnavailable, "FREEZE_BLOCKED", "somebody holds a lock");
    }
    const bool quiet =
        WaitForUntil(copy_->changed, deadline, [&] { return copy_->saved_to() == copy_->next(); });
    if (!quiet) return Fail(ErrorKind::kUnavailable, "FREEZE_BLOCKED", "a text is being written");
    return {};
  }
  void Thaw() override { ++servers_.thaws; }
  Result<void> EndReadOnly() override { return {}; }

  Result<Position> OpenSnapshot() override {
    snapshot_ = copy_->SumOf(0, copy_->saved_to()) + copy_->saved_to();
    return WrittenTo();
  }
  Result<void> OpenSnapshotAt(const Position& position) override {
    if (copy_->saved_to() > CountOf(position))
      return Fail(ErrorKind::kUnavailable, "REPLICA_AHEAD", "it has more");
    until_ = CountOf(position);
    FollowOn();
    TW_TRY_ASSIGN(const bool there, AwaitFollowed(position, core_.Now() + std::chrono::seconds(2)));
    TW_TRY(StopFollowing());
    until_.reset();
    if (!there) return Fail(ErrorKind::kUnavailable, "REPLICA_BEHIND", "it did not follow in time");
    TW_TRY(OpenSnapshot());
    FollowOn();
    return {};
  }
  Result<TableSums> ReadSums(mariadb::RowPace& pace) override {
    // Somebody who comes later.
    runtime::TaskGroup others(core_);
    if (servers_.rows_are_waited_for)
      others.Spawn("who waits", [&] {
        runtime::SleepFor(std::chrono::milliseconds(500));
        pace.SetWaitedFor(true);
      });
    const auto sums = ReadRows(pace);
    others.Join();
    return sums;
  }

  const std::shared_ptr<move::FakeCopy>& copy() const { return copy_; }
  // Suspends until nothing of it runs.
  void Stop() {
    EXPECT_TRUE(StopFollowing());
    ending_ = true;
    copy_->changed.NotifyAll();
    fibers_.Join();
  }

 private:
  Result<TableSums> ReadRows(mariadb::RowPace& pace) {
    uint64_t bytes = servers_.rows_bytes;
    if (!servers_.rows_read.empty()) bytes = servers_.rows_bytes_of_second.value_or(bytes);
    const uint64_t piece = std::min<uint64_t>(bytes, 50'000);
    servers_.rows_read[this] = 0;
    for (uint64_t at = 0; at < bytes; at += piece) {
      runtime::SleepFor(std::chrono::milliseconds(1));
      servers_.NoteRows(*this, piece);
      if (!pace.Take(piece)) return Fail(ErrorKind::kUnavailable, "CHECKSUMS_GIVEN_UP", "nobody wants them");
    }
    return TableSums{{"texts", *snapshot_ + (servers_.corrupts_sums ? ++servers_.corrupted : 0)}};
  }
  void FollowOn() {
    if (!dial_) return;
    follows_ = true;
    refused_ = broken_ = false;
    follower_.Spawn("fake replica", [this] {
      while (follows_) {
        static_cast<void>(FollowOnce());
        if (follows_) copy_->changed.WaitUntil(core_.Now() + std::chrono::milliseconds(20));
      }
    });
  }
  // Says the password and its position; then texts come: number, text.
  Result<void> FollowOnce() {
    TW_TRY_ASSIGN(const auto connection, dial_());
    primary_ = connection.get();
    const auto followed = Apply(*connection);
    primary_ = nullptr;
    return followed;
  }
  Result<void> Apply(runtime::Connection& connection) {
    move::MessageWriter writer(move::MessageWriter::Of::kPart);
    writer.Text(login_.password);
    writer.Number(copy_->next());
    TW_TRY(connection.Write(writer.Take()));
    while (follows_) {
      TW_TRY_ASSIGN(const auto head, ReadExactly(connection, 6));
      move::MessageReader reader(head);
      const auto number = reader.Number<uint32_t>();
      const auto length = reader.Number<uint16_t>();
      refused_ = number == UINT32_MAX;
      if (refused_) return {};
      TW_TRY_ASSIGN(const auto text, ReadExactly(connection, length));
      WaitFor(copy_->changed, [&] { return !until_ || number < *until_ || !follows_; });
      if (servers_.apply_takes != runtime::Duration::zero()) runtime::SleepFor(servers_.apply_takes);
      if (!follows_) return {};
      broken_ = number != copy_->next();
      if (broken_) return {};
      copy_->items[number] = std::string(reinterpret_cast<const char*>(text.data()), text.size());
      ++servers_.followed;
      TW_TRY(copy_->Save());
    }
    return {};
  }
  void Serve(runtime::Connection& connection) {
    bool over = false;
    runtime::TaskGroup reader(core_);
    const auto serve = [&]() -> Result<void> {
      TW_TRY_ASSIGN(const auto head, ReadExactly(connection, 2));
      move::MessageReader length(head);
      TW_TRY_ASSIGN(const auto rest, ReadExactly(connection, length.Number<uint16_t>() + 4u));
      const std::string password(reinterpret_cast<const char*>(rest.data()), rest.size() - 4);
      move::MessageReader numbers(Bytes(rest).last(4));
      auto number = numbers.Number<uint32_t>();
      if (password.empty() || password != password_ || !servers_.lets_replicas_in) {
        move::MessageWriter refusal(move::MessageWriter::Of::kPart);
        refusal.Number(UINT32_MAX);
        refusal.Number(uint16_t{0});
        return connection.Write(refusal.Take());
      }
      reader.Spawn("fake primary's reader", [&] {
        std::array<std::byte, 1> none{};
        static_cast<void>(connection.Read(none));
        over = true;
        copy_->changed.NotifyAll();
      });
      while (true) {
        WaitFor(copy_->changed, [&] { return over || ending_ || number < copy_->saved_to(); });
        if (over || ending_) return {};
        move::MessageWriter writer(move::MessageWriter::Of::kPart);
        writer.Number(number);
        writer.Text(copy_->items.at(number));
        ++number;
        TW_TRY(connection.Write(writer.Take()));
      }
    };
    static_cast<void>(serve());
    connection.Close();
    reader.Join();
  }
  static Result<std::vector<std::byte>> ReadExactly(runtime::Connection& connection, size_t count) {
    std::vector<std::byte> bytes(count);
    for (size_t at = 0; at < count;) {
      TW_TRY_ASSIGN(const size_t got, connection.Read(MutableBytes(bytes).subspan(at)));
      if (got == 0) return Fail(ErrorKind::kIo, "ENDED", "no more comes");
      at += got;
    }
    return bytes;
  }

  runtime::Core& core_;
  FakeServers& servers_;
  const std::shared_ptr<move::FakeCopy> copy_;
  std::string password_;
  int passwords_ = 0;
  bool is_lazy_ = false;
  PrimaryLogin login_;
  Dial dial_;
  bool follows_ = false;
  bool refused_ = false;
  bool broken_ = false;
  bool ending_ = false;
  std::optional<uint64_t> until_;
  runtime::Connection* primary_ = nullptr;
  std::optional<uint64_t> snapshot_;
  runtime::TaskGroup fibers_;
  runtime::TaskGroup follower_;
};

class FakeInstances;

class CopyOfFake final : public Copy {
 public:
  CopyOfFake(FakeInstances& instances, move::MoveHost& host, const TenantName& tenant);

  Result<void> Begin() override {
    Leave();
    bytes_.clear();
    return core().disk().Remove(path_);
  }
  Result<void> Write(Bytes bytes) override {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    runtime::Yield();
    return {};
  }
  Result<void> Prepare(mariadb::Allowance& allowance) override;
  Result<std::shared_ptr<Instance>> Start() override;
  Result<std::shared_ptr<Instance>> Open() override;
  Result<bool> Exists() override { return core().disk().Exists(path_); }
  Result<void> NoteReady(const ReadyNote& note) override {
    EXPECT_FALSE(instance_->is_lazy())
        << "a copy counts as ready that a loss of power would take something of";
    instance_->copy()->list = note.list;
    instance_->copy()->listed = static_cast<uint32_t>(CountOf(note.position));
    return instance_->copy()->Save();
  }
  Result<std::optional<ReadyNote>> ReadReady() override {
    move::FakeCopy copy(core(), path_);
    TW_TRY(copy.Load());
    if (copy.list == 0) return std::optional<ReadyNote>();
    return std::optional(ReadyNote{copy.list, PositionOf(copy.listed)});
  }
  Result<void> ForgetReady() override {
    if (!instance_) return {};
    instance_->copy()->list = 0;
    return instance_->copy()->Save();
  }
  Result<void> Drop() override {
    Leave();
    return core().disk().Remove(path_);
  }
  void Leave() override {
    if (!instance_) return;
    EXPECT_TRUE(instance_->StopFollowing());
  }
  const std::shared_ptr<FakeInstance>& instance() const { return instance_; }

 private:
  runtime::Core& core() { return host_.core(); }

  FakeInstances& instances_;
  move::MoveHost& host_;
  const std::string path_;
  std::vector<std::byte> bytes_;
  std::shared_ptr<FakeInstance> instance_;
};

class FakeInstances final : public Instances {
 public:
  explicit FakeInstances(FakeServers& of) : servers(of) {}

  Result<std::string> FindVersion() override { return "10.11.fake"; }
  Result<std::shared_ptr<Instance>> Of(tenant::HostedTenant& tenant) override {
    return std::shared_ptr<Instance>(InstanceOf(static_cast<move::FakeTenant&>(tenant).copy()));
  }
  std::unique_ptr<Copy> CopyOf(move::MoveHost& host, const TenantName& tenant) override {
    core_ = &host.core();
    return std::make_unique<CopyOfFake>(*this, host, tenant);
  }
  Result<std::unique_ptr<tenant::HostedTenant>> Host(move::MoveHost&, const TenantName& tenant,
                                                     Copy& copy) override {
    auto& fake = static_cast<CopyOfFake&>(copy);
    if (!fake.instance()) TW_TRY(fake.Open());
    return std::unique_ptr<tenant::HostedTenant>(
        std::make_unique<move::FakeTenant>(tenant, "mariadb", fake.instance()->copy()));
  }
  std::shared_ptr<FakeInstance> InstanceOf(const std::shared_ptr<move::FakeCopy>& copy) {
    auto& instance = all_[copy];
    if (!instance) instance = std::make_shared<FakeInstance>(*core_, servers, copy);
    return instance;
  }
  // Suspends until nothing of them runs.
  void Stop() {
    for (auto& [copy, instance] : all_) instance->Stop();
    all_.clear();
  }
  void SetCore(runtime::Core& core) { core_ = &core; }

  FakeServers& servers;

 private:
  runtime::Core* core_ = nullptr;
  std::map<std::shared_ptr<move::FakeCopy>, std::shared_ptr<FakeInstance>> all_;
};

inline CopyOfFake::CopyOfFake(FakeInstances& instances, move::MoveHost& host, const TenantName& tenant)
    : instances_(instances), host_(host), path_(host.TenantPath(tenant)) {}

inline Result<void> CopyOfFake::Prepare(mariadb::Allowance& allowance) {
  uint64_t used = 0;
  while (used < instances_.servers.prepare_bytes) {
    if (allowance.given_up()) return Fail(ErrorKind::kUnavailable, "PREPARE_GIVEN_UP", "nobody wants it");
    if (used <= allowance.allowed()) used += 50'000;
    allowance.NoteUsed(used);
    runtime::SleepFor(std::chrono::milliseconds(1));
  }
  if (instances_.servers.prepares_that_fail == 0) return {};
  --instances_.servers.prepares_that_fail;
  return Fail(ErrorKind::kIo, "PREPARE_FAILED", "the test makes this preparation fail");
}

inline Result<std::shared_ptr<Instance>> CopyOfFake::Start() {
  const auto copy = std::make_shared<move::FakeCopy>(core(), path_);
  move::MessageReader reader(bytes_);
  const auto count = reader.Number<uint32_t>();
  for (uint32_t number = 0; number < count && reader.ok(); ++number) copy->items[number] = reader.Text();
  EXPECT_TRUE(reader.ok()) << "what came is no snapshot";
  TW_TRY(copy->Save());
  instance_ = instances_.InstanceOf(copy);
  return std::shared_ptr<Instance>(instance_);
}

inline Result<std::shared_ptr<Instance>> CopyOfFake::Open() {
  const auto copy = std::make_shared<move::FakeCopy>(core(), path_);
  TW_TRY(copy->Load());
  instance_ = instances_.InstanceOf(copy);
  return std::shared_ptr<Instance>(instance_);
}

// The engine, with the files of its tenants as the nodes of the tests have them.
class EngineOfFakes final : public move::FakeEngine {
 public:
  std::string_view name() const override { return engine_.name(); }
  Result<void> CheckMovable(tenant::HostedTenant& tenant, const move::MoveOptions& options) const override {
    return engine_.CheckMovable(tenant, options);
  }
  std::unique_ptr<move::SourcePayload> MakeSource(move::SourceMove& move) override {
    instances.SetCore(move.host().core());
    return engine_.MakeSource(move);
  }
  std::unique_ptr<move::DestinationPayload> MakeDestination(const move::DestinationMove& move) override {
    return engine_.MakeDestination(move);
  }
  Result<std::unique_ptr<tenant::HostedTenant>> OpenToSendBack(move::MoveHost& host,
                                                               const TenantName& tenant) override {
    return engine_.OpenToSendBack(host, tenant);
  }
  Result<void> CheckFrozen(move::MoveHost& host, const TenantName& tenant) override {
    return engine_.CheckFrozen(host, tenant);
  }

  FakeServers servers;
  FakeInstances instances{servers};

 private:
  slacker::Engine engine_{instances};
};

}  // namespace tradewind::slacker
