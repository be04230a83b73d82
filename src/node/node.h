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

#include "base/ids.h"
#include "base/result.h"
#include "cluster/catalog.h"
#include "move/host.h"
#include "net/cluster_secret.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "node/context.h"
#include "node/data_folder.h"
#include "node/directory.h"
#include "node/drain.h"
#include "node/local_tenants.h"
#include "node/metrics.h"
#include "node/moves.h"
#include "node/pacer.h"
#include "node/strangers.h"
#include "pace/sensor.h"
#include "runtime/core.h"

namespace tradewind::cluster {
class EmbeddedCatalog;
}

namespace tradewind::node {

class AdminApi;
class Forwarding;
class Gateway;
class PageLinks;
class StreamService;
class TenantMaker;
class Transfers;

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
  void SetTrap(StepTrap trap) { options_.trap = std::move(trap); }
  const NodeOptions& options() const { return options_; }
  const Context& context() const { return *context_; }
  LocalTenants& tenants() { return *tenants_; }
  Moves& moves() { return *moves_; }
  Directory& directory() { return *directory_; }
  Drain& drain() { return *drain_; }
  const Strangers& strangers() const { return *strangers_; }
  net::HttpClient& client() { return client_; }

  TenantMaker& maker() { return *maker_; }

  // -- MoveHost
  runtime::Core& core() override { return core_; }
  cluster::Catalog& catalog() override { return *catalog_; }
  move::Journal& journal() override { return *journal_; }
  const NodeName& self() const override { return options_.name; }
  std::string TenantPath(const TenantName& tenant) const override { return tenants_->PathOf(tenant); }
  Result<std::unique_ptr<move::PageChannel>> OpenChannel(const NodeName& peer,
                                                         runtime::TimePoint deadline) override;
  pace::TokenBucket& paced_bucket() override { return pacer_->bucket(); }
  void Adopt(std::unique_ptr<tenant::Tenant> tenant, Epoch epoch,
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
  cluster::Registration RegistrationOf(bool dry_run) const;
  Result<void> Register();
  Result<void> CheckNoTwin();
  Result<void> CancelForgottenMoves();
  void ResumeDrain();
  Pacer::Hands HandsForPacer();
  Drain::Hands HandsForDrain();
  net::HttpResponse Handle(const net::HttpRequest& request);
  net::HttpResponse HandleKnown(const net::HttpRequest& request);
  // None for a call that a node of this cluster has sent as it came.
  std::optional<Error> WhyNoNodesCall(const net::HttpRequest& request) const;
  net::HttpResponse Metrics() const;
  std::vector<MetricSample> TenantMetrics() const;
  net::HttpResponse HandleInternal(const net::HttpRequest& request);

  runtime::Core& core_;
  NodeOptions options_;
  std::string url_;
  bool stopping_ = false;
  bool serving_ = false;
  std::optional<Error> refused_;  // The catalog does not take this node: nothing is served any more.
  std::optional<DataFolder> folder_;
  net::HttpClient client_;
  pace::Sensor sensor_;
  std::unique_ptr<cluster::Catalog> catalog_;
  cluster::Catalog* embedded_ = nullptr;  // What other nodes ask here; null elsewhere.
  std::optional<Context> context_;
  std::unique_ptr<move::Journal> journal_;
  std::unique_ptr<RemovedFiles> removed_;
  std::unique_ptr<LocalTenants> tenants_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<Moves> moves_;
  std::unique_ptr<TenantMaker> maker_;
  std::unique_ptr<Forwarding> forwarding_;
  std::unique_ptr<Pacer> pacer_;
  std::unique_ptr<PageLinks> links_;
  std::unique_ptr<StreamService> streams_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<Transfers> transfers_;
  std::unique_ptr<Drain> drain_;
  std::unique_ptr<AdminApi> admin_;
  std::optional<Strangers> strangers_;
  std::unique_ptr<net::HttpServer> server_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::node
