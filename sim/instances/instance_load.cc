#include "sim/instances/instance_load.h"

#include <chrono>
#include <utility>

#include "mariadb/hosted_instance.h"
#include "sim/instances/sim_server.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

namespace {

constexpr int kSessions = 2;  // At each node.

class SimVisit final : public mariadb::HostedInstance::Visit {
 public:
  using Visit::Visit;
  bool ended() const { return ended_; }

 private:
  void OnGate() override {}
  void OnEnd() override { ended_ = true; }

  bool ended_ = false;
};

}  // namespace

InstanceLoad::Home::Home(std::string at, node::Node& of)
    : host(std::move(at)), node(of), core(static_cast<SimCore&>(of.core())), fibers(core) {}

InstanceLoad::InstanceLoad(Cluster& cluster, std::string tenant)
    : cluster_(cluster), tenant_(std::move(tenant)) {
  cluster.SetGuest(*this);
}

void InstanceLoad::Arrive(const std::string& host, node::Node& node) {
  auto& home = homes_[host];
  home = std::make_unique<Home>(host, node);
  for (int session = 0; session < kSessions; ++session)
    home->fibers.Spawn("session", [this, at = home.get()] { RunSession(*at); });
  home->fibers.Spawn("direct session", [this, at = home.get()] { RunPastTheGate(*at); });
}

void InstanceLoad::Leave(const std::string& host) {
  const auto found = homes_.find(host);
  if (found == homes_.end()) return;
  found->second->leaving = true;
  found->second->fibers.Join();
  homes_.erase(found);
}

void InstanceLoad::Rest(const Home& home) {
  runtime::SleepFor(home.core.world().random().Between(1ms, 10ms));
}

void InstanceLoad::RunSession(Home& home) {
  while (!IsOver(home)) {
    VisitOnce(home);
    if (!IsOver(home)) Rest(home);
  }
}

// It leaves when the tenant does, as a session of the proxy.
void InstanceLoad::VisitOnce(Home& home) {
  const auto use = home.node.parts().tenants().Find(tenant_);
  if (!use || IsOver(home)) return;
  SimVisit visit(mariadb::AsInstance(use->hosted()));
  const auto stays = [&] {
    return !IsOver(home) && !visit.ended() && use->hosted().gate() != tenant::Gate::kMoved;
  };
  while (stays()) {
    if (!visit.Begin()) return;
    // Now and then it thinks about it.
    if (home.core.world().random().OneIn(8)) Rest(home);
    if (stays()) Write(home);
    visit.End(/*tied=*/false);
    Rest(home);
  }
}

void InstanceLoad::RunPastTheGate(Home& home) {
  while (!IsOver(home)) {
    Write(home);
    runtime::SleepFor(home.core.world().random().Between(5ms, 40ms));
  }
}

void InstanceLoad::Write(Home& home) {
  SimServer* const server = cluster_.servers().Find(home.host, tenant_);
  if (!server) return;
  const int64_t row = ++rows_;
  const auto committed = server->Commit(row);
  if (!committed || home.core.crashed()) return;
  acknowledged_.insert(row);
  cluster_.checkers().instances().Acknowledged(tenant_, row);
}

}  // namespace tradewind::sim
