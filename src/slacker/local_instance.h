// The instances of this machine, as a move asks for them: mariadbd, mariadb-backup and mbstream (mariadb/).
//
// A replica's server connects to a port of loopback that this listens on while it follows; whoever else of this machine
// connects there reaches the other node's server, which lets nobody in without a password. The port is held until the server
// has been told to follow nobody: somebody else who got it would be shown the replica's login.
//
// One core only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "mariadb/checksums.h"
#include "mariadb/freeze.h"
#include "mariadb/instance.h"
#include "mariadb/programs.h"
#include "mariadb/replication.h"
#include "runtime/fiber.h"
#include "slacker/instance.h"

namespace tradewind::slacker {

class LocalInstance final : public Instance {
 public:
  // What its node does for it. Nothing, for a copy that nobody uses.
  struct Node {
    // Before a freeze; from its success on nobody else makes the server writable until its tenant's gate opens
    // (HostedInstance::AwaitSettled). Suspends.
    std::function<Result<void>(runtime::TimePoint)> settle = [](runtime::TimePoint) {
      return Result<void>();
    };
    // As Instance has them.
    std::function<std::optional<runtime::TimePoint>()> oldest_open = [] { return std::nullopt; };
    std::function<void(runtime::TimePoint)> end_open_since = [](runtime::TimePoint) {};
  };
  // `server` outlives it.
  LocalInstance(runtime::Core& core, const mariadb::BackupPrograms& programs, mariadb::Instance& server,
                Node node);
  ~LocalInstance()
      override;  // Requires: StopFollowing(), ForgetPrimary() or StopListening() has returned, if it followed.

  Result<std::unique_ptr<BackupStream>> StartBackup() override;
  Result<mariadb::RedoLog> ReadRedoLog() override;
  uint64_t DataBytes() override;
  Result<Position> WrittenTo() override { return replication_.WrittenTo(soon()); }
  Result<PrimaryLogin> AdmitReplica() override { return replication_.AdmitReplica(soon()); }
  Result<void> DismissReplica() override { return replication_.DismissReplica(soon()); }
  Result<std::unique_ptr<runtime::Connection>> Connect() override;
  Result<void> Follow(const PrimaryLogin& login, Dial dial, mariadb::Replication::Was was) override;
  Result<bool> AwaitFollowed(const Position& position, runtime::TimePoint deadline) override;
  Result<void> CheckFollows() override { return replication_.CheckFollows(soon()); }
  Result<void> MakeDurable() override;
  Result<void> StopFollowing() override;
  Result<void> ForgetPrimary() override;
  Result<void> MakeReadyToFreeze() override { return freeze_.MakeReady(soon()); }
  std::optional<runtime::TimePoint> OldestOpen() const override { return node_.oldest_open(); }
  void EndSessionsOpenSince(runtime::TimePoint then) override { node_.end_open_since(then); }
  Result<void> Freeze(runtime::TimePoint deadline) override;
  void Thaw() override { freeze_.Thaw(soon()); }
  Result<void> EndReadOnly() override { return freeze_.EndReadOnly(soon()); }
  Result<Position> OpenSnapshot() override;
  Result<void> OpenSnapshotAt(const Position& position) override;
  Result<TableSums> ReadSums(mariadb::RowPace& pace) override { return checksums_.Read(pace); }

  // It goes on being a replica, which reaches nobody, and holds its port. The server is not asked. Suspends.
  void CutOff();
  // Requires: the server follows nobody, or CutOff() was called, and it will not. Suspends.
  void StopListening();
  // A copy begins there.
  Result<void> BeginAt(const Position& position) { return replication_.BeginAt(position, soon()); }

 private:
  runtime::TimePoint soon() const;
  Result<void> SetPrimary();

  runtime::Core& core_;
  const mariadb::BackupPrograms programs_;
  mariadb::Instance& server_;
  const Node node_;
  mariadb::KeptConnection control_;
  mariadb::Replication replication_;
  mariadb::Freeze freeze_;
  mariadb::Checksums checksums_;
  PrimaryLogin login_;
  Dial dial_;
  mariadb::Replication::Was was_ = mariadb::Replication::Was::kReplica;
  std::unique_ptr<runtime::Listener> listener_;
  bool cut_off_ = false;
  std::set<runtime::Connection*> relayed_;
  runtime::TaskGroup relays_;
  runtime::TaskGroup fibers_;
};

class LocalCopy final : public Copy {
 public:
  struct Programs {
    mariadb::ServerPrograms server;
    mariadb::BackupPrograms backup;
  };
  // `options.folder`: where the instance will be. `find_programs` suspends.
  LocalCopy(runtime::Core& core, std::function<Result<Programs>()> find_programs,
            mariadb::InstanceOptions options);
  ~LocalCopy() override;

  Result<void> Begin() override;
  Result<void> Write(Bytes bytes) override;
  Result<void> Prepare(mariadb::Allowance& allowance) override;
  Result<std::shared_ptr<Instance>> Start() override;
  Result<std::shared_ptr<Instance>> Open() override;
  Result<bool> Exists() override;
  Result<void> NoteReady(const ReadyNote& note) override;
  Result<std::optional<ReadyNote>> ReadReady() override;
  Result<void> ForgetReady() override { return folder_.RemoveNote(); }
  Result<void> Drop() override;
  void Leave() override;
  void EndFollowing() override;
  // Its server, which runs: whoever takes it serves it, or ends it. It reaches no primary any more, and its port is held
  // until EndFollowing(). Null: none runs. Suspends.
  std::unique_ptr<mariadb::Instance> TakeServer();

 private:
  Result<std::shared_ptr<Instance>> OpenServer(mariadb::InstanceOptions options);
  // What is left to end is the server, if one runs.
  std::unique_ptr<mariadb::Instance> LetGo();
  void EndWhateverRuns();

  runtime::Core& core_;
  const std::function<Result<Programs>()> find_programs_;
  const mariadb::InstanceOptions options_;
  mariadb::InstanceFolder folder_;
  std::string data_;  // Of what is being made.
  std::unique_ptr<mariadb::Unpacking> unpacking_;
  uint64_t unwritten_ = 0;  // Bytes since the disk was told to begin.
  Position position_;
  std::unique_ptr<mariadb::Instance> server_;
  std::shared_ptr<LocalInstance> instance_;
  std::shared_ptr<LocalInstance> cut_off_;  // Of a server that was taken.
};

}  // namespace tradewind::slacker
