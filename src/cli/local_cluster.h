// A cluster of nodes in processes of their own on this machine, with its data in a temporary folder, for the
// demo and tests.
//
// One core only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/serve_process.h"
#include "runtime/core.h"
#include "runtime/network.h"

namespace tradewind::cli {

class LocalCluster {
 public:
  struct Each {
    size_t cores = 1;
    bool mysql = false;                  // It speaks MySQL's protocol too, at mysql().
    std::string listen = "127.0.0.1:0";  // With port 0: a free one for each.
  };
  // Starts nodes n1, n2, ... of `program` on free ports; n1 hosts the catalog. Fails as ServeProcess::Start does.
  // Suspends.
  static Result<std::unique_ptr<LocalCluster>> Start(runtime::Core& core, const std::string& program,
                                                     int nodes, Each each = {1, false, "127.0.0.1:0"});
  // Kills what still runs and removes the folder.
  ~LocalCluster();
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  // Requires: the cluster has such a node.
  ServeProcess& node(const std::string& name);
  std::vector<std::string> urls() const;
  // Where each node speaks MySQL's protocol.
  std::vector<runtime::Address> mysql() const { return mysql_; }
  const std::string& folder() const { return folder_; }

  // SIGKILL, as a crash of the process does.
  void Kill(const std::string& name);
  // The same node again after Kill(): its name, its data, its port. Suspends until it is ready.
  Result<void> Restart(const std::string& name);
  // Asks all nodes to end and waits. The first failure is returned; all are gone after it. Suspends.
  Result<void> Stop();

 private:
  LocalCluster(runtime::Core& core, std::string folder) : core_(core), folder_(std::move(folder)) {}
  Result<void> StartNode(ServeProcessOptions options);

  runtime::Core& core_;
  const std::string folder_;
  std::map<std::string, std::unique_ptr<ServeProcess>> nodes_;
  std::vector<runtime::Address> mysql_;
};

}  // namespace tradewind::cli
