// Whole nodes on a simulated world, and a host for their clients. For the tests that move tenants.
//
// The functions that say "in a fiber" suspend and belong into InClient(); the others drive the world and
// belong outside of it.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/bank.h"
#include "net/http_client.h"
#include "node/node.h"
#include "sim/checkers/checkers.h"
#include "sim/instances/sim_servers.h"
#include "sim/sim_core.h"
#include "sim/sim_world.h"

namespace tradewind::sim {

struct NodeBounds {
  std::optional<size_t> open_tenants = {};
  std::optional<uint64_t> descriptors = {};  // Of each core of a node, which has not reckoned with so few.
  size_t cores = 1;                          // Of each node.
};

class Cluster {
 public:
  // The first of the hosts has the catalog. What the checkers find is reported; without anybody to tell, it fails the
  // test that runs.
  Cluster(uint64_t seed, std::vector<std::string> hosts, NodeBounds bounds = {}, Report report = {});
  ~Cluster();

  SimWorld& world() { return world_; }
  SimCore& client() { return *client_core_; }
  Checkers& checkers() { return checkers_; }
  net::HttpClient& http() { return *http_; }
  std::vector<std::string> urls() const;
  const std::string& first_host() const { return hosts_.front(); }  // That of the catalog.
  node::Node& node(const std::string& host) { return *nodes_.at(host); }
  // Those of its MariaDB tenants, and what of them fails.
  SimServers& servers() { return servers_; }

  // The host's server of the tenant dies as soon as its core gets to it; does nothing where none runs.
  void KillServer(const std::string& host, const std::string& tenant);

  // Who uses the nodes from within. Both are called in fibers of the node's core, and may suspend.
  class Guest {
   public:
    // The node has started.
    virtual void Arrive(const std::string& host, node::Node& node) = 0;
    // It is about to be ended: nothing of the guest runs there when this returns. Its host may be down.
    virtual void Leave(const std::string& host) = 0;

   protected:
    ~Guest() = default;
  };
  // It arrives at all nodes that run, and leaves none until they end; it outlives the cluster.
  void SetGuest(Guest& guest);

  void InClient(std::function<void()> body) { world_.RunFiber(*client_core_, "test", std::move(body)); }
  void InNode(const std::string& host, const std::function<void(node::Node&)>& body);

  // From the host's next start on, or at once when it runs: it goes down when it reaches the step for the
  // n-th time. `power_lost` as in SimWorld::Crash.
  void GoDownAt(const std::string& host, const std::string& step, int times, bool power_lost);
  // What is to go down at a step may be another host.
  void TakeDownAt(const std::string& victim, const std::string& host, const std::string& step, int times,
                  bool power_lost);
  // What is to happen when the host reaches a step, from its next start on, or at once when it runs; `{}` for nothing.
  void SetTrap(const std::string& host, node::StepTrap trap);
  bool went_down() const { return !down_.empty(); }
  const std::string& down() const { return down_.front(); }
  bool IsDown(const std::string& host) const;
  // Does nothing when it is down.
  void TakeDown(const std::string& host, bool power_lost);
  // Ends what is left of the node that went down, the first of them, and starts it again on what its disk still
  // holds.
  void BringBack();
  // The same with a certain one, which stays down when it fails to start.
  Result<void> TryBringBack(const std::string& host);

  // Starts a node of that name on a host of its own, which is made when it is new, with an empty folder. The
  // code of its failure; "" when it runs: then it is the host's node.
  std::string TryStart(const std::string& host, const std::string& name, bool replace);

  // A call of the admin API through the host, repeated until it succeeds; its body must be JSON. In a fiber.
  boost::json::value Call(const std::string& host, const std::string& method, const std::string& target,
                          const std::string& body = "");
  // The same; none when the call failed. In a fiber.
  std::optional<boost::json::value> TryCall(const std::string& host, const std::string& method,
                                            const std::string& target, const std::string& body = "");
  // Starts a move; its id. In a fiber.
  std::string StartMove(const std::string& tenant, const std::string& to, uint64_t rate_bytes_per_s = 0);
  // Waits until the move is over; its receipt. In a fiber.
  boost::json::object AwaitMove(const std::string& id);

  // Makes the tenant `shop` on n1 and a bank in it that is in use through every host when this returns. Of
  // the options, the servers are filled in. In a fiber.
  std::unique_ptr<load::Bank> OpenBank(load::BankOptions options);
  // Expects that a few more transfers are acknowledged. In a fiber.
  void AwaitUse(load::Bank& bank);
  // Expects that the bank, which has been stopped, has lost nothing. More than one try where a connection to
  // a node that went down may have to be found dead first. In a fiber.
  void ExpectNothingLost(load::Bank& bank, int tries = 1);

  // Whether the host's disk has a file of the tenant.
  bool HasFile(const std::string& host, const std::string& tenant);
  // The names in a folder of the host's.
  std::vector<std::string> FilesOf(const std::string& host, const std::string& folder);

 private:
  node::NodeOptions OptionsFor(const std::string& host, const std::string& name);
  Result<void> Start(const std::string& host);
  void End(const std::string& host, runtime::Duration drain);

  SimWorld world_;
  Checkers checkers_;
  SimServers servers_{.checker = checkers_.instances(), .random = world_.random()};
  Guest* guest_ = nullptr;
  std::vector<std::string> hosts_;
  const NodeBounds bounds_;
  std::map<std::string, std::unique_ptr<node::Node>> nodes_;
  std::map<std::string, node::StepTrap> traps_;
  std::vector<std::string> down_;
  SimCore* client_core_ = nullptr;
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace tradewind::sim
