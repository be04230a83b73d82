#include "sim/instances/sim_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <span>

#include "base/path.h"
#include "sim/instance_log.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view kMaking = ".making";
constexpr std::string_view kReady = ".ready";
constexpr size_t kHeadBytes = 16;

Bytes AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

Result<void> ReplaceFile(runtime::Core& core, const std::string& path, const std::string& made,
                         const std::string& content) {
  TW_TRY(core.disk().Remove(made));
  {
    TW_TRY_ASSIGN(const auto file, core.disk().Open(made, runtime::OpenMode::kCreate));
    TW_TRY(file->Write(0, AsBytes(content)));
    TW_TRY(file->Sync());
  }
  TW_TRY(core.disk().Rename(made, path));
  return core.disk().SyncDirectory(FolderOf(path));
}

class SimBackup final : public slacker::BackupStream {
 public:
  SimBackup(SimCore& core, SimServers& all, SimServer& server)
      : core_(core),
        server_(server),
        starts_(server.starts()),
        head_(fmt::format("{:016}", all.snapshot_bytes)),
        padding_(kHeadBytes + all.snapshot_bytes) {
    if (all.Fails(all.failing_backups)) fails_at_ = all.random.Below(padding_);
  }

  Result<size_t> Read(MutableBytes into) override {
    core_.Pause(100us, 500us);
    TW_TRY(core_.CheckAlive());
    if (ended_ || !server_.answers() || server_.starts() != starts_ || at_ >= fails_at_)
      return Fail(ErrorKind::kUnavailable, "BACKUP_FAILED", "a simulated backup fails");
    // It is of the moment of its last stage.
    if (in_final_stages() && !records_) records_ = server_.Dump();
    size_t count = 0;
    for (; count < into.size() && at_ < padding_; ++count, ++at_)
      into[count] = std::byte(at_ < kHeadBytes ? head_[at_] : '.');
    for (; records_ && count < into.size() && at_ - padding_ < records_->size(); ++count, ++at_)
      into[count] = std::byte((*records_)[at_ - padding_]);
    return count;
  }
  bool in_final_stages() const override { return at_ >= padding_; }
  std::optional<uint64_t> log_copied_to() const override { return std::nullopt; }
  void End() override { ended_ = true; }

 private:
  SimCore& core_;
  SimServer& server_;
  const uint64_t starts_;
  const std::string head_;
  const uint64_t padding_;  // Where the records begin.
  uint64_t fails_at_ = UINT64_MAX;
  std::optional<std::string> records_;
  uint64_t at_ = 0;
  bool ended_ = false;
};

class SimInstance final : public slacker::Instance {
 public:
  SimInstance(SimCore& core, SimServers& all, SimServer& server, SimInstanceNode node)
      : core_(core), all_(all), server_(server), node_(std::move(node)) {}

  Result<std::unique_ptr<slacker::BackupStream>> StartBackup() override {
    core_.Pause(1ms, 20ms);
    return StartSimBackup(core_, all_, server_);
  }
  Result<mariadb::RedoLog> ReadRedoLog() override {
    return mariadb::RedoLog{server_.DataBytes(), 100'000'000};
  }
  uint64_t DataBytes() override { return server_.DataBytes(); }
  Result<slacker::Position> WrittenTo() override { return server_.WrittenTo(); }
  Result<slacker::PrimaryLogin> AdmitReplica() override { return server_.AdmitReplica(); }
  Result<void> DismissReplica() override { return server_.DismissReplica(); }
  Result<std::unique_ptr<runtime::Connection>> Connect() override { return server_.Connect(); }
  Result<void> Follow(const slacker::PrimaryLogin& login, slacker::Dial dial,
                      mariadb::Replication::Was was) override {
    return server_.Follow(login, std::move(dial), was);
  }
  Result<bool> AwaitFollowed(const slacker::Position& position, runtime::TimePoint deadline) override {
    return server_.AwaitFollowed(position, deadline);
  }
  Result<void> CheckFollows() override { return server_.CheckFollows(); }
  Result<void> MakeDurable() override { return server_.MakeDurable(); }
  Result<void> StopFollowing() override { return server_.StopFollowing(); }
  Result<void> ForgetPrimary() override { return server_.ForgetPrimary(); }
  Result<void> MakeReadyToFreeze() override { return {}; }
  std::optional<runtime::TimePoint> OldestOpen() const override { return node_.oldest_open(); }
  void EndSessionsOpenSince(runtime::TimePoint then) override { node_.end_open_since(then); }
  Result<void> Freeze(runtime::TimePoint deadline) override {
    TW_TRY(node_.settle(deadline));
    return server_.Freeze(deadline);
  }
  void Thaw() override {}
  Result<void> EndReadOnly() override { return {}; }
  Result<slacker::Position> OpenSnapshot() override { return server_.OpenSnapshot(); }
  Result<void> OpenSnapshotAt(const slacker::Position& position) override {
    return server_.OpenSnapshotAt(position);
  }
  Result<slacker::TableSums> ReadSums(mariadb::RowPace& pace) override { return server_.ReadSums(pace); }

 private:
  SimCore& core_;
  SimServers& all_;
  SimServer& server_;
  const SimInstanceNode node_;
};

}  // namespace

Result<void> WriteInstance(runtime::Core& core, const std::string& path, const std::string& records) {
  return ReplaceFile(core, path, path + std::string(kMaking), records);
}

Result<void> RemoveInstance(runtime::Core& core, const std::string& path) {
  for (const std::string& gone : {path + std::string(kReady), path, path + std::string(kMaking)})
    TW_TRY(core.disk().Remove(gone));
  return core.disk().SyncDirectory(FolderOf(path));
}

std::unique_ptr<slacker::BackupStream> StartSimBackup(SimCore& core, SimServers& all, SimServer& server) {
  return std::make_unique<SimBackup>(core, all, server);
}

std::shared_ptr<slacker::Instance> InstanceOf(SimCore& core, SimServers& all, SimServer& server,
                                              SimInstanceNode node) {
  return std::make_shared<SimInstance>(core, all, server, std::move(node));
}

void SimCopy::Stop() {
  instance_.reset();
  if (server_) server_->Stop(core_.Now());
  server_.reset();
}

std::unique_ptr<SimServer> SimCopy::TakeServer() {
  instance_.reset();
  // Whom it would dial by may go.
  if (server_) static_cast<void>(server_->ForgetPrimary());
  return std::move(server_);
}

Result<void> SimCopy::Begin() {
  TW_TRY(Drop());
  stream_.clear();
  TW_TRY(core_.disk().Open(path_ + std::string(kMaking), runtime::OpenMode::kCreate));
  return {};
}

Result<void> SimCopy::Write(Bytes bytes) {
  stream_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  core_.Pause(10us, 100us);
  return core_.CheckAlive();
}

Result<void> SimCopy::Prepare(mariadb::Allowance& allowance) {
  const bool fails = all_.Fails(all_.failing_preparations);
  uint64_t used = 0;
  while (used < all_.preparation_bytes) {
    TW_TRY(core_.CheckAlive());
    if (allowance.given_up()) return Fail(ErrorKind::kUnavailable, "PREPARE_GIVEN_UP", "nobody wants it");
    if (used <= allowance.allowed()) used += 50'000;
    allowance.NoteUsed(used);
    core_.Pause(100us, 2ms);
  }
  if (fails) return Fail(ErrorKind::kIo, "PREPARE_FAILED", "a simulated preparation fails");
  return {};
}

Result<std::shared_ptr<slacker::Instance>> SimCopy::Start() {
  uint64_t padding = 0;
  std::from_chars(stream_.data(), stream_.data() + std::min(stream_.size(), kHeadBytes), padding);
  if (stream_.size() < kHeadBytes + padding)
    return Fail(ErrorKind::kCorrupt, "SNAPSHOT_TORN", "what came is no snapshot");
  TW_TRY(WriteInstance(core_, path_, stream_.substr(kHeadBytes + padding)));
  stream_.clear();
  return Open();
}

Result<std::shared_ptr<slacker::Instance>> SimCopy::Open() {
  TW_TRY_ASSIGN(server_, SimServer::Open(core_, all_, {tenant_, path_}));
  instance_ = InstanceOf(core_, all_, *server_, {});
  return instance_;
}

// "list 3 position 0-1-100"
Result<void> SimCopy::NoteReady(const slacker::ReadyNote& note) {
  return ReplaceFile(core_, path_ + std::string(kReady), path_ + std::string(kReady) + std::string(kMaking),
                     fmt::format("{} {}", note.list, note.position.ToString()));
}

Result<std::optional<slacker::ReadyNote>> SimCopy::ReadReady() {
  const auto file = core_.disk().Open(path_ + std::string(kReady), runtime::OpenMode::kExisting);
  if (!file && file.error().kind == ErrorKind::kNotFound) return std::optional<slacker::ReadyNote>();
  if (!file) return Fail(file.error());
  std::string text((*file)->Size().value_or(0), '\0');
  TW_TRY((*file)->Read(0, std::as_writable_bytes(std::span(text))));
  slacker::ReadyNote note;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), note.list);
  const auto at = static_cast<size_t>(read.ptr - text.data()) + 1;
  const auto position =
      mariadb::GtidPosition::Parse(std::string_view(text).substr(std::min(at, text.size())));
  if (read.ec != std::errc() || !position)
    return Fail(ErrorKind::kCorrupt, "INSTANCE_DAMAGED", "the note of a simulated copy makes no sense");
  note.position = *position;
  return std::optional(std::move(note));
}

Result<void> SimCopy::ForgetReady() {
  TW_TRY(core_.disk().Remove(path_ + std::string(kReady)));
  return core_.disk().SyncDirectory(FolderOf(path_));
}

Result<void> SimCopy::Drop() {
  Stop();
  return RemoveInstance(core_, path_);
}

}  // namespace tradewind::sim
