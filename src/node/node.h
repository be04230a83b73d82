// A node: one process (or, in a simulation, one of several in a thread) with a name, an address and a data
// folder of its own. It wires the parts together and is what `tradewind serve` runs.
//
//   DATA/node            its name and identity: a folder belongs to one node of one cluster (data_folder.h)
//   DATA/journal         what it knows for sure about each tenant (move/journal.h)
//   DATA/catalog.db      the embedded catalog, on the node that was started without --join
//   DATA/drain           how it was asked to drain, when it was
//   DATA/tenants/*.db    the tenants, with -wal and, during a move, -presence beside them
//   DATA/transfers/*     files on their way in or out (import, export)
//
// This core only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/admin_api.h"
#include "admin/tenant_maker.h"
#include "admin/transfers.h"
#include "balance/drain.h"
#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/forwarding.h"
#include "gateway/gateway.h"
#include "gateway/strangers.h"
#include "gateway/stream_service.h"
#include "move/host.h"
#include "move/moves.h"
#include "move/peer_links.h"
#include "net/cluster_secret.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/routes.h"
#include "node/data_folder.h"
#include "pace/pacer.h"
#include "pace/sensor.h"
#include "runtime/core.h"
#include "tenant/local_tenants.h"
#include "zephyr/engine.h"

namespace tradewind::catalog {
class EmbeddedCatalog;
}

namespace tradewind::node {

// For tests: something happens at a step of a move (move/step.h) that this node takes part in.
struct StepTrap {
  std::string step;           // Empty: none.
  int times = 1;              // At the first, second, ... time.
  std::function<void()> run;  // Must not suspend.
};

struct NodeOptions {
  NodeName name;
  runtime::Address listen;
  std::string data_folder;
  std::optional<std::string> join_url;       // Of any node of the cluster; none: this node hosts the catalog.
  std::optional<std::string> advertise_url;  // How others reach it; the listening address by default.
  std::optional<size_t> open_tenants;        // At a time, at most; by default limits::kOpenTenants.
  bool replace_node = false;                 // Takes the name over from a data folder that is lost.
  std::vector<std::string> domains;          // Names that lead here too (strangers.h), from ParseDomain().
  std::optional<int64_t> sqlite_version;     // For tests: says that it has another SQLite than it has.
  net::ClusterSecret cluster_secret;         // Without one every node is believed, as in a simulation.
  StepTrap trap;
};

class Node : public move::MoveHost {
 public:
  // Recovers what is on disk, goes on with moves that were under way, and serves. Fails with NAME_INVALID,
  // ADDRESS_IN_USE, CLUSTER_UNREACHABLE, as DataFolder and Catalog::RegisterNode do, with NODE_RUNS_ELSEWHERE
  // (a node of that name answers at the address that it registered last), or as the disk does. Suspends.
  static Result<std::unique_ptr<Node>> Start(runtime::Core& core, NodeOptions options);
  ~Node() override;  // Requires: Stop() has returned.

  // Lets requests in progress end, at most until `drain_until`, then ends everything; moves are resumed at
  // the next start. Suspends.
  void Stop(runtime::TimePoint drain_until);

  std::string url() const { return url_; }
  // For tests: what happens at each step of a move from now on.
  void SetTrap(StepTrap trap) { options_.trap = std::move(trap); }
  const NodeOptions& options() const { return options_; }
  const catalog::Member& member() const { return *member_; }
  tenant::LocalTenants& tenants() { return *tenants_; }
  move::Moves& moves() { return *moves_; }
  catalog::Directory& directory() { return *directory_; }
  balance::Drain& drain() { return *drain_; }
  const gateway::Strangers& strangers() const { return *strangers_; }
  net::HttpClient& client() { return client_; }

  admin::TenantMaker& maker() { return *maker_; }

  // -- MoveHost
  runtime::Core& core() override { return core_; }
  catalog::Catalog& catalog() override { return *catalog_; }
  move::Journal& journal() override { return *journal_; }
  const NodeName& self() const override { return options_.name; }
  std::string TenantPath(const TenantName& tenant) const override { return tenants_->PathOf(tenant); }
  Result<std::unique_ptr<move::MoveChannel>> OpenChannel(const NodeName& peer,
                                                         runtime::TimePoint deadline) override;
  pace::TokenBucket& paced_bucket() override { return pacer_->bucket(); }
  move::Engine* FindEngine(std::string_view name) override;
  // SQLite is the only one so far.
  move::Engine& EngineOf(const TenantName&) override { return zephyr_; }
  void Adopt(std::unique_ptr<tenant::HostedTenant> tenant, Epoch epoch,
             std::function<void()> first_answer) override;
  void Reached(move::Step step) override;
  bool stopping() const override { return stopping_; }

 private:
  Node(runtime::Core& core, NodeOptions options);
  Result<void> Open();
  Result<void> OpenJournal();
  size_t MostOpenTenants() const;
  Result<void> OpenCatalog();
  Result<void> Recover();
  void RegisterAndTidy();
  Result<void> LookForLostTenants();
  catalog::Registration RegistrationOf(bool dry_run) const;
  Result<void> Register();
  Result<void> CheckNoTwin();
  Result<void> CancelForgottenMoves();
  void ResumeDrain();
  pace::Pacer::Callbacks CallbacksForPacer();
  balance::Drain::Callbacks CallbacksForDrain();
  void AddRoutes();
  net::HttpResponse Handle(const net::HttpRequest& request);
  // None for a call that a node of this cluster has sent as it came.
  std::optional<Error> WhyNoNodesCall(const net::HttpRequest& request) const;
  net::Answer Health() const;
  net::Answer Metrics() const;

  runtime::Core& core_;
  NodeOptions options_;
  std::string url_;
  bool stopping_ = false;
  bool serving_ = false;
  std::optional<Error> refused_;  // The catalog does not take this node: nothing is served any more.
  std::optional<DataFolder> folder_;
  net::HttpClient client_;
  pace::Sensor sensor_;
  std::unique_ptr<catalog::Catalog> catalog_;
  catalog::Catalog* embedded_ = nullptr;  // What other nodes ask here; null elsewhere.
  std::optional<catalog::Member> member_;
  std::unique_ptr<move::Journal> journal_;
  std::unique_ptr<tenant::RemovedFiles> removed_;
  std::unique_ptr<tenant::LocalTenants> tenants_;
  std::unique_ptr<catalog::Directory> directory_;
  zephyr::Engine zephyr_;
  std::unique_ptr<move::Moves> moves_;
  std::unique_ptr<admin::TenantMaker> maker_;
  std::unique_ptr<gateway::Forwarding> forwarding_;
  std::unique_ptr<pace::Pacer> pacer_;
  std::unique_ptr<move::PeerLinks> links_;
  std::unique_ptr<gateway::StreamService> streams_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<admin::Transfers> transfers_;
  std::unique_ptr<balance::Drain> drain_;
  std::unique_ptr<admin::AdminApi> admin_;
  std::optional<gateway::Strangers> strangers_;
  net::Routes routes_;
  std::unique_ptr<net::HttpServer> server_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::node
