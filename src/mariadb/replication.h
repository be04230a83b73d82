// An instance as a replica of another, and as a primary of one: by GTIDs, over connections that somebody else brings to the
// primary (127.0.0.1 and a port of this machine).
//
// What an instance writes as a replica it logs as its own (log_slave_updates), with the same GTIDs: so either can follow the
// other, from where it is, whichever took writes last. Two histories of one domain are refused by both (gtid_strict_mode).
//
// A copy that was just made follows with several threads, and without a sync for each transaction, since it is of no worth yet
// and would otherwise fall behind a primary whose commits share theirs. MakeDurable() ends that: what it has followed is on the
// disk when it returns, and so is from then on whatever it commits. The binary log is synced too: a server whose log is behind
// its tables would give numbers a second time. Settings of the server's memory: one that is started again has its own.
//
// A replica follows only while it was told to, and not after a restart of its server (--skip-slave-start). Each call
// suspends, and fails with what KeptConnection does.
//
// One core only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "mariadb/gtid_position.h"
#include "mariadb/instance.h"
#include "mariadb/kept_connection.h"
#include "runtime/core.h"

namespace tradewind::mariadb {

inline constexpr std::string_view kReplicaUser = "tradewind_replica";

// Both of letters, digits and underlines.
struct PrimaryLogin {
  std::string user;
  std::string password;
};

class Replication {
 public:
  Replication(runtime::Core& core, Instance& instance)
      : core_(core), instance_(instance), control_(core, instance), waits_(core, instance) {}

  // -- As a primary
  // The last of what was committed here, or applied.
  Result<GtidPosition> WrittenTo(runtime::TimePoint deadline);
  // Makes the account by which one replica logs in, with a fresh password; it is this copy's alone (not in the binary log).
  Result<PrimaryLogin> AdmitReplica(runtime::TimePoint deadline);
  Result<void> DismissReplica(runtime::TimePoint deadline);

  // -- As a replica
  // A copy that was just made begins there.
  Result<void> BeginAt(const GtidPosition& position, runtime::TimePoint deadline);
  // It follows nobody yet, and is told whom it will, from where it is. kPrimary: its own writes come before what it follows.
  // kSnapshot: it was just made.
  enum class Was { kSnapshot, kReplica, kPrimary };
  Result<void> SetPrimary(const PrimaryLogin& login, uint16_t port, Was was, runtime::TimePoint deadline);
  // Until it has exactly that, and stops there. Requires: it was told whom to follow, as for FollowOn().
  Result<void> FollowUntil(const GtidPosition& position, runtime::TimePoint deadline);
  Result<void> FollowOn(runtime::TimePoint deadline);
  Result<void> StopFollowing(runtime::TimePoint deadline);
  Result<void> MakeDurable(runtime::TimePoint deadline);
  // Follows nobody, and forgets whom it followed.
  Result<void> ForgetPrimary(runtime::TimePoint deadline);
  Result<GtidPosition> FollowedTo(runtime::TimePoint deadline);
  // Whether it has followed to there, by the deadline.
  Result<bool> AwaitFollowed(const GtidPosition& position, runtime::TimePoint deadline);
  // Why it does not follow; nothing while it does, or tries to. REPLICATION_BROKEN (kUnavailable).
  Result<void> CheckFollows(runtime::TimePoint deadline);

 private:
  Result<GtidPosition> ReadPosition(const char* variable, runtime::TimePoint deadline);

  runtime::Core& core_;
  Instance& instance_;
  KeptConnection control_;
  KeptConnection waits_;  // For AwaitFollowed(), beside which others go on.
};

}  // namespace tradewind::mariadb
