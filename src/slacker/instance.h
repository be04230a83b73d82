// What a move asks of an instance, of its copy at the other node, and of the node that has them: real ones
// (local_instance.h, node_instances.h), or those of a test or a simulation.
//
// Everything that suspends has deadlines of its own. Errors of the kinds kIo, kTimeout and kUnavailable may not come again
// at a later try.
//
// One core only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "mariadb/backup.h"
#include "mariadb/restored_copy.h"
#include "move/host.h"
#include "runtime/network.h"
#include "slacker/messages.h"
#include "tenant/hosted_tenant.h"
#include "tenant/tenant_files.h"

namespace tradewind::slacker {

// A snapshot that is being made of an instance in use; mariadb/backup.h has what each means.
class BackupStream {
 public:
  virtual ~BackupStream() = default;  // Requires: End() has returned.
  virtual Result<size_t> Read(MutableBytes into) = 0;
  virtual bool in_final_stages() const = 0;
  virtual std::optional<uint64_t> log_copied_to() const = 0;
  virtual void End() = 0;
};

// By which a replica reaches its primary.
using Dial = std::function<Result<std::unique_ptr<runtime::Connection>>()>;

class Instance {
 public:
  virtual ~Instance() = default;

  // -- What is copied
  virtual Result<std::unique_ptr<BackupStream>> StartBackup() = 0;
  virtual Result<mariadb::RedoLog> ReadRedoLog() = 0;
  virtual uint64_t DataBytes() = 0;  // Roughly. Suspends.

  // -- A primary, and its replica
  virtual Result<Position> WrittenTo() = 0;
  virtual Result<PrimaryLogin> AdmitReplica() = 0;
  virtual Result<void> DismissReplica() = 0;
  // For a replica elsewhere.
  virtual Result<std::unique_ptr<runtime::Connection>> Connect() = 0;

  // -- A replica. `dial` is called until StopFollowing() or ForgetPrimary() returns, whether they succeed or not.
  virtual Result<void> Follow(const PrimaryLogin& login, Dial dial, mariadb::Replication::Was was) = 0;
  // False at the deadline.
  virtual Result<bool> AwaitFollowed(const Position& position, runtime::TimePoint deadline) = 0;
  virtual Result<void> CheckFollows() = 0;
  // Of one that followed as Was::kSnapshot: all that it has is durable, and whatever it commits from now on.
  virtual Result<void> MakeDurable() = 0;
  virtual Result<void> StopFollowing() = 0;
  virtual Result<void> ForgetPrimary() = 0;

  // -- Who takes writes. Its tenant's gate is closed, and opens again after Thaw() was asked for.
  virtual Result<void> MakeReadyToFreeze() = 0;
  // Since when the session of a client has something open that has so for longest: a transaction, or what ties it to its
  // server. And they end, those in which something has been open since then. Neither suspends.
  virtual std::optional<runtime::TimePoint> OldestOpen() const = 0;
  virtual void EndSessionsOpenSince(runtime::TimePoint then) = 0;
  // From its success on nothing is committed, until Thaw(); after an error it is as it was.
  virtual Result<void> Freeze(runtime::TimePoint deadline) = 0;
  // It takes writes as soon as its tenant's gate is open.
  virtual void Thaw() = 0;
  // What was frozen stays read-only, but for a primary that it follows.
  virtual Result<void> EndReadOnly() = 0;

  // -- What it holds, at one moment
  // A snapshot of now, and of what that is. Replaces the one before.
  virtual Result<Position> OpenSnapshot() = 0;
  // A replica that has stopped follows until exactly there, and its snapshot is of that; then it follows on. Suspends for as
  // long as that takes.
  virtual Result<void> OpenSnapshotAt(const Position& position) = 0;
  // Of the snapshot, which is closed.
  virtual Result<TableSums> ReadSums(mariadb::RowPace& pace) = 0;
};

// What a copy was when it was made ready to own: of which list it has everything.
struct ReadyNote {
  uint64_t list = 0;
  Position position;
};

// An instance that is being made of a stream, at the node where it will serve, or that was made so and is not hosted yet.
class Copy {
 public:
  virtual ~Copy() = default;  // Requires: Leave() or Drop() has returned.
  // What there was of it is gone.
  virtual Result<void> Begin() = 0;
  virtual Result<void> Write(Bytes bytes) = 0;
  // All of it was written.
  virtual Result<void> Prepare(mariadb::Allowance& allowance) = 0;
  // It has its name and runs, read-only, where the snapshot was in its source's history.
  virtual Result<std::shared_ptr<Instance>> Start() = 0;
  // One that has its name, after a restart of the node.
  virtual Result<std::shared_ptr<Instance>> Open() = 0;
  virtual Result<bool> Exists() = 0;
  // Durable.
  virtual Result<void> NoteReady(const ReadyNote& note) = 0;
  virtual Result<std::optional<ReadyNote>> ReadReady() = 0;
  virtual Result<void> ForgetReady() = 0;
  // Nothing of it runs or is on the disk.
  virtual Result<void> Drop() = 0;
  // Its server runs on, and is found by Open().
  virtual void Leave() = 0;
  // Its server, which is hosted, follows nobody any more: what the copy kept for that is free. Suspends.
  virtual void EndFollowing() {}
};

// What a node has of instances.
class Instances {
 public:
  virtual ~Instances() = default;
  // As a server says it: copies are for servers of the same. Suspends. The errors of mariadb/programs.h.
  virtual Result<std::string> FindVersion() = 0;
  // Valid as long as the tenant is. Suspends until its server answers.
  virtual Result<std::shared_ptr<Instance>> Of(tenant::HostedTenant& tenant) = 0;
  virtual std::unique_ptr<Copy> CopyOf(move::MoveHost& host, const TenantName& tenant) = 0;
  // The instance of a copy becomes a tenant, which its node serves, and which takes writes if the catalog says that it may.
  // The copy's own Instance is void. Suspends.
  virtual Result<std::unique_ptr<tenant::HostedTenant>> Host(move::MoveHost& host, const TenantName& tenant,
                                                             Copy& copy) = 0;
};

// Those of one core of a node, and what they are while their tenants are closed.
class CoreInstances : public Instances {
 public:
  // What they open is a mariadb::HostedInstance.
  virtual tenant::TenantFiles& files() = 0;
  // Of all tenants that were opened on this core.
  virtual const std::set<TenantName>& names() const = 0;
};

// `data_folder`: of the node. `owns`: as mariadb::HostedInstance::Node has it.
using MakeInstances =
    std::function<std::unique_ptr<CoreInstances>(runtime::Core& core, const std::string& data_folder,
                                                 std::function<Result<bool>(const TenantName&)> owns)>;

}  // namespace tradewind::slacker
