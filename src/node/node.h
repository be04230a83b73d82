// A node: one process (or, in a simulation, one of several in a thread) with a name, an address and a data
// folder of its own. It is what `tradewind serve` runs.
//
//   DATA/node            its name and identity: a folder belongs to one node of one cluster (data_folder.h)
//   DATA/journal         what it knows for sure about each tenant (move/journal.h)
//   DATA/catalog.db      the embedded catalog, on the node that was started without --join
//   DATA/drain           how it was asked to drain, when it was
//   DATA/tenants/*.db    the tenants, with -wal and, during a move, -presence beside them
//   DATA/transfers/*     files on their way in or out (import, export)
//
// Here is what a node has once; what it has on each core is in core_parts.h. It uses all cores that core 0 has beside it
// (docs/decisions/0008-cores.md).
//
// Core 0 only.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/admin_api.h"
#include "admin/core_change.h"
#include "admin/tenant_maker.h"
#include "admin/transfers.h"
#include "balance/drain.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "gateway/forwarding.h"
#include "gateway/mysql_port.h"
#include "gateway/node_tenants.h"
#include "move/journal.h"
#include "net/http.h"
#include "node/core_parts.h"
#include "node/data_folder.h"
#include "node/enrolment.h"
#include "node/move_routes.h"
#include "node/node_options.h"
#include "node/paced_moves.h"
#include "node/recovery.h"
#include "pace/end_latency.h"
#include "pace/pacer.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "tenant/name_claims.h"
#include "tenant/removed_files.h"
#include "tenant/tenant_cores.h"

namespace tradewind::catalog {
class EmbeddedCatalog;
}

namespace tradewind::node {

class Node {
 public:
  // Recovers what is on disk, goes on with moves that were under way, and serves. Fails with NAME_INVALID,
  // ADDRESS_IN_USE, CLUSTER_UNREACHABLE, as DataFolder and Catalog::RegisterNode do, with NODE_RUNS_ELSEWHERE
  // (a node of that name answers at the address that it registered last), or as the disk does. Suspends.
  // `core` is core 0.
  static Result<std::unique_ptr<Node>> Start(runtime::Core& core, NodeOptions options);
  ~Node();  // Requires: Stop() has returned.
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Lets requests in progress end, at most until `drain_until`, then ends everything; moves are resumed at
  // the next start. Suspends.
  void Stop(runtime::TimePoint drain_until);

  // What is read again while a node runs: each counts from the next request, connection or call on. Suspends.
  void RenewLocks(const auth::Locks& locks);
  void RenewIdentity(const std::shared_ptr<const net::TlsIdentity>& identity);
  void RenewTrust(const std::shared_ptr<const net::TlsTrust>& trust);

  std::string url() const { return first().reception().url(); }
  // For tests: what happens at each step of a move from now on.
  void SetTrap(StepTrap trap) {
    options_.trap = std::move(trap);
    trap_times_ = options_.trap.times;
  }
  runtime::Core& core() { return core_; }
  // For tests, all of them. Of a core by its number, on which they are to be used.
  CoreParts& parts(size_t number = 0) { return *parts_[number]; }
  gateway::NodeTenants& tenants() { return tenants_; }
  catalog::Catalog& catalog() { return *catalog_; }
  move::Journal& journal() { return *journal_; }
  admin::TenantMaker& maker() { return *maker_; }
  // For tests. Requires: it was given one. The first.
  const runtime::Address& mysql_address() const { return mysql_ports_.front()->local(); }

 private:
  Node(runtime::Core& core, NodeOptions options);
  Result<void> Open();
  Result<void> OpenJournal();
  Result<void> OpenCatalog();
  CoreParts& first() const { return *parts_.front(); }
  // Runs `work` for the parts of each core, there, all at the same time. Suspends.
  void OnEachCore(const std::function<void(CoreParts&)>& work);
  void ConnectCores();
  Result<void> ListenForMysql(const MysqlTenantPort& wanted);
  void Connect();
  void RegisterAndTidy();
  // What tenants may have, of all that the catalog says it of. Suspends until it has answered.
  void LearnQuotas();
  pace::MoveEnds::Callbacks CallbacksForPacer();
  balance::Drain::Callbacks CallbacksForDrain();
  void AddRoutes();
  net::Answer Metrics();
  void Reached(move::Step step);

  runtime::Core& core_;
  NodeOptions options_;
  std::atomic<int> trap_times_;  // Of options_.trap, counted down by all cores.
  std::optional<DataFolder> folder_;
  std::unique_ptr<move::Journal> journal_;
  std::unique_ptr<tenant::RemovedFiles> removed_;
  tenant::NameClaims claims_;
  tenant::TenantCores table_;
  gateway::NodeTenants tenants_;
  std::vector<std::unique_ptr<CoreParts>> parts_;  // By core.
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<catalog::Catalog> called_catalog_;  // The same, for other cores than 0.
  catalog::EmbeddedCatalog* embedded_ = nullptr;      // What other nodes ask here; null elsewhere.
  pace::NodeSensors sensors_;
  PacedMoves paced_moves_;
  std::unique_ptr<pace::Pacer> pacer_;
  std::unique_ptr<gateway::Forwarding> forwarding_;
  std::vector<gateway::MysqlService*> mysql_services_;  // By core.
  std::vector<std::unique_ptr<gateway::MysqlPort>> mysql_ports_;
  std::unique_ptr<admin::TenantMaker> maker_;
  std::optional<admin::CoreChange> core_change_;
  std::unique_ptr<admin::Transfers> transfers_;
  std::unique_ptr<balance::Drain> drain_;
  std::unique_ptr<admin::AdminApi> admin_;
  std::optional<MoveRoutes> move_routes_;
  std::optional<Enrolment> enrolment_;
  std::optional<Recovery> recovery_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::node
