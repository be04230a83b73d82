#include "mariadb/instance_files.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "mariadb/instance_folder.h"
#include "runtime/disk.h"

namespace tradewind::mariadb {

std::string InstanceFolderOf(const std::string& path) {
  constexpr std::string_view kMainFile = ".db";
  TW_CHECK(path.ends_with(kMainFile), "a tenant's main file is NAME.db");
  return path.substr(0, path.size() - kMainFile.size()).append(kInstanceSuffix);
}

InstanceFiles::InstanceFiles(runtime::Core& core, std::string templates,
                             std::function<Result<bool>(const TenantName&)> owns)
    : core_(core), templates_(std::move(templates)), owns_(std::move(owns)) {}

Result<ServerPrograms> InstanceFiles::FindPrograms() {
  if (!programs_) {
    TW_TRY_ASSIGN(programs_, FindServerPrograms(core_));
  }
  return *programs_;
}

Result<bool> InstanceFiles::Has(runtime::Core& core, const std::string& path) {
  return core.disk().Exists(InstanceFolderOf(path));
}

Result<void> InstanceFiles::Make(runtime::Core& core, const std::string& path) {
  TW_TRY_ASSIGN(const ServerPrograms programs, FindPrograms());
  TW_TRY_ASSIGN(const std::string data_template, InstanceFolder::EnsureTemplate(core, programs, templates_));
  return InstanceFolder(core, InstanceFolderOf(path)).Make(data_template);
}

Result<void> InstanceFiles::Take(runtime::Core& core, const std::string& made, const std::string& path) {
  const std::string folder = InstanceFolderOf(path);
  TW_TRY(core.disk().Rename(made, folder));
  return core.disk().SyncDirectory(FolderOf(folder));
}

Result<std::unique_ptr<Import>> InstanceFiles::BeginImport(const TenantName& tenant,
                                                           const std::string& folder, Bytes beginning) {
  TW_TRY_ASSIGN(const ServerPrograms programs, FindPrograms());
  return Import::Begin(core_, programs, {folder, templates_, tenant}, beginning);
}

Result<void> InstanceFiles::RemoveImport(const std::string& folder) {
  InstanceFolder instance(core_, folder);
  Instance::EndIn(core_, instance);
  return instance.Remove();
}

Result<std::unique_ptr<tenant::HostedTenant>> InstanceFiles::Open(runtime::Core& core, const TenantName& name,
                                                                  const std::string& path,
                                                                  const std::vector<PageNumber>&) {
  names_.insert(name);
  return std::unique_ptr<tenant::HostedTenant>(
      std::make_unique<HostedInstance>(core, name, NodeOf(name, path)));
}

HostedInstance::Node InstanceFiles::NodeOf(const TenantName& name, const std::string& path) {
  HostedInstance::Node node;
  node.open = [this, name, folder = InstanceFolderOf(path)](
                  std::function<void()> on_restart,
                  std::function<bool()> given_up) -> Result<std::unique_ptr<Server>> {
    TW_TRY_ASSIGN(const ServerPrograms programs, FindPrograms());
    InstanceOptions options;
    options.folder = folder;
    options.on_restart = std::move(on_restart);
    options.given_up = std::move(given_up);
    TW_TRY_ASSIGN(auto server,
                  Instance::Open(core_, programs, std::move(options), core_.Now() + limits::kInstanceStart));
    log::info("the server of tenant {} runs: process {}, port {}, {}", name, server->pid(),
              server->address().port, server->adopted() ? "adopted" : "started");
    return std::unique_ptr<Server>(std::move(server));
  };
  node.owns = owns_;
  return node;
}

std::unique_ptr<tenant::HostedTenant> InstanceFiles::Host(const TenantName& name, const std::string& path,
                                                          std::unique_ptr<Instance> server) {
  names_.insert(name);
  return std::make_unique<HostedInstance>(core_, name, NodeOf(name, path), std::move(server));
}

InstanceFiles& AsInstanceFiles(tenant::TenantFiles& files) {
  TW_CHECK(files.engine() == kMariadbEngine, "files of another engine are taken for those of MariaDB");
  return static_cast<InstanceFiles&>(files);
}

Result<void> InstanceFiles::Remove(const std::string& path, tenant::RemovedFiles&) {
  const std::string folder = InstanceFolderOf(path);
  for (const std::string& place : {folder, folder + ".making"}) {
    TW_TRY_ASSIGN(const bool exists, core_.disk().Exists(place));
    if (!exists) continue;
    InstanceFolder instance(core_, folder);
    Instance::EndIn(core_, instance);
    return instance.Remove();
  }
  return {};
}

}  // namespace tradewind::mariadb
