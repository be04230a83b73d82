// The instances of one core of a node, with servers of this machine: of its MariaDB tenants (mariadb/instance_files.h), and
// their copies.
//
// One core only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "mariadb/instance_files.h"
#include "slacker/instance.h"
#include "slacker/local_instance.h"

namespace tradewind::slacker {

class NodeInstances final : public CoreInstances {
 public:
  // As InstanceFiles.
  NodeInstances(runtime::Core& core, std::string templates,
                std::function<Result<bool>(const TenantName&)> owns)
      : core_(core), files_(core, std::move(templates), std::move(owns)) {}

  tenant::TenantFiles& files() override { return files_; }
  const std::set<TenantName>& names() const override { return files_.names(); }

  Result<std::string> FindVersion() override;
  Result<std::shared_ptr<Instance>> Of(tenant::HostedTenant& tenant) override;
  std::unique_ptr<Copy> CopyOf(move::MoveHost& host, const TenantName& tenant) override;
  Result<std::unique_ptr<tenant::HostedTenant>> Host(move::MoveHost& host, const TenantName& tenant,
                                                     Copy& copy) override;

 private:
  Result<LocalCopy::Programs> FindPrograms();

  runtime::Core& core_;
  mariadb::InstanceFiles files_;
  std::optional<mariadb::BackupPrograms> backup_programs_;  // Looked for until they are found.
};

}  // namespace tradewind::slacker
