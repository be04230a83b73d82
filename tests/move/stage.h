// Where a test of several processes plays: a cluster of real nodes, the admin API, and a bank with its
// clients.
#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/admin_client.h"
#include "cli/local_cluster.h"
#include "load/bank.h"
#include "runtime/real_core.h"

namespace tradewind::tests {

class Stage {
 public:
  Stage(runtime::RealCore& core, net::HttpClient& http) : core_(core), http_(http) {}

  // Nodes n1, n2, ... of two cores; n1 hosts the catalog. Suspends, as do the others.
  Result<void> StartNodes(int nodes);
  // Starts the node anew so that it kills itself at the named step of a move (move/step.h).
  Result<void> Arm(const std::string& node, const std::string& step);
  // The tenant of `bank` on the second core of `owner`, filled, its clients at work; they use all nodes if the options name
  // none. With a page size the tenant is imported from an empty file that has it.
  Result<void> OpenBank(load::BankOptions bank, const std::string& owner,
                        std::optional<uint32_t> page_size = std::nullopt);
  // Two nodes and a bank.
  Result<void> Open(load::BankOptions bank, const std::string& owner);
  // Ends the clients; after a failure it shows what the nodes have logged.
  void Close();

  // The id of a new move; a rate of 0 is no limit.
  Result<std::string> StartMove(const std::string& to, uint64_t rate_bytes_per_s = 0);
  // The receipt once `holds` does; an error with the last receipt when that does not come, or the move was
  // cancelled.
  Result<boost::json::value> AwaitMove(const std::string& id,
                                       const std::function<bool(const boost::json::value&)>& holds);
  // The newest move of the tenant, as the catalog has it; an error when there is none. For when the answer to
  // StartMove was lost.
  Result<std::string> NewestMove();
  // The receipt as one node has it now.
  Result<boost::json::value> Receipt(const std::string& node, const std::string& id);
  // What the node `name` says of the tenant.
  Result<boost::json::value> TenantSeenBy(const std::string& name);
  // A read of the bank's ledger through one node.
  Result<void> ReadThrough(const std::string& node);
  // Polls until `holds` or the deadline of every wait here has passed (false).
  bool Eventually(const std::function<bool()>& holds);
  // Whether the process of the node has ended by itself.
  bool HasDied(const std::string& node);
  // Whether a node has the file of the tenant on its disk.
  bool HasFile(const std::string& node) const;

  runtime::TimePoint deadline() const;
  runtime::RealCore& core() { return core_; }
  net::HttpClient& http() { return http_; }
  load::Bank& bank() { return *bank_; }
  cli::LocalCluster& cluster() { return *cluster_; }

 private:
  Result<cli::AdminClient> Admin(const std::string& node);

  runtime::RealCore& core_;
  net::HttpClient& http_;
  std::unique_ptr<cli::LocalCluster> cluster_;
  std::vector<std::string> names_;  // Of the nodes.
  std::unique_ptr<load::Bank> bank_;
};

// Runs a test in a fiber of a core of its own, and cleans up whatever the test's outcome.
void Play(const std::function<void(Stage&)>& test);

// Of the pages of a move, how many have arrived.
double ShareArrived(const boost::json::value& receipt);
bool IsPastHandOver(const boost::json::value& receipt);
bool IsDoneAndVerified(const boost::json::value& receipt);

}  // namespace tradewind::tests
