// Two real nodes for a measurement, and what every measurement does with them: bring a file in, look at a
// tenant, move it. One core only; all calls suspend.
#pragma once

#include <boost/json/value.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/admin_client.h"
#include "cli/local_cluster.h"
#include "runtime/core.h"

namespace tradewind::bench {

class LocalNodes {
 public:
  // n1, which hosts the catalog, and n2; they are the program `tradewind` beside this one, or the
  // one that the environment variable TRADEWIND_BINARY names.
  static Result<LocalNodes> Start(runtime::Core& core, net::HttpClient& http);

  // The admin API of a node.
  Result<cli::AdminClient> Admin(const std::string& node) const;
  // Makes a tenant of the file, as `tradewind tenant import` does.
  Result<void> Import(const std::string& tenant, const std::string& path, const std::string& node) const;
  // Where the database of a tenant lies if the node has it.
  std::string FileOf(const std::string& tenant, const std::string& node) const;
  // Suspends until the node has deleted its copy. Fails with COPY_NOT_DELETED.
  Result<void> AwaitDeleted(const std::string& tenant, const std::string& node) const;
  // Suspends until the move has ended; its last receipt. Fails with MOVE_STUCK.
  Result<boost::json::value> AwaitMove(const std::string& source, const std::string& id) const;

  std::vector<std::string> urls() const { return cluster_->urls(); }
  std::string folder() const { return cluster_->folder(); }
  Result<void> Stop() { return cluster_->Stop(); }

 private:
  LocalNodes(runtime::Core& core, net::HttpClient& http, std::unique_ptr<cli::LocalCluster> cluster)
      : core_(&core), http_(&http), cluster_(std::move(cluster)) {}

  runtime::Core* core_;
  net::HttpClient* http_;
  std::unique_ptr<cli::LocalCluster> cluster_;
};

}  // namespace tradewind::bench
