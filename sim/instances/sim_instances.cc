#include "sim/instances/sim_instances.h"

#include <utility>

#include "base/limits.h"
#include "mariadb/instance_files.h"
#include "move/host.h"
#include "sim/instances/sim_copy.h"

namespace tradewind::sim {

using mariadb::HostedInstance;

slacker::MakeInstances SimInstances::MakerOf(SimServers& all) {
  return
      [&all](runtime::Core& core, const std::string&, std::function<Result<bool>(const TenantName&)> owns) {
        return std::make_unique<SimInstances>(static_cast<SimCore&>(core), all, std::move(owns));
      };
}

Result<std::shared_ptr<slacker::Instance>> SimInstances::Of(tenant::HostedTenant& tenant) {
  HostedInstance& hosted = mariadb::AsInstance(tenant);
  TW_TRY_ASSIGN(mariadb::Server* const server, hosted.AwaitAnswer(core_.Now() + limits::kInstanceAnswer));
  SimInstanceNode node;
  node.settle = [&hosted](runtime::TimePoint deadline) { return hosted.AwaitSettled(deadline); };
  node.oldest_open = [&hosted] { return hosted.OldestOpen(); };
  node.end_open_since = [&hosted](runtime::TimePoint then) { hosted.EndVisitsOpenSince(then); };
  return InstanceOf(core_, all_, static_cast<SimServer&>(*server), std::move(node));
}

std::unique_ptr<slacker::Copy> SimInstances::CopyOf(move::MoveHost&, const TenantName& tenant) {
  return std::make_unique<SimCopy>(core_, all_, tenant, InstancePath(tenant));
}

Result<std::unique_ptr<tenant::HostedTenant>> SimInstances::Host(move::MoveHost&, const TenantName& tenant,
                                                                 slacker::Copy& copy) {
  auto server = static_cast<SimCopy&>(copy).TakeServer();
  if (!server) return Open(core_, tenant, "", {});
  names_.insert(tenant);
  return std::unique_ptr<tenant::HostedTenant>(
      std::make_unique<HostedInstance>(core_, tenant, NodeOf(tenant), std::move(server)));
}

HostedInstance::Node SimInstances::NodeOf(const TenantName& name) {
  HostedInstance::Node node;
  node.open = [this, name](std::function<void()> on_restart,
                           std::function<bool()>) -> Result<std::unique_ptr<mariadb::Server>> {
    TW_TRY_ASSIGN(auto server,
                  SimServer::Open(core_, all_, {name, InstancePath(name), std::move(on_restart)}));
    return std::unique_ptr<mariadb::Server>(std::move(server));
  };
  node.owns = owns_;
  return node;
}

// -- Files

Result<bool> SimInstances::Has(runtime::Core& core, const std::string& path) {
  return core.disk().Exists(mariadb::InstanceFolderOf(path));
}

Result<void> SimInstances::Make(runtime::Core& core, const std::string& path) {
  return WriteInstance(core, mariadb::InstanceFolderOf(path), "");
}

Result<std::unique_ptr<tenant::HostedTenant>> SimInstances::Open(runtime::Core& core, const TenantName& name,
                                                                 const std::string&,
                                                                 const std::vector<PageNumber>&) {
  names_.insert(name);
  return std::unique_ptr<tenant::HostedTenant>(std::make_unique<HostedInstance>(core, name, NodeOf(name)));
}

Result<void> SimInstances::Remove(const std::string& path, tenant::RemovedFiles&) {
  return RemoveInstance(core_, mariadb::InstanceFolderOf(path));
}

}  // namespace tradewind::sim
