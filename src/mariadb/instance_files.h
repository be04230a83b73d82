// The instances of a core's MariaDB tenants while they are on the disk alone: each in a folder NAME.mariadb, beside the
// files of SQLite's tenants.
//
// This core's fibers only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mariadb/hosted_instance.h"
#include "mariadb/import.h"
#include "mariadb/instance.h"
#include "mariadb/programs.h"
#include "tenant/tenant_files.h"

namespace tradewind::mariadb {

// Behind the tenant's name.
inline constexpr std::string_view kInstanceSuffix = ".mariadb";
// Where the instance of the tenant is, or would be, whose main file would be at `path`, if it were SQLite's.
std::string InstanceFolderOf(const std::string& path);

class InstanceFiles final : public tenant::TenantFiles {
 public:
  // `templates`: where new instances are copied from (instance_folder.h). `owns`: as HostedInstance::Node has it.
  InstanceFiles(runtime::Core& core, std::string templates,
                std::function<Result<bool>(const TenantName&)> owns);

  // Those of this machine; looked for until they are found. Suspends.
  Result<ServerPrograms> FindPrograms();

  // An instance that will be made in a folder of that path, from what begins so (import.h); Take() gives it its place.
  // Suspends.
  Result<std::unique_ptr<Import>> BeginImport(const TenantName& tenant, const std::string& folder,
                                              Bytes beginning);
  // What an import has left, whose node was killed. Suspends.
  Result<void> RemoveImport(const std::string& folder);

  // What serves a tenant whose instance was made here of another node's, and whose server runs, read-only. Does not suspend.
  std::unique_ptr<tenant::HostedTenant> Host(const TenantName& name, const std::string& path,
                                             std::unique_ptr<Instance> server);

  // Of all that were opened on this core.
  const std::set<TenantName>& names() const { return names_; }

  std::string_view engine() const override { return kMariadbEngine; }
  Result<bool> Has(runtime::Core& core, const std::string& path) override;
  // The errors of FindServerPrograms() and InstanceFolder.
  Result<void> Make(runtime::Core& core, const std::string& path) override;
  Result<void> MakeDurable(runtime::Core&, const std::string&) override {
    return {};
  }  // It is there whole or not.
  Result<void> Take(runtime::Core& core, const std::string& made, const std::string& path) override;
  Result<std::unique_ptr<tenant::HostedTenant>> Open(runtime::Core& core, const TenantName& name,
                                                     const std::string& path,
                                                     const std::vector<PageNumber>& recently_used) override;
  Result<void> ClearBeside(const std::string&, tenant::RemovedFiles&) override { return {}; }
  // A server that still runs in it is ended.
  Result<void> Remove(const std::string& path, tenant::RemovedFiles& removed) override;

 private:
  HostedInstance::Node NodeOf(const TenantName& name, const std::string& path);

  runtime::Core& core_;
  const std::string templates_;
  const std::function<Result<bool>(const TenantName&)> owns_;
  std::optional<ServerPrograms> programs_;
  std::set<TenantName> names_;
};

// Requires: they are those of MariaDB, of this machine.
InstanceFiles& AsInstanceFiles(tenant::TenantFiles& files);

}  // namespace tradewind::mariadb
