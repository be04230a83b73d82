#include "cluster/registration.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>

namespace tradewind::cluster {

std::string NewClusterId(runtime::Core& core) {
  std::array<std::byte, 16> random;
  core.FillRandom(random);
  std::string id;
  for (const std::byte byte : random) id += fmt::format("{:02x}", std::to_integer<int>(byte));
  return id;
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

Error OtherCluster(const Registration& registration, const std::string& cluster) {
  return {ErrorKind::kRefused, std::string(kOtherClusterCode),
          "the data folder of node " + registration.node.name + " belongs to the cluster " +
              registration.cluster + ", and this catalog is that of the cluster " + cluster,
          "start it with the URL of its own cluster, or give another data folder"};
}

}  // namespace tradewind::cluster
