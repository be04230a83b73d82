// The instances of MariaDB that a core of a simulated node has: files and servers (sim_server.h), their copies, and what moves
// ask of them, in the place of mariadbd, mariadb-backup and mbstream (slacker/node_instances.h).
//
// Beside NAME.mariadb lie NAME.mariadb.making, a copy that is being made, and NAME.mariadb.ready, the note that it is ready to
// own.
//
// One core only.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mariadb/hosted_instance.h"
#include "sim/instances/sim_server.h"
#include "sim/instances/sim_servers.h"
#include "slacker/instance.h"
#include "tenant/tenant_files.h"

namespace tradewind::sim {

class SimInstances final : public slacker::CoreInstances, private tenant::TenantFiles {
 public:
  // `all` outlives it.
  SimInstances(SimCore& core, SimServers& all, std::function<Result<bool>(const TenantName&)> owns)
      : core_(core), all_(all), owns_(std::move(owns)) {}
  // For the options of a node.
  static slacker::MakeInstances MakerOf(SimServers& all);

  tenant::TenantFiles& files() override { return *this; }
  const std::set<TenantName>& names() const override { return names_; }
  Result<std::string> FindVersion() override { return "10.11.simulated"; }
  Result<std::shared_ptr<slacker::Instance>> Of(tenant::HostedTenant& tenant) override;
  std::unique_ptr<slacker::Copy> CopyOf(move::MoveHost& host, const TenantName& tenant) override;
  Result<std::unique_ptr<tenant::HostedTenant>> Host(move::MoveHost& host, const TenantName& tenant,
                                                     slacker::Copy& copy) override;

 private:
  // -- tenant::TenantFiles
  std::string_view engine() const override { return mariadb::kMariadbEngine; }
  Result<bool> Has(runtime::Core& core, const std::string& path) override;
  Result<void> Make(runtime::Core& core, const std::string& path) override;
  Result<void> MakeDurable(runtime::Core&, const std::string&) override { return {}; }
  Result<std::unique_ptr<tenant::HostedTenant>> Open(runtime::Core& core, const TenantName& name,
                                                     const std::string& path,
                                                     const std::vector<PageNumber>& recently_used) override;
  Result<void> ClearBeside(const std::string&, tenant::RemovedFiles&) override { return {}; }
  Result<void> Remove(const std::string& path, tenant::RemovedFiles& removed) override;

  mariadb::HostedInstance::Node NodeOf(const TenantName& name);

  SimCore& core_;
  SimServers& all_;
  const std::function<Result<bool>(const TenantName&)> owns_;
  std::set<TenantName> names_;
};

}  // namespace tradewind::sim
