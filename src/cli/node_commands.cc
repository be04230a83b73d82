// tradewind node list
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

Result<void> List(ClientContext& context) {
  TW_TRY_ASSIGN(const json::value answer, context.admin.Get("/v1/nodes"));
  const json::value& nodes = MemberAt(answer, "nodes");
  if (context.json()) {
    PrintJson(nodes);
    return {};
  }
  Table table({"NAME", "URL", "STATE", "TENANTS"});
  if (const json::array* rows = nodes.if_array()) {
    for (const json::value& node : *rows) {
      table.AddRow({TextAt(node, "name"), TextAt(node, "url"), TextAt(node, "state"),
                    fmt::format("{:.0f}", NumberAt(node, "tenants"))});
    }
  }
  fmt::print("{}", table.ToString());
  return {};
}

}  // namespace

void AddNodeCommands(CLI::App& app, CommandLine& line) {
  CLI::App* node = app.add_subcommand("node", "The nodes of the cluster");
  node->require_subcommand(1);
  node->fallthrough();
  CLI::App* list = node->add_subcommand("list", "All nodes");
  list->fallthrough();
  list->callback([&line] { line.action = [&line] { return RunClient(line.global, List); }; });
  AddMissingCommand(*node, line, "drain", "node drain");
  AddMissingCommand(*node, line, "undrain", "node undrain");
}

}  // namespace tradewind::cli
