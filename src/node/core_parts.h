// What a node has on each of its cores: the tenants that are pinned there, what runs their statements and moves them,
// and the clients whose connections were dealt to it. What a node has once is in node.h.
//
// This core only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/gateway.h"
#include "gateway/mysql_owners.h"
#include "gateway/mysql_port.h"
#include "gateway/mysql_service.h"
#include "gateway/node_tenants.h"
#include "gateway/stream_service.h"
#include "move/host.h"
#include "move/moves.h"
#include "move/peer_links.h"
#include "net/http_client.h"
#include "net/metrics.h"
#include "node/node_options.h"
#include "node/reception.h"
#include "pace/portioned_bucket.h"
#include "pace/sensor.h"
#include "pace/throttle.h"
#include "pace/token_bucket.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "slacker/engine.h"
#include "slacker/instance.h"
#include "tenant/local_tenants.h"
#include "tenant/name_claims.h"
#include "tenant/removed_files.h"
#include "tenant/tenant_cores.h"
#include "zephyr/engine.h"

namespace tradewind::node {

class CoreParts final : public move::MoveHost {
 public:
  // What its node has once and the parts of a core use. All of it outlives them.
  struct Once {
    catalog::Catalog& catalog;  // May be called on this core.
    move::Journal& journal;
    pace::TokenBucket& bucket;  // Core 0's.
    gateway::NodeTenants& tenants;
    gateway::GatewayId gateway;                                 // Of all gateways of the node.
    const std::vector<gateway::MysqlService*>& mysql_services;  // By core.
    std::function<void(move::Step)> reached;                    // Must not suspend.
    std::function<void()> wake_pacer;                           // On core 0 only; must not suspend.
  };

  // What can be there before the node has its catalog. All of it outlives it.
  CoreParts(runtime::Core& core, const NodeOptions& options, tenant::RemovedFiles& removed,
            tenant::NameClaims& claims, tenant::TenantCores& table);
  ~CoreParts() override;  // Requires: it was ended, or Connect() was never called.
  // The rest; once. Nothing of it is reached before AddRoutes(). Does not suspend.
  void Connect(Once once);
  gateway::CoreTenants OfTenants();
  // Adds what is asked on this core: by clients, and by other nodes for the node's tenants.
  void AddRoutes();
  std::vector<net::MetricSample> Metrics();

  NodeState& state() { return state_; }
  Reception& reception() { return reception_; }
  net::HttpClient& client() { return client_; }
  pace::Sensor& sensor() { return sensor_; }
  tenant::LocalTenants& tenants() { return tenants_; }
  // Requires, as all below: Connect() was called.
  const catalog::Member& member() const { return *member_; }
  catalog::Directory& directory() { return *directory_; }
  move::Moves& moves() { return *moves_; }
  move::PeerLinks& links() { return *links_; }
  gateway::Gateway& gateway() { return *gateway_; }
  gateway::MysqlService& mysql() { return *mysql_; }
  gateway::MysqlOwners& mysql_owners() { return *mysql_owners_; }
  gateway::MysqlSessions& mysql_sessions() { return *mysql_sessions_; }

  // No move is sent from this core: it gives back what it has drawn of the node's bucket. Suspends.
  void SettleThrottle();

  // -- The end, step by step; no step is taken before the one above it is done on every core. Each is right whatever
  // is there.
  // Sessions of MySQL's clients end between two requests, at most until the deadline. Suspends.
  void DrainSessions(runtime::TimePoint deadline);
  // From here on nothing waits for another node, nor for a client. Does not suspend.
  void StopWaits();
  // Nothing runs for clients any more, and no other node is called. Suspends.
  void EndStreams();
  // No move goes on; the journal says how to resume them. Suspends.
  void EndMoves();
  // No connection is left. Suspends.
  void EndConnections();

  // -- MoveHost
  runtime::Core& core() override { return core_; }
  catalog::Catalog& catalog() override { return once_->catalog; }
  move::Journal& journal() override { return once_->journal; }
  const NodeName& self() const override { return options_.name; }
  std::string TenantPath(const TenantName& tenant) const override { return tenants_.PathOf(tenant); }
  Result<std::unique_ptr<move::MoveChannel>> OpenChannel(const NodeName& peer, const TenantName& tenant,
                                                         runtime::TimePoint deadline) override;
  pace::Throttle& paced_throttle() override;
  move::Engine* FindEngine(std::string_view name) override;
  move::Engine& EngineOf(const TenantName& tenant) override;
  void Adopt(std::unique_ptr<tenant::HostedTenant> tenant, Epoch epoch,
             std::function<void()> first_answer) override;
  bool IsMovingElsewhere(const TenantName& tenant) override;
  void Reached(move::Step step) override { once_->reached(step); }
  bool stopping() const override { return state_.stopping; }

 private:
  void WakePacer();
  // What the catalog has of a tenant that has come here. Suspends until the catalog has answered.
  void LearnQuotas(const TenantName& tenant);
  std::unique_ptr<slacker::CoreInstances> MakeInstances();
  tenant::LocalTenants::Options TenantBounds(tenant::TenantCores& table);
  Result<bool> Owns(const TenantName& tenant);

  runtime::Core& core_;
  const NodeOptions& options_;
  tenant::NameClaims& claims_;
  NodeState state_;
  net::HttpClient client_;
  pace::Sensor sensor_;
  const std::unique_ptr<slacker::CoreInstances> instances_;
  tenant::LocalTenants tenants_;
  Reception reception_;
  zephyr::Engine zephyr_;
  slacker::Engine slacker_;
  std::optional<Once> once_;
  std::optional<catalog::Member> member_;
  std::unique_ptr<pace::PortionedBucket> portions_;  // On another core than 0.
  std::unique_ptr<catalog::Directory> directory_;
  std::unique_ptr<move::Moves> moves_;
  std::unique_ptr<move::PeerLinks> links_;
  std::unique_ptr<gateway::StreamService> streams_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<gateway::MysqlService> mysql_;
  std::unique_ptr<gateway::MysqlOwners> mysql_owners_;
  std::unique_ptr<gateway::MysqlSessions> mysql_sessions_;
  runtime::TaskGroup wakes_;
};

}  // namespace tradewind::node
