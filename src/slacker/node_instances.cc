#include "slacker/node_instances.h"

#include <utility>

#include "base/limits.h"
#include "mariadb/hosted_instance.h"
#include "move/host.h"

namespace tradewind::slacker {

Result<LocalCopy::Programs> NodeInstances::FindPrograms() {
  TW_TRY_ASSIGN(mariadb::ServerPrograms server, files_.FindPrograms());
  if (!backup_programs_) {
    TW_TRY_ASSIGN(backup_programs_, mariadb::FindBackupPrograms(core_, server));
  }
  return LocalCopy::Programs{std::move(server), *backup_programs_};
}

Result<std::string> NodeInstances::FindVersion() {
  TW_TRY_ASSIGN(const LocalCopy::Programs programs, FindPrograms());
  return programs.server.version.ToString();
}

Result<std::shared_ptr<Instance>> NodeInstances::Of(tenant::HostedTenant& tenant) {
  TW_TRY_ASSIGN(const LocalCopy::Programs programs, FindPrograms());
  mariadb::HostedInstance& hosted = mariadb::AsInstance(tenant);
  TW_TRY_ASSIGN(mariadb::Server* const server, hosted.AwaitAnswer(core_.Now() + limits::kInstanceAnswer));
  LocalInstance::Node node;
  node.settle = [&hosted](runtime::TimePoint deadline) { return hosted.AwaitSettled(deadline); };
  node.oldest_open = [&hosted] { return hosted.OldestOpen(); };
  node.end_open_since = [&hosted](runtime::TimePoint then) { hosted.EndVisitsOpenSince(then); };
  return std::shared_ptr<Instance>(
      // All that files_ opens and hosts are of this machine.
      std::make_shared<LocalInstance>(core_, programs.backup, static_cast<mariadb::Instance&>(*server),
                                      std::move(node)));
}

std::unique_ptr<Copy> NodeInstances::CopyOf(move::MoveHost& host, const TenantName& tenant) {
  mariadb::InstanceOptions options;
  options.folder = mariadb::InstanceFolderOf(host.TenantPath(tenant));
  return std::make_unique<LocalCopy>(
      core_, [this] { return FindPrograms(); }, std::move(options));
}

// After a restart no server of the copy has been opened: the tenant looks for one, or starts it.
Result<std::unique_ptr<tenant::HostedTenant>> NodeInstances::Host(move::MoveHost& host,
                                                                  const TenantName& tenant, Copy& copy) {
  const std::string path = host.TenantPath(tenant);
  if (auto server = static_cast<LocalCopy&>(copy).TakeServer())
    return files_.Host(tenant, path, std::move(server));
  return files_.Open(core_, tenant, path, {});
}

}  // namespace tradewind::slacker
