#include "mariadb/replication.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "runtime/random_id.h"

namespace tradewind::mariadb {
namespace {

constexpr std::string_view kAccessDenied = "1045";
// Of a copy that was just made. Its binary log is synced now and then all the same, so that its last sync is a short one.
constexpr int kFollowingThreads = 4;
constexpr int kLazySync = 64;

std::string Account() {
  return fmt::format("'{}'@'127.0.0.1'", kReplicaUser);
}

// CHANGE MASTER takes no other form of a text. A backslash means itself, or not, by the session's sql_mode.
std::string Quoted(const std::string& text) {
  TW_CHECK(text.find_first_of("'\\") == std::string::npos, "a login that has to be quoted otherwise");
  return "'" + text + "'";
}

}  // namespace

Result<GtidPosition> Replication::ReadPosition(const char* variable, runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const std::string text, control_.QueryValue(fmt::format("SELECT @@{}", variable), deadline));
  if (const auto position = GtidPosition::Parse(text)) return *position;
  return Fail(ErrorKind::kCorrupt, "MYSQL_NO_VALUE",
              fmt::format("the server says that {} is {}", variable, text));
}

Result<GtidPosition> Replication::WrittenTo(runtime::TimePoint deadline) {
  // A copy that has logged nothing yet is where it has followed to.
  TW_TRY_ASSIGN(const GtidPosition logged, ReadPosition("gtid_binlog_pos", deadline));
  TW_TRY_ASSIGN(const GtidPosition followed, FollowedTo(deadline));
  return logged.MergedWith(followed);
}

Result<PrimaryLogin> Replication::AdmitReplica(runtime::TimePoint deadline) {
  PrimaryLogin login{std::string(kReplicaUser), runtime::RandomId(core_)};
  TW_TRY(control_.Query("SET SESSION sql_log_bin = 0", deadline));
  TW_TRY(control_.Query(
      fmt::format("CREATE OR REPLACE USER {} IDENTIFIED VIA mysql_native_password USING PASSWORD('{}')",
                  Account(), login.password),
      deadline));
  TW_TRY(control_.Query(fmt::format("GRANT REPLICATION SLAVE ON *.* TO {}", Account()), deadline));
  return login;
}

Result<void> Replication::DismissReplica(runtime::TimePoint deadline) {
  TW_TRY(control_.Query("SET SESSION sql_log_bin = 0", deadline));
  TW_TRY(control_.Query(fmt::format("DROP USER IF EXISTS {}", Account()), deadline));
  return {};
}

Result<void> Replication::BeginAt(const GtidPosition& position, runtime::TimePoint deadline) {
  TW_TRY(control_.Query(fmt::format("SET GLOBAL gtid_slave_pos = '{}'", position.ToString()), deadline));
  return {};
}

Result<void> Replication::SetPrimary(const PrimaryLogin& login, uint16_t port, Was was,
                                     runtime::TimePoint deadline) {
  TW_TRY(StopFollowing(deadline));
  TW_TRY(control_.Query(
      fmt::format("CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = {}, "
                  "MASTER_PASSWORD = {}, MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos{}",
                  port, Quoted(login.user), Quoted(login.password),
                  was == Was::kPrimary ? ", MASTER_DEMOTE_TO_SLAVE = 1" : ""),
      deadline));
  if (was != Was::kSnapshot) return {};
  TW_TRY(control_.Query(fmt::format("SET GLOBAL slave_parallel_threads = {}, GLOBAL sync_binlog = {}, "
                                    "GLOBAL innodb_flush_log_at_trx_commit = 2",
                                    kFollowingThreads, kLazySync),
                        deadline));
  return {};
}

Result<void> Replication::MakeDurable(runtime::TimePoint deadline) {
  TW_TRY(control_.Query("SET GLOBAL innodb_flush_log_at_trx_commit = 1, GLOBAL sync_binlog = 1", deadline));
  TW_TRY(control_.Query("FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS, BINARY LOGS", deadline));
  return {};
}

Result<void> Replication::FollowUntil(const GtidPosition& position, runtime::TimePoint deadline) {
  TW_TRY(StopFollowing(deadline));
  TW_TRY_ASSIGN(const GtidPosition followed, FollowedTo(deadline));
  if (followed == position) return {};
  if (followed.Covers(position))
    return Fail(
        ErrorKind::kRefused, "REPLICA_AHEAD",
        fmt::format("the replica is at {}, which comes after {}", followed.ToString(), position.ToString()));
  TW_TRY(
      control_.Query(fmt::format("START SLAVE UNTIL MASTER_GTID_POS = '{}'", position.ToString()), deadline));
  TW_TRY_ASSIGN(const bool there, AwaitFollowed(position, deadline));
  if (!there) {
    TW_TRY(CheckFollows(deadline));
    return Fail(ErrorKind::kTimeout, "REPLICA_BEHIND", "the replica has not followed in time");
  }
  return StopFollowing(deadline);
}

Result<void> Replication::FollowOn(runtime::TimePoint deadline) {
  TW_TRY(control_.Query("START SLAVE", deadline));
  return {};
}

Result<void> Replication::StopFollowing(runtime::TimePoint deadline) {
  // Whether it runs or not; of one that is no replica it is a warning.
  TW_TRY(control_.Query("STOP SLAVE", deadline));
  return {};
}

Result<void> Replication::ForgetPrimary(runtime::TimePoint deadline) {
  TW_TRY(StopFollowing(deadline));
  TW_TRY(control_.Query("RESET SLAVE ALL", deadline));
  return {};
}

Result<GtidPosition> Replication::FollowedTo(runtime::TimePoint deadline) {
  return ReadPosition("gtid_slave_pos", deadline);
}

Result<bool> Replication::AwaitFollowed(const GtidPosition& position, runtime::TimePoint deadline) {
  if (position.empty()) return true;
  const std::chrono::duration<double> left = std::max<runtime::Duration>(deadline - core_.Now(), {});
  // The server's own deadline comes first: its answer leaves the connection as it was.
  const auto reached = waits_.QueryValue(
      fmt::format("SELECT MASTER_GTID_WAIT('{}', {:.6f})", position.ToString(), left.count()),
      deadline + limits::kInstanceAnswer);
  if (!reached) return Fail(reached.error());
  return *reached == "0";
}

Result<void> Replication::CheckFollows(runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const auto answer, control_.Query("SHOW SLAVE STATUS", deadline));
  const auto value = [&](std::string_view column) -> std::string {
    const auto found = std::find(answer.columns.begin(), answer.columns.end(), column);
    if (answer.rows.empty() || found == answer.columns.end()) return {};
    return answer.rows[0].at(static_cast<size_t>(found - answer.columns.begin())).value_or("");
  };
  // While it connects anew, or for the first time, it is "Connecting", or "Preparing". One that is not let in tries on.
  const bool refused = value("Last_IO_Errno") == kAccessDenied;
  if (value("Slave_SQL_Running") == "Yes" && value("Slave_IO_Running") != "No" && !refused) return {};
  std::string why = value("Last_SQL_Error");
  if (why.empty()) why = value("Last_IO_Error");
  if (why.empty()) why = answer.rows.empty() ? "it was never told whom to follow" : "it was stopped";
  return Fail(ErrorKind::kUnavailable, "REPLICATION_BROKEN",
              fmt::format("the replica in {} does not follow: {}", instance_.folder().path(), why));
}

}  // namespace tradewind::mariadb
