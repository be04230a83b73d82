// tradewind node list | drain | undrain | forget (repair: repair_command.cc)
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <memory>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/drain_progress.h"
#include "cli/follow.h"
#include "cli/pace_flags.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

struct NodeOptions {
  std::string name;
  std::vector<std::string> to;
  PaceFlags pace;
  bool wait = false;
  bool delete_tenants = false;
};

std::string StateText(const json::value& node) {
  if (TextAt(node, "state") != "up" || !FlagAt(node, "draining")) return TextAt(node, "state");
  return NumberAt(node, "tenants") == 0 ? "drained" : "draining";
}

Result<void> List(ClientContext& context) {
  TW_TRY_ASSIGN(const json::value answer, context.admin.Get("/v1/nodes"));
  const json::value& nodes = MemberAt(answer, "nodes");
  if (context.json()) {
    PrintJson(nodes);
    return {};
  }
  Table table({"NAME", "URL", "STATE", "TENANTS", "CORES", "SQLITE"});
  if (const json::array* rows = nodes.if_array()) {
    for (const json::value& node : *rows) {
      table.AddRow(
          {TextAt(node, "name"), TextAt(node, "url"), StateText(node),
           fmt::format("{:.0f}", NumberAt(node, "tenants")),
           MemberAt(node, "cores").is_number() ? fmt::format("{:.0f}", NumberAt(node, "cores")) : "-",
           TextAt(node, "sqlite").empty() ? "-" : TextAt(node, "sqlite")});
    }
  }
  fmt::print("{}", table.ToString());
  return {};
}

std::string DrainPath(const std::string& node) {
  return "/v1/nodes/" + EscapeSegment(node) + "/drain";
}

void PrintDrain(const json::value& progress, const ClientContext& context) {
  if (context.json())
    PrintJson(progress);
  else
    fmt::print("{}", DrainText(progress));
}

Result<void> Drain(ClientContext& context, const NodeOptions& options) {
  json::object request;
  if (!options.to.empty()) request["to"] = json::array(options.to.begin(), options.to.end());
  TW_TRY(AddPace(options.pace, request));
  std::optional<Interruption> interruption;
  if (options.wait) interruption.emplace(context);
  TW_TRY_ASSIGN(json::value progress, context.admin.Post(DrainPath(options.name), request));
  if (options.wait) {
    DrainWatch watch;
    Followed followed;
    followed.path = DrainPath(options.name);
    followed.what = "the drain of node " + options.name;
    followed.later = "tradewind node drain " + options.name + " --wait";
    followed.is_over = [&](const json::value& now) { return watch.IsOver(now, context.core.Now()); };
    followed.line = DrainLine;
    TW_TRY_ASSIGN(progress, Follow(context, *interruption, followed));
  }
  PrintDrain(progress, context);
  return {};
}

Result<void> Undrain(ClientContext& context, const NodeOptions& options) {
  TW_TRY_ASSIGN(const json::value progress, context.admin.Send("DELETE", DrainPath(options.name), {}));
  if (context.json())
    PrintJson(progress);
  else
    fmt::print("node {} takes tenants again\n", options.name);
  return {};
}

Result<void> Forget(ClientContext& context, const NodeOptions& options) {
  const std::string query = options.delete_tenants ? "?tenants=delete" : "";
  TW_TRY_ASSIGN(const json::value answer,
                context.admin.Send("DELETE", "/v1/nodes/" + EscapeSegment(options.name) + query, {}));
  if (context.json())
    PrintJson(answer);
  else
    fmt::print("node {} is forgotten, and {:.0f} tenants with it\n", options.name,
               NumberAt(answer, "deleted_tenants"));
  return {};
}

}  // namespace

void AddNodeCommands(Command app, CommandLine& line) {
  const Command node = app.AddCommand("node", "The nodes of the cluster");
  node.RequireCommand();
  node.FallThrough();
  auto options = std::make_shared<NodeOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    const Command command = node.AddCommand(name, what);
    command.FallThrough();
    command.OnGiven([&line, options, run] {
      line.action = [&line, options, run] {
        return RunClient(line.global, [&](ClientContext& context) { return run(context, *options); });
      };
    });
    return command;
  };
  add("list", "All nodes", [](ClientContext& context, const NodeOptions&) { return List(context); });
  const Command drain = add("drain", "Move every tenant off a node, and keep it empty", Drain);
  drain.AddOption("NAME", options->name, "The node").Required();
  drain.AddOption("--to", options->to, "Only to these nodes; default: to any other").ValueName("NODE");
  AddPaceFlags(drain, options->pace);
  drain.AddFlag("--wait", options->wait,
                "Wait until it is empty; exit code 1 when that does not get on, with the reason");
  add("undrain", "Let a node keep its tenants and take others again", Undrain)
      .AddOption("NAME", options->name, "The node")
      .Required();
  const Command forget = add("forget", "Take a node out of the cluster that is gone for good", Forget);
  forget.AddOption("NAME", options->name, "The node").Required();
  forget.AddFlag("--delete-tenants", options->delete_tenants, "With the tenants that were on it");
}

}  // namespace tradewind::cli
