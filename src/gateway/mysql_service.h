// Sessions of MySQL's clients at the servers of this core's tenants: the owner's side of a link. Clients of this core come
// by calls, those of other nodes and cores by connections that leave HTTP (mysql_frames.h).
//
// This core only.
#pragma once

#include <memory>
#include <set>
#include <string_view>

#include "base/result.h"
#include "gateway/mysql_link.h"
#include "move/moves.h"
#include "net/http.h"
#include "pace/sensor.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "tenant/local_tenants.h"

namespace tradewind::gateway {

inline constexpr std::string_view kMysqlAccountPath = "/v1/internal/mysql/account";
inline constexpr std::string_view kMysqlLinkPath = "/v1/internal/mysql/link";
inline constexpr std::string_view kMysqlLinkProtocol = "tradewind-mysql/1";

class MysqlService {
 public:
  // All of it outlives it. `sensor`: of what comes from elsewhere.
  MysqlService(runtime::Core& core, tenant::LocalTenants& tenants, move::Moves& moves, pace::Sensor& sensor);
  ~MysqlService();  // Requires: Stop() has returned.

  // Both fail with TENANT_NOT_HERE and TENANT_MOVED where this core does not have the tenant at that epoch or a later one,
  // with ENGINE_SPEAKS_HRANA (kRefused), with INSTANCE_DOWN (kUnavailable), and as the server's connection does. They
  // suspend, for a server that starts up to limits::kMysqlLogin.
  Result<MysqlAccount> LookUp(const MysqlAccountCall& call);
  // Logs in at the server. The observer outlives the link.
  Result<mysql::OrRefused<MysqlOpened>> Open(const MysqlLinkCall& call, MysqlLinkObserver& observer);

  // The connection of a link from elsewhere. Suspends until it ends.
  void Serve(net::UpgradedConnection upgraded);

  // The tenant has moved away: suspends until its sessions have gone after it, or the deadline passes.
  void AwaitLeft(const TenantName& tenant, runtime::TimePoint deadline);
  // Ends what is served for elsewhere. Suspends.
  void Stop();

 private:
  Result<tenant::LocalTenants::Use> Find(const TenantName& name, Epoch epoch, runtime::TimePoint deadline);

  runtime::Core& core_;
  tenant::LocalTenants& tenants_;
  move::Moves& moves_;
  pace::Sensor& sensor_;
  std::set<runtime::Connection*> served_;
  runtime::WaitQueue ended_;
  bool stopping_ = false;
};

}  // namespace tradewind::gateway
