// The port of a node on which clients speak MySQL's protocol, one for all tenants: it greets each client, finds out whose
// server it wants, and gives it to the core that has the tenant, or to the next one.
//
//   USER@TENANT            the account USER of the tenant
//   a database             TENANT, or TENANT_…: of that tenant
//   else                   USER is the tenant's name, as a new tenant's account is called
//
// Or a port for one tenant alone, whose every client wants that one.
//
// Core 0 only, but for MysqlSessions.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "catalog/member.h"
#include "gateway/mysql_owners.h"
#include "gateway/mysql_session.h"
#include "net/metrics.h"
#include "net/tls.h"
#include "pace/sensor.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "runtime/network.h"

namespace tradewind::gateway {

// Of a node.
inline constexpr uint32_t kMysqlPorts = 64;

// The sessions of a core's clients. That core only.
class MysqlSessions {
 public:
  // All of it outlives it.
  MysqlSessions(runtime::Core& core, MysqlOwners& owners, pace::Sensor& sensor)
      : core_(core), owners_(owners), sensor_(sensor), fibers_(core) {}

  // Goes on with a client that has been greeted; `place` ends with its session. Does not suspend.
  void Begin(std::unique_ptr<runtime::Connection> client, MysqlHello hello, std::shared_ptr<void> place);
  std::vector<net::MetricSample> Metrics() const;
  // Takes no more, and lets each end between two of its requests; returns when all have, or at the deadline. Suspends.
  void Drain(runtime::TimePoint deadline);
  // Ends all. Suspends.
  void Stop();

 private:
  std::optional<uint32_t> FindConnection(uint32_t id, const TenantName& tenant) const;

  runtime::Core& core_;
  MysqlOwners& owners_;
  pace::Sensor& sensor_;
  MysqlCounters counters_;
  std::set<MysqlSession*> sessions_;
  bool stopping_ = false;
  runtime::WaitQueue ended_;
  runtime::TaskGroup fibers_;
};

class MysqlPort {
 public:
  // `sessions`: of all cores, by number, itself included. `number`: of this one among the node's ports, which are
  // kMysqlPorts at most. `tenant`: the only one that it is for; empty: it is for all. All of it outlives it.
  MysqlPort(const catalog::Member& member, MysqlOwners& owners, NodeTenants& tenants,
            std::vector<MysqlSessions*> sessions, uint32_t number = 0, TenantName tenant = {});
  ~MysqlPort();  // Requires: Stop() has returned.

  // Offers clients TLS, with this certificate. With `needed`, who does not take it is turned away.
  void SetIdentity(std::shared_ptr<const net::TlsIdentity> identity, bool needed) {
    identity_ = std::move(identity);
    needs_tls_ = needed;
  }
  void ReplaceIdentity(std::shared_ptr<const net::TlsIdentity> identity) { identity_ = std::move(identity); }
  // Fails with ADDRESS_IN_USE, and as Network::Listen does. Does not suspend.
  Result<void> Listen(const runtime::Address& address);
  // Takes no more clients. Suspends.
  void Stop();

  const runtime::Address& local() const { return local_; }

 private:
  void Accept();
  Result<void> Greet(std::unique_ptr<runtime::Connection> client, std::shared_ptr<void> place);
  Result<void> RefuseUnknown(mysql::PacketChannel& client, std::string_view scramble,
                             const mysql::LoginResponse& response, const std::string& host);
  Result<std::optional<MysqlHello>> FindTenant(const mysql::LoginResponse& response);

  const catalog::Member& member_;
  runtime::Core& core_;
  MysqlOwners& owners_;
  NodeTenants& tenants_;
  const std::vector<MysqlSessions*> sessions_;
  const TenantName tenant_;
  std::shared_ptr<const net::TlsIdentity> identity_;  // Null: no TLS.
  bool needs_tls_ = false;
  std::unique_ptr<runtime::Listener> listener_;
  runtime::Address local_;
  std::set<runtime::Connection*> greeted_;  // Under way.
  std::atomic<size_t> connections_ = 0;     // Counted down by all cores.
  size_t next_core_ = 0;
  uint32_t next_id_;
  bool stopping_ = false;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
