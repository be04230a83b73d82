#include "sqlite/set_aside.h"

#include <sqlite3.h>

#include <bit>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "sqlite/vfs.h"

namespace tradewind::sqlite {

namespace {

// They stay reachable, so that a leak checker counts them as kept.
struct Kept {
  std::mutex mutex;
  std::vector<sqlite3*> connections;
};
Kept& Connections() {
  static Kept& kept = *new Kept;
  return kept;
}

// To reset a statement may finalize others, so each look begins anew; what was reset is not found again.
sqlite3_stmt* RunningStatement(sqlite3* connection) {
  sqlite3_stmt* statement = nullptr;
  while ((statement = sqlite3_next_stmt(connection, statement)) != nullptr)
    if (sqlite3_stmt_busy(statement)) return statement;
  return nullptr;
}

}  // namespace

void ResetRunning(sqlite3* connection) {
  while (sqlite3_stmt* running = RunningStatement(connection)) sqlite3_reset(running);
}

void SetAside(sqlite3* connection) {
  // The callbacks belong to an object that goes away.
  sqlite3_progress_handler(connection, 0, nullptr, nullptr);
  sqlite3_busy_handler(connection, nullptr, nullptr);
  sqlite3_set_authorizer(connection, nullptr, nullptr);
  ResetRunning(connection);
  if (!sqlite3_get_autocommit(connection)) sqlite3_exec(connection, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_db_release_memory(connection);
  DetachFiles(connection);
  Kept& kept = Connections();
  const std::lock_guard lock(kept.mutex);
  kept.connections.push_back(connection);
  // A client can make one with each request, so the log hears of the first, the second, the fourth, ...
  if (std::has_single_bit(kept.connections.size()))
    log::warn(
        "{} connections cannot be closed, since virtual tables of a tenant are each other's content; "
        "they take some 40 KB each until the node is restarted",
        kept.connections.size());
}

size_t ConnectionsSetAside() {
  Kept& kept = Connections();
  const std::lock_guard lock(kept.mutex);
  return kept.connections.size();
}

}  // namespace tradewind::sqlite
