#include "slacker/local_instance.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "mariadb/backup.h"
#include "runtime/process.h"
#include "slacker/tunnel.h"

namespace tradewind::slacker {
namespace {

// Of a copy's server from its start until it is near its source: a third of what somebody else has who wants a processor.
constexpr int kStartNiceness = 5;

class LocalBackup final : public BackupStream {
 public:
  explicit LocalBackup(std::unique_ptr<mariadb::Backup> backup) : backup_(std::move(backup)) {}
  Result<size_t> Read(MutableBytes into) override { return backup_->Read(into); }
  bool in_final_stages() const override { return backup_->in_final_stages(); }
  std::optional<uint64_t> log_copied_to() const override { return backup_->log_copied_to(); }
  void End() override { backup_->End(); }

 private:
  const std::unique_ptr<mariadb::Backup> backup_;
};

}  // namespace

LocalInstance::LocalInstance(runtime::Core& core, const mariadb::BackupPrograms& programs,
                             mariadb::Instance& server, Node node)
    : core_(core),
      programs_(programs),
      server_(server),
      node_(std::move(node)),
      control_(core, server),
      replication_(core, server),
      freeze_(core, server),
      checksums_(core, server),
      relays_(core),
      fibers_(core) {}

LocalInstance::~LocalInstance() {
  TW_CHECK(fibers_.size() == 0, "an instance stops following before it goes");
}

runtime::TimePoint LocalInstance::soon() const {
  return core_.Now() + limits::kInstanceAnswer;
}

Result<std::unique_ptr<BackupStream>> LocalInstance::StartBackup() {
  TW_TRY_ASSIGN(auto backup, mariadb::Backup::Start(core_, programs_, server_));
  return std::unique_ptr<BackupStream>(std::make_unique<LocalBackup>(std::move(backup)));
}

Result<mariadb::RedoLog> LocalInstance::ReadRedoLog() {
  return mariadb::ReadRedoLog(control_, soon());
}

uint64_t LocalInstance::DataBytes() {
  return mariadb::DataBytes(core_, server_.folder());
}

Result<std::unique_ptr<runtime::Connection>> LocalInstance::Connect() {
  return core_.network().Connect(server_.address(), soon());
}

// -- A replica

Result<void> LocalInstance::Follow(const PrimaryLogin& login, Dial dial, mariadb::Replication::Was was) {
  TW_TRY(StopFollowing());
  login_ = login;
  dial_ = std::move(dial);
  was_ = was;
  TW_TRY(SetPrimary());
  return replication_.FollowOn(soon());
}

Result<void> LocalInstance::SetPrimary() {
  TW_TRY_ASSIGN(listener_, core_.network().Listen({"127.0.0.1", 0}));
  cut_off_ = false;
  fibers_.Spawn("replica's listener", [this, listener = listener_.get()] {
    while (true) {
      auto accepted = listener->Accept();
      if (!accepted) return;
      if (cut_off_) continue;  // It is closed, and tries again later.
      const auto from = std::make_shared<std::unique_ptr<runtime::Connection>>(*std::move(accepted));
      relays_.Spawn("replica's connection", [this, from] {
        const auto to = dial_();
        if (!to || cut_off_) return;
        relayed_.insert(from->get());
        Relay(core_, **from, **to);
        relayed_.erase(from->get());
      });
    }
  });
  return replication_.SetPrimary(login_, listener_->local().port, was_, soon());
}

// Nobody dials any more when it returns.
void LocalInstance::CutOff() {
  cut_off_ = true;
  for (runtime::Connection* const connection : relayed_) connection->Close();
  relays_.Join();
}

void LocalInstance::StopListening() {
  if (!listener_) return;
  listener_->Close();
  const auto closed = std::exchange(listener_, nullptr);
  CutOff();
  fibers_.Join();
}

Result<void> LocalInstance::StopFollowing() {
  auto stopped = replication_.StopFollowing(soon());
  StopListening();
  return stopped;
}

Result<void> LocalInstance::ForgetPrimary() {
  auto forgotten = replication_.ForgetPrimary(soon());
  StopListening();
  return forgotten;
}

// What it is behind by it does not make good by standing back.
Result<bool> LocalInstance::AwaitFollowed(const Position& position, runtime::TimePoint deadline) {
  auto followed = replication_.AwaitFollowed(position, deadline);
  if (followed && !*followed) server_.EndStandingBack();
  return followed;
}

// It is about to be the one that serves.
Result<void> LocalInstance::MakeDurable() {
  server_.EndStandingBack();
  return replication_.MakeDurable(soon());
}

// -- Who takes writes

Result<void> LocalInstance::Freeze(runtime::TimePoint deadline) {
  TW_TRY(node_.settle(deadline));
  return freeze_.Begin(deadline);
}

// -- What it holds

// A copy that has logged nothing yet has followed to somewhere.
Result<Position> LocalInstance::OpenSnapshot() {
  TW_TRY_ASSIGN(const Position followed, replication_.FollowedTo(soon()));
  TW_TRY_ASSIGN(const Position logged, checksums_.OpenSnapshot());
  return logged.MergedWith(followed);
}

Result<void> LocalInstance::OpenSnapshotAt(const Position& position) {
  TW_TRY(StopFollowing());
  TW_TRY(SetPrimary());
  TW_TRY(replication_.FollowUntil(position, core_.Now() + limits::kChecksumTable));
  TW_TRY(checksums_.OpenSnapshot());
  return replication_.FollowOn(soon());
}

// -- A copy

LocalCopy::LocalCopy(runtime::Core& core, std::function<Result<Programs>()> find_programs,
                     mariadb::InstanceOptions options)
    : core_(core),
      find_programs_(std::move(find_programs)),
      options_(std::move(options)),
      folder_(core, options_.folder) {}

LocalCopy::~LocalCopy() {
  TW_CHECK(!server_ && !unpacking_ && !cut_off_, "a copy was left or dropped before it goes");
}

std::unique_ptr<mariadb::Instance> LocalCopy::LetGo() {
  EndFollowing();
  if (unpacking_) std::exchange(unpacking_, nullptr)->End();
  if (instance_)
    if (const auto stopped = instance_->StopFollowing(); !stopped)
      log::warn("a copy that is left or dropped: {}", Describe(stopped.error()));
  instance_.reset();
  return std::move(server_);
}

std::unique_ptr<mariadb::Instance> LocalCopy::TakeServer() {
  EndFollowing();
  if (instance_) instance_->CutOff();
  if (server_) server_->EndStandingBack();
  cut_off_ = std::move(instance_);
  return std::move(server_);
}

void LocalCopy::EndFollowing() {
  if (const auto instance = std::exchange(cut_off_, nullptr)) instance->StopListening();
}

void LocalCopy::EndWhateverRuns() {
  // What it holds is of no worth any more.
  if (const auto server = LetGo()) server->Stop(core_.Now());
  // One of before a crash of this node.
  if (const pid_t holder = folder_.LockHolder(); holder != 0)
    if (const auto process = runtime::Process::FindNumber(core_, holder);
        process && folder_.LockHolder() == holder)
      process->Stop(core_.Now());
}

Result<void> LocalCopy::Begin() {
  TW_TRY(Drop());
  TW_TRY_ASSIGN(const Programs programs, find_programs_());
  TW_TRY_ASSIGN(data_, folder_.BeginCopy());
  TW_TRY_ASSIGN(unpacking_, mariadb::Unpacking::Start(core_, programs.backup, data_));
  return {};
}

Result<void> LocalCopy::Write(Bytes bytes) {
  TW_TRY(unpacking_->Write(bytes));
  unwritten_ += bytes.size();
  if (unwritten_ < limits::kCopyWriteBackBytes) return {};
  unwritten_ = 0;
  folder_.WriteBackCopy();
  return {};
}

Result<void> LocalCopy::Prepare(mariadb::Allowance& allowance) {
  TW_TRY(std::exchange(unpacking_, nullptr)->Finish());
  TW_TRY_ASSIGN(const Programs programs, find_programs_());
  TW_TRY(mariadb::PrepareData(core_, programs.backup, data_, options_.buffer_pool_bytes, allowance));
  TW_TRY_ASSIGN(position_, mariadb::ReadBackupPosition(core_, data_));
  return {};
}

Result<std::shared_ptr<Instance>> LocalCopy::Start() {
  TW_TRY(folder_.FinishCopy());
  mariadb::InstanceOptions options = options_;
  if (runtime::CanLowerNiceness()) options.niceness = kStartNiceness;
  TW_TRY(OpenServer(std::move(options)));
  TW_TRY(instance_->BeginAt(position_));
  return std::shared_ptr<Instance>(instance_);
}

Result<std::shared_ptr<Instance>> LocalCopy::Open() {
  return OpenServer(options_);
}

Result<std::shared_ptr<Instance>> LocalCopy::OpenServer(mariadb::InstanceOptions options) {
  TW_TRY_ASSIGN(const Programs programs, find_programs_());
  TW_TRY_ASSIGN(server_, mariadb::Instance::Open(core_, programs.server, std::move(options),
                                                 core_.Now() + limits::kInstanceStart));
  instance_ = std::make_shared<LocalInstance>(core_, programs.backup, *server_, LocalInstance::Node());
  return std::shared_ptr<Instance>(instance_);
}

Result<bool> LocalCopy::Exists() {
  const auto control = folder_.ReadControl();
  if (control) return true;
  if (control.error().kind == ErrorKind::kNotFound) return false;
  return Fail(control.error());
}

// "list 3 position 0-1-100"
Result<void> LocalCopy::NoteReady(const ReadyNote& note) {
  return folder_.WriteNote(fmt::format("list {} position {}\n", note.list, note.position.ToString()));
}

Result<std::optional<ReadyNote>> LocalCopy::ReadReady() {
  const auto text = folder_.ReadNote();
  if (!text) return std::optional<ReadyNote>();
  constexpr std::string_view kList = "list ";
  constexpr std::string_view kPosition = " position ";
  ReadyNote note;
  std::string_view rest = *text;
  bool whole = rest.starts_with(kList) && rest.ends_with('\n');
  if (whole) {
    rest = rest.substr(kList.size(), rest.size() - kList.size() - 1);
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), note.list);
    rest.remove_prefix(static_cast<size_t>(read.ptr - rest.data()));
    whole = read.ec == std::errc() && rest.starts_with(kPosition);
  }
  const auto position = whole ? Position::Parse(rest.substr(kPosition.size())) : std::nullopt;
  if (!position)
    return Fail(ErrorKind::kCorrupt, "INSTANCE_DAMAGED",
                fmt::format("the note of the copy in {} makes no sense", folder_.path()));
  note.position = *position;
  return std::optional(std::move(note));
}

Result<void> LocalCopy::Drop() {
  EndWhateverRuns();
  return folder_.Remove();
}

void LocalCopy::Leave() {
  if (const auto server = LetGo()) server->Leave();
}

}  // namespace tradewind::slacker
