// Ends statements of a server's clients that run longer than their tenant may have them run (tenant/quotas.h).
//
// The server is asked now and then what runs there, whoever it is of: a client can set its own max_statement_time, but
// not this. A statement ends with error 1317, within a quarter of the limit after it, or limits::kInstanceLook; its session goes
// on.
//
// This core's fibers only.
#pragma once

#include <chrono>
#include <functional>

#include "base/ids.h"
#include "mariadb/server.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::mariadb {

class StatementWatch {
 public:
  // `server`: the one that answers; null: none does. Must not suspend.
  StatementWatch(runtime::Core& core, TenantName tenant, std::function<Server*()> server)
      : core_(core), tenant_(std::move(tenant)), server_(std::move(server)), fibers_(core) {}

  // From now on; zero: there is no limit. Does not suspend.
  void SetLimit(std::chrono::milliseconds limit);
  // Suspends.
  void Stop();

 private:
  void Run();
  void Look();

  runtime::Core& core_;
  const TenantName tenant_;
  const std::function<Server*()> server_;
  std::chrono::milliseconds limit_{0};
  bool runs_ = false;
  bool stopping_ = false;
  runtime::WaitQueue changed_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::mariadb
