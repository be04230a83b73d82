// Where a test of several processes plays: a cluster of real nodes, the admin API, and a bank with its
// clients.
#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <string>

#include "cli/admin_client.h"
#include "cli/load/bank.h"
#include "cli/local_cluster.h"
#include "runtime/real_core.h"

namespace tradewind::tests {

class Stage {
 public:
  Stage(runtime::RealCore& core, net::HttpClient& http) : core_(core), http_(http) {}

  // Two nodes, and the tenant of `bank` at `owner`, filled, its clients at work. Suspends, as do the others.
  Result<void> Open(load::BankOptions bank, const std::string& owner);
  // Ends the clients; after a failure it shows what the nodes have logged.
  void Close();

  // The id of a new move.
  Result<std::string> StartMove(const std::string& to, uint64_t rate_bytes_per_s);
  // The receipt once `holds` does; an error with the last receipt when that does not come, or the move was
  // cancelled.
  Result<boost::json::value> AwaitMove(const std::string& id,
                                       const std::function<bool(const boost::json::value&)>& holds);
  // What the node `name` says of the tenant.
  Result<boost::json::value> TenantSeenBy(const std::string& name);
  // A read of the bank's ledger through one node.
  Result<void> ReadThrough(const std::string& node);
  // Polls until `holds` or the deadline of every wait here has passed (false).
  bool Eventually(const std::function<bool()>& holds);
  // Whether a node has the file of the tenant on its disk.
  bool HasFile(const std::string& node) const;

  runtime::TimePoint deadline() const;
  load::Bank& bank() { return *bank_; }
  cli::LocalCluster& cluster() { return *cluster_; }

 private:
  Result<cli::AdminClient> Admin(const std::string& node);

  runtime::RealCore& core_;
  net::HttpClient& http_;
  std::unique_ptr<cli::LocalCluster> cluster_;
  std::unique_ptr<load::Bank> bank_;
};

// Runs a test in a fiber of a core of its own, and cleans up whatever the test's outcome.
void Play(const std::function<void(Stage&)>& test);

bool IsPastHandOver(const boost::json::value& receipt);
bool IsDoneAndVerified(const boost::json::value& receipt);

}  // namespace tradewind::tests
