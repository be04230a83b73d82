// tradewind node repair
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <string>

#include "base/limits.h"
#include "catalog/catalog_service.h"
#include "catalog/embedded_catalog.h"
#include "cli/client_command.h"
#include "cli/cluster_secret_file.h"
#include "cli/table.h"
#include "net/http_client.h"
#include "node/journal_repair.h"
#include "program/folder_lock.h"
#include "program/private_folder.h"
#include "program/program.h"

namespace tradewind::program {
namespace {

namespace json = boost::json;

struct RepairOptions {
  std::string data;
  std::string name;
  std::string cluster_secret_file;
  bool yes = false;
};

json::object ToJson(const node::RepairPlan& plan, const std::optional<std::string>& kept) {
  json::array tenants;
  for (const node::RepairDecision& decision : plan.decisions)
    tenants.push_back(json::object{
        {"tenant", decision.tenant},
        {"decision", decision.decision},
        {"uncertain", decision.uncertain.empty() ? json::value(nullptr) : json::value(decision.uncertain)},
        {"blocks", decision.blocks}});
  return {{"node", plan.node},
          {"journal", plan.journal.empty() ? json::value(nullptr) : json::value(plan.journal)},
          {"tenants", std::move(tenants)},
          {"written", kept.has_value()},
          {"kept", kept && !kept->empty() ? json::value(*kept) : json::value(nullptr)}};
}

void Print(const node::RepairPlan& plan) {
  fmt::print("the journal of node {}: {}\n\n", plan.node, plan.journal.empty() ? "in order" : plan.journal);
  cli::Table table({"TENANT", "DECISION", "UNCERTAIN"});
  for (const node::RepairDecision& decision : plan.decisions)
    table.AddRow({decision.tenant, decision.decision, decision.uncertain.empty() ? "-" : decision.uncertain});
  fmt::print("{}\n", table.ToString());
}

Result<void> Repair(cli::ClientContext& context, const RepairOptions& options, catalog::Catalog& catalog) {
  TW_TRY_ASSIGN(const node::RepairPlan plan,
                node::PlanRepair(context.core, options.data, options.name, catalog));
  if (!context.json()) Print(plan);
  std::optional<std::string> kept;
  if (options.yes) {
    TW_TRY_ASSIGN(kept, node::CarryOutRepair(context.core, options.data, plan, catalog));
  }
  if (context.json())
    cli::PrintJson(ToJson(plan, kept));
  else if (!kept)
    fmt::print("nothing was written; with --yes this becomes the journal\n");
  else if (kept->empty())
    fmt::print("the journal is written; start the node\n");
  else
    fmt::print("the journal is written, and the one before is kept as {}; start the node\n", *kept);
  return {};
}

Result<void> RepairWithCatalog(cli::ClientContext& context, const RepairOptions& options) {
  MakePrivateFiles();
  TW_TRY_ASSIGN(const auto lock, FolderLock::Take(options.data));
  TW_TRY_ASSIGN(const auto hosted, node::OpenHostedCatalog(context.core, options.data));
  if (hosted) {
    const Result<void> repaired = Repair(context, options, *hosted);
    hosted->Close();
    return repaired;
  }
  TW_TRY_ASSIGN(net::ClusterSecret secret, cli::LoadClusterSecret(options.cluster_secret_file));
  net::HttpClient http(context.core, net::HttpClient::Peers::kNodes, std::move(secret));
  http.SetTrust(context.trust);
  const auto catalog = catalog::CatalogAt(context.core, http, context.global.server);
  const Result<void> repaired = Repair(context, options, *catalog);
  http.Close();
  return repaired;
}

}  // namespace

void AddRepairCommand(cli::Command node, cli::CommandLine& line) {
  const cli::Command command =
      node.AddCommand("repair", "Make a new journal for a stopped node, from its tenants and the catalog");
  command.FallThrough();
  auto options = std::make_shared<RepairOptions>();
  command.AddOption("--data", options->data, "The node's data folder").Required().ValueName("DIR");
  command
      .AddOption("--join", line.global.server,
                 "The first node, which has the catalog; not needed for the first node itself")
      .ValueName("URL");
  cli::AddClusterSecretOption(command, options->cluster_secret_file);
  command.AddOption("--name", options->name, "The node's name, if the folder does not say it");
  command.AddFlag("--yes", options->yes, "Write it; without this, only say what would be written");
  command.OnGiven([&line, options] {
    line.action = [&line, options] {
      return cli::RunClient(
          line.global, [&](cli::ClientContext& context) { return RepairWithCatalog(context, *options); });
    };
  });
}

}  // namespace tradewind::program
