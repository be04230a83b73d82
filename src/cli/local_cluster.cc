#include "cli/local_cluster.h"

#include <filesystem>
#include <utility>

#include "base/check.h"
#include "cli/cluster_secret_file.h"

namespace tradewind::cli {
namespace {

constexpr auto kStopPatience = std::chrono::seconds(15);

// Somebody else may take it before the node does, which says so then.
Result<runtime::Address> FreeAddress(runtime::Core& core) {
  TW_TRY_ASSIGN(const auto listener, core.network().Listen({"127.0.0.1", 0}));
  const runtime::Address address = listener->local();
  listener->Close();
  return address;
}

}  // namespace

Result<std::unique_ptr<LocalCluster>> LocalCluster::Start(runtime::Core& core, const std::string& program,
                                                          int nodes, Each each) {
  TW_TRY_ASSIGN(std::string folder, MakeTemporaryFolder("tradewind"));
  std::unique_ptr<LocalCluster> cluster(new LocalCluster(core, std::move(folder)));
  for (int i = 1; i <= nodes; ++i) {
    ServeProcessOptions options;
    options.program = program;
    options.cores = each.cores;
    options.listen = each.listen;
    if (each.mysql) {
      TW_TRY_ASSIGN(const runtime::Address address, FreeAddress(core));
      options.mysql_listen = address.ToString();
      cluster->mysql_.push_back(address);
    }
    options.name = "n" + std::to_string(i);
    options.data = cluster->folder_ + "/" + options.name;
    options.cluster_secret_file = cluster->folder_ + "/cluster-secret";
    TW_TRY(ReadOrMakeClusterSecret(options.cluster_secret_file));
    options.log = cluster->folder_ + "/" + options.name + ".log";
    if (i > 1) options.join = cluster->node("n1").url();
    TW_TRY(cluster->StartNode(std::move(options)));
  }
  return cluster;
}

Result<void> LocalCluster::StartNode(ServeProcessOptions options) {
  const std::string name = options.name;
  TW_TRY_ASSIGN(nodes_[name], ServeProcess::Start(core_, std::move(options)));
  return {};
}

ServeProcess& LocalCluster::node(const std::string& name) {
  const auto found = nodes_.find(name);
  TW_CHECK(found != nodes_.end() && found->second, "no such node in this cluster");
  return *found->second;
}

std::vector<std::string> LocalCluster::urls() const {
  std::vector<std::string> urls;
  for (const auto& [name, process] : nodes_) urls.push_back(process->url());
  return urls;
}

void LocalCluster::Kill(const std::string& name) {
  node(name).Kill();
}

Result<void> LocalCluster::Restart(const std::string& name) {
  TW_CHECK(!node(name).running(), "only a node that has ended is started again");
  ServeProcessOptions options = node(name).options();
  options.listen = node(name).address();
  return StartNode(std::move(options));
}

Result<void> LocalCluster::Stop() {
  Result<void> outcome;
  // Backwards: the first node hosts the catalog that the others want to say good-bye to.
  for (auto entry = nodes_.rbegin(); entry != nodes_.rend(); ++entry) {
    auto stopped = entry->second->Stop(kStopPatience);
    if (!stopped && outcome) outcome = std::move(stopped);
  }
  return outcome;
}

LocalCluster::~LocalCluster() {
  nodes_.clear();
  std::error_code ignored;  // What is left behind lies in the temporary folder.
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace tradewind::cli
