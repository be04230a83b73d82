#include "mariadb/freeze.h"

#include <fmt/format.h>

#include <string>

#include "base/limits.h"
#include "runtime/fiber.h"

namespace tradewind::mariadb {
namespace {

// What a server says of who does not get a lock at once.
constexpr std::string_view kLockWaitCode = "MYSQL_1205";

}  // namespace

Result<void> Freeze::MakeReady(runtime::TimePoint deadline) {
  for (KeptConnection* const connection : {&control_, &stage_})
    TW_TRY(connection->Query("SET SESSION lock_wait_timeout = 0", deadline));
  return {};
}

Result<void> Freeze::Begin(runtime::TimePoint deadline) {
  // The server answers at once. One that does not is waited for: what it was asked for may still happen.
  const runtime::TimePoint answer = deadline + limits::kInstanceAnswer;
  TW_TRY(MakeReady(answer));
  while (true) {
    const Result<void> frozen = TryOnce(answer);
    if (frozen) return {};
    const bool blocked = frozen.error().code == kLockWaitCode;
    const bool last = core_.Now() + limits::kFreezeStep >= deadline;
    // Asked only then: it takes a moment, and what is held keeps others waiting.
    const std::string who = blocked && last ? WhoIsInTheWay(answer) : "";
    Thaw(answer);
    TW_TRY(control_.Query("SET GLOBAL read_only = 0", answer));
    if (!blocked) return frozen;
    if (last) return Fail(ErrorKind::kUnavailable, "FREEZE_BLOCKED", who, "end what is in the way");
    runtime::SleepFor(limits::kFreezeStep);
  }
}

Result<void> Freeze::TryOnce(runtime::TimePoint deadline) {
  TW_TRY(control_.Query("SET GLOBAL read_only = 1", deadline));
  TW_TRY(stage_.Query("BACKUP STAGE START", deadline));
  TW_TRY(stage_.Query("BACKUP STAGE BLOCK_COMMIT", deadline));
  return {};
}

std::string Freeze::WhoIsInTheWay(runtime::TimePoint deadline) {
  const auto answer = control_.Query(
      fmt::format(
          "SELECT id, user, LEFT(info, 200) FROM information_schema.processlist WHERE id <> "
          "CONNECTION_ID() AND user NOT IN ('{}', 'system user', 'event_scheduler') AND command = 'Query' "
          "ORDER BY time_ms DESC LIMIT 1",
          kControlUser),
      deadline);
  if (!answer || answer->rows.empty()) return "somebody holds LOCK TABLES, or another lock on tables";
  const auto& row = answer->rows[0];
  return fmt::format("connection {} of {} runs: {}", row.at(0).value_or(""), row.at(1).value_or(""),
                     row.at(2).value_or(""));
}

// It ends with its connection at the latest.
void Freeze::Thaw(runtime::TimePoint deadline) {
  if (stage_.is_open() && !stage_.Query("BACKUP STAGE END", deadline)) stage_.Close();
}

Result<void> Freeze::EndReadOnly(runtime::TimePoint deadline) {
  while (true) {
    TW_TRY_ASSIGN(
        const auto waiting,
        control_.Query("SELECT id FROM information_schema.processlist WHERE state = 'Waiting for backup "
                       "lock'",
                       deadline));
    if (waiting.rows.empty()) break;
    for (const auto& row : waiting.rows)
      static_cast<void>(control_.Query("KILL CONNECTION " + row.at(0).value_or("0"), deadline));
    if (core_.Now() >= deadline)
      return Fail(ErrorKind::kTimeout, "FREEZE_NOT_LEFT", "who waits to commit does not end");
    runtime::SleepFor(limits::kFreezeStep);
  }
  Thaw(deadline);
  return {};
}

}  // namespace tradewind::mariadb
