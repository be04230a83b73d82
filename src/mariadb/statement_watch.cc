#include "mariadb/statement_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "mariadb/instance_folder.h"
#include "mariadb/replication.h"

namespace tradewind::mariadb {

void StatementWatch::SetLimit(std::chrono::milliseconds limit) {
  core_.AssertHere();
  limit_ = limit;
  changed_.NotifyAll();
  if (limit_.count() == 0 || runs_ || stopping_) return;
  runs_ = true;
  fibers_.Spawn("statements of " + tenant_, [this] { Run(); });
}

void StatementWatch::Stop() {
  stopping_ = true;
  changed_.NotifyAll();
  fibers_.Join();
}

void StatementWatch::Run() {
  while (!stopping_ && limit_.count() != 0) {
    changed_.WaitUntil(core_.Now() + std::clamp<runtime::Duration>(limit_ / 4, limits::kInstanceLook,
                                                                   limits::kInstanceOwnerWatch));
    if (!stopping_ && limit_.count() != 0) Look();
  }
  runs_ = false;
}

// By the number of the statement, not of its session, which may run another one by the time that it is heard.
void StatementWatch::Look() {
  Server* const server = server_();
  if (!server) return;
  const auto too_long = server->Query(
      fmt::format(
          "SELECT QUERY_ID FROM information_schema.processlist WHERE COMMAND IN ('Query', 'Execute') AND "
          "TIME_MS > {} AND USER NOT IN ('system user', '{}', '{}')",
          limit_.count(), kControlUser, kReplicaUser),
      core_.Now() + limits::kInstanceAnswer);
  if (!too_long) return;  // One that has died has nothing to be ended.
  for (const auto& row : too_long->rows) {
    if (stopping_ || server_() != server) return;
    const auto ended =
        server->Query("KILL QUERY ID " + row.at(0).value_or("0"), core_.Now() + limits::kInstanceAnswer);
    if (ended) log::info("a statement of tenant {} ran longer than its quota and was ended", tenant_);
  }
}

}  // namespace tradewind::mariadb
