// Clients of a MariaDB tenant in a simulated cluster, who write numbered rows. At each core of a node some go through the tenant's
// gate, as the sessions of the proxy do, and one is connected to the server itself, past the gate. A row is acknowledged once its
// commit has succeeded, and the checkers are told so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/fiber.h"
#include "sim/cluster.h"

namespace tradewind::sim {

class InstanceLoad final : public Cluster::Guest {
 public:
  // Begins at once. Of the cluster, which goes first.
  InstanceLoad(Cluster& cluster, std::string tenant);

  // No more rows are begun. What is under way ends within a second or so.
  void Stop() { stopped_ = true; }
  const std::set<int64_t>& acknowledged() const { return acknowledged_; }
  // What is wrong with what the host's disk has durably: a row that was acknowledged is not there, or one is there twice.
  // "": nothing is.
  std::string Verify(const std::string& host) const;

  // -- Cluster::Guest
  void Arrive(const std::string& host, node::Node& node) override;
  void Leave(const std::string& host) override;

 private:
  // Its clients at a core of a node.
  struct Home {
    Home(std::string at, node::CoreParts& of);
    const std::string host;
    node::CoreParts& parts;
    SimCore& core;
    bool leaving = false;
    runtime::TaskGroup fibers;
  };
  bool IsOver(const Home& home) const { return stopped_ || home.leaving || home.core.crashed(); }
  void Rest(const Home& home);
  void RunSession(Home& home);
  void VisitOnce(Home& home);
  void RunPastTheGate(Home& home);
  void Write(Home& home);

  Cluster& cluster_;
  const std::string tenant_;
  bool stopped_ = false;
  int64_t rows_ = 0;
  std::set<int64_t> acknowledged_;
  std::map<std::string, std::vector<std::unique_ptr<Home>>> homes_;
};

}  // namespace tradewind::sim
