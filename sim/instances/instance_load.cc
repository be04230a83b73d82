#include "sim/instances/instance_load.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "mariadb/hosted_instance.h"
#include "runtime/call_on.h"
#include "sim/disk_image.h"
#include "sim/instance_log.h"
#include "sim/instances/sim_server.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

namespace {

constexpr int kSessions = 2;  // At each core.

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

InstanceLoad::Home::Home(std::string at, node::CoreParts& of)
    : host(std::move(at)), parts(of), core(static_cast<SimCore&>(of.core())), fibers(core) {}

InstanceLoad::InstanceLoad(Cluster& cluster, std::string tenant)
    : cluster_(cluster), tenant_(std::move(tenant)) {
  cluster.SetGuest(*this);
}

void InstanceLoad::Arrive(const std::string& host, node::Node& node) {
  auto& homes = homes_[host];
  homes.clear();
  for (size_t number = 0; number < node.core().siblings().size(); ++number) {
    homes.push_back(std::make_unique<Home>(host, node.parts(number)));
    Home& home = *homes.back();
    runtime::CallOn(home.core, [&] {
      for (int session = 0; session < kSessions; ++session)
        home.fibers.Spawn("session", [this, &home] { RunSession(home); });
      home.fibers.Spawn("direct session", [this, &home] { RunPastTheGate(home); });
    });
  }
}

void InstanceLoad::Leave(const std::string& host) {
  const auto found = homes_.find(host);
  if (found == homes_.end()) return;
  for (const auto& home : found->second) {
    home->leaving = true;
    runtime::CallOn(home->core, [&] { home->fibers.Join(); });
  }
  homes_.erase(found);
}

std::string InstanceLoad::Verify(const std::string& host) const {
  const FileImage* const file = cluster_.world().DiskOf(host).FindDurable(InstancePath(tenant_));
  if (!file) return fmt::format("{} has no file of {}", host, tenant_);
  std::map<int64_t, int> times;
  for (const SimTransaction& transaction : ParseLog(file->durable())) ++times[transaction.row];
  for (const auto& [row, count] : times)
    if (count > 1) return fmt::format("row {} of {} is there {} times", row, tenant_, count);
  for (const int64_t row : acknowledged_)
    if (!times.contains(row)) return fmt::format("row {} of {} was acknowledged, and is lost", row, tenant_);
  return "";
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
  const auto use = home.parts.tenants().Find(tenant_);
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
  if (!server || &server->core() != &home.core) return;
  const int64_t row = ++rows_;
  const auto committed = server->Commit(row);
  if (!committed || home.core.crashed()) return;
  acknowledged_.insert(row);
  cluster_.checkers().instances().Acknowledged(tenant_, row);
}

}  // namespace tradewind::sim
