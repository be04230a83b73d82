#include "catalog/registration.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace tradewind::catalog {

std::string SqliteVersionText(int64_t version) {
  if (version <= 0) return "unknown";
  return fmt::format("{}.{}.{}", version / 1'000'000, version / 1'000 % 1'000, version % 1'000);
}

Error SqliteOlder(const TenantRecord& tenant, const NodeRecord& destination) {
  const std::string wanted = SqliteVersionText(tenant.sqlite);
  return Error{
      ErrorKind::kRefused, std::string(kSqliteOlderCode),
      fmt::format(
          "tenant {} has been on SQLite {}, and node {} has {}, which may not read what that has written",
          tenant.name, wanted, destination.name,
          destination.sqlite == 0 ? "one of a version that it does not say"
                                  : SqliteVersionText(destination.sqlite)),
      fmt::format(
          "run a newer tradewind on node {}, or name a node with SQLite {} or later (tradewind node list)",
          destination.name, wanted)};
}

Error NameTaken(const NodeName& name, const NameHolder& holder) {
  return {ErrorKind::kRefused, std::string(kNameTakenCode),
          fmt::format("the name {} is taken: another data folder has it, of the node at {}, registered since "
                      "{:%Y-%m-%d %H:%M:%S} UTC, which owns {} tenants",
                      name, holder.url, fmt::gmtime(static_cast<std::time_t>(holder.since_ms / 1000)),
                      holder.tenants),
          "give another --name, or start the node with that folder; if the folder is lost for good, "
          "--replace-node takes the name over, and each of its tenants answers TENANT_FILE_MISSING until "
          "it is deleted and imported anew"};
}

Error Forgotten(const Registration& registration) {
  return {ErrorKind::kRefused, std::string(kForgottenCode),
          "the cluster has no node " + registration.node.name +
              " any more: it was forgotten, with the tenants that it had",
          "start the node with an empty data folder; files of tenants in the old one can be imported"};
}

Error NodeHasTenants(const NodeName& name, const std::vector<TenantRecord>& tenants) {
  constexpr size_t kNamed = 5;
  std::string names;
  for (size_t at = 0; at < tenants.size() && at < kNamed; ++at)
    names += (at == 0 ? "" : ", ") + tenants[at].name;
  if (tenants.size() > kNamed) names += ", ...";
  return {
      ErrorKind::kRefused, "NODE_HAS_TENANTS",
      fmt::format("{} tenants are on node {}: {}", tenants.size(), name, names),
      "start the node and drain it; if its disk is lost for good, --delete-tenants deletes them with it, or "
      "serve --replace-node takes its name over"};
}

Error NodeInMove(const NodeName& name, const MoveRecord& move) {
  return {ErrorKind::kRefused, "NODE_IN_MOVES",
          "move " + move.id + " of tenant " + move.tenant + " from node " + move.source + " to node " +
              move.destination + " is not over, and needs node " + name,
          "cancel it, or delete the tenant if that cannot go on without node " + name};
}

Error OtherCluster(const Registration& registration, const std::string& cluster) {
  return {ErrorKind::kRefused, std::string(kOtherClusterCode),
          "the data folder of node " + registration.node.name + " belongs to the cluster " +
              registration.cluster + ", and this catalog is that of the cluster " + cluster,
          "start it with the URL of its own cluster, or give another data folder"};
}

}  // namespace tradewind::catalog
