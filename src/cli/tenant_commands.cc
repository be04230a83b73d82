// tradewind tenant create | list | show | set | reset-password | delete
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <memory>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/table.h"
#include "pace/objective.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

struct TenantOptions {
  std::string name;
  std::string engine = "sqlite";
  std::string node;
  std::string latency;
  std::optional<uint64_t> core;
  std::string size;
  std::string memory;
  std::string statement_time;
  std::string streams;
  std::string requests;
  std::string cpu;
};

// A quota as people write it: "none", "default", or what `parse` reads. Null is the node's.
template <typename Parse>
Result<json::value> QuotaOf(const std::string& text, const Parse& parse) {
  if (text == "default") return json::value(nullptr);
  if (text == "none") return json::value(uint64_t{0});
  TW_TRY_ASSIGN(const uint64_t number, parse(text));
  if (number == 0)
    return Fail(ErrorKind::kInvalid, "QUOTA_INVALID", "a quota of 0 would allow nothing",
                "say none for no quota, or default for that of the node");
  return json::value(number);
}

Result<uint64_t> ParseCount(const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  return Fail(ErrorKind::kInvalid, "QUOTA_INVALID", "'" + text + "' is no number",
              "such as 100, none or default");
}

Result<json::object> QuotasOf(const TenantOptions& options) {
  json::object quotas;
  const auto add = [&](const char* name, const char* flag, const std::string& text,
                       const auto& parse) -> Result<void> {
    if (text.empty()) return {};
    TW_TRY_ASSIGN(quotas[name], OfFlag(flag, QuotaOf(text, parse)));
    return {};
  };
  const auto size = [](const std::string& text) { return ParseSize(text); };
  TW_TRY(add("size_bytes", "--quota-size", options.size, size));
  TW_TRY(add("memory_bytes", "--quota-memory", options.memory, size));
  TW_TRY(add("statement_ms", "--quota-statement-time", options.statement_time, ParseMilliseconds));
  TW_TRY(add("streams", "--quota-streams", options.streams, ParseCount));
  TW_TRY(add("requests_per_s", "--quota-requests", options.requests, ParseCount));
  TW_TRY(add("cpu_percent", "--quota-cpu", options.cpu,
             [](const std::string& text) { return ParsePercent(text); }));
  return quotas;
}

std::string QuotasText(const json::value& tenant) {
  const json::object* const quotas = MemberAt(tenant, "quotas").if_object();
  std::string text;
  if (quotas)
    for (const auto& [name, value] : *quotas)
      text +=
          fmt::format("{}{} {}", text.empty() ? "" : ", ", std::string_view(name), json::serialize(value));
  return text.empty() ? "-" : text;
}

std::string SizeText(const json::value& tenant) {
  if (!MemberAt(tenant, "size_bytes").is_number()) return "-";
  return FormatSize(static_cast<uint64_t>(NumberAt(tenant, "size_bytes")));
}

std::string PagesText(const json::value& tenant) {
  if (!MemberAt(tenant, "page_size").is_number()) return "-";
  return fmt::format("{:.0f} of {:.0f} bytes", NumberAt(tenant, "page_count"), NumberAt(tenant, "page_size"));
}

// Of its owner, which says it.
std::string CoreText(const json::value& tenant) {
  if (!MemberAt(tenant, "core").is_number()) return "-";
  return fmt::format("{:.0f}", NumberAt(tenant, "core"));
}

void PrintTenant(const json::value& tenant, const ClientContext& context) {
  if (context.json()) return PrintJson(tenant);
  const std::string move = TextAt(tenant, "move");
  const std::string latency = TextAt(tenant, "latency");
  fmt::print("{}",
             PropertyList({{"name", TextAt(tenant, "name")},
                           {"engine", TextAt(tenant, "engine")},
                           {"owner", TextAt(tenant, "owner")},
                           {"epoch", fmt::format("{:.0f}", NumberAt(tenant, "epoch"))},
                           {"core", CoreText(tenant)},
                           {"state", TextAt(tenant, "state")},
                           {"size", SizeText(tenant)},
                           {"pages", PagesText(tenant)},
                           {"created", FormatTime(static_cast<int64_t>(NumberAt(tenant, "created_at")))},
                           {"latency", latency.empty() ? "-" : latency},
                           {"quotas", QuotasText(tenant)},
                           {"move", move.empty() ? "-" : move}}));
}

Result<void> PrintWithAccount(const json::value& tenant, const ClientContext& context) {
  PrintTenant(tenant, context);
  if (!context.json()) PrintAccount(tenant);
  return {};
}

Result<void> Create(ClientContext& context, const TenantOptions& options) {
  json::object request{{"name", options.name}, {"engine", options.engine}};
  if (!options.node.empty()) request["node"] = options.node;
  TW_TRY_ASSIGN(const json::value tenant, context.admin.Post("/v1/tenants", request));
  return PrintWithAccount(tenant, context);
}

Result<void> List(ClientContext& context) {
  TW_TRY_ASSIGN(const json::value answer, context.admin.Get("/v1/tenants"));
  const json::value& tenants = MemberAt(answer, "tenants");
  if (context.json()) {
    PrintJson(tenants);
    return {};
  }
  Table table({"NAME", "ENGINE", "OWNER", "EPOCH", "STATE", "SIZE"});
  if (const json::array* rows = tenants.if_array()) {
    for (const json::value& tenant : *rows) {
      table.AddRow({TextAt(tenant, "name"), TextAt(tenant, "engine"), TextAt(tenant, "owner"),
                    fmt::format("{:.0f}", NumberAt(tenant, "epoch")), TextAt(tenant, "state"),
                    SizeText(tenant)});
    }
  }
  fmt::print("{}", table.ToString());
  return {};
}

Result<void> Show(ClientContext& context, const TenantOptions& options) {
  TW_TRY_ASSIGN(const json::value tenant, context.admin.Get("/v1/tenants/" + EscapeSegment(options.name)));
  PrintTenant(tenant, context);
  return {};
}

Result<void> Set(ClientContext& context, const TenantOptions& options) {
  TW_TRY_ASSIGN(json::object quotas, QuotasOf(options));
  if (options.latency.empty() && !options.core && quotas.empty())
    return Fail(ErrorKind::kInvalid, "FLAG_MISSING", "nothing is said to be set",
                "give --latency, --core or one of --quota-…");
  json::object request;
  if (!quotas.empty()) request["quotas"] = std::move(quotas);
  if (options.core) request["core"] = *options.core;
  if (options.latency == "none") {
    request["latency"] = nullptr;
  } else if (!options.latency.empty()) {
    TW_TRY_ASSIGN(const pace::Objective objective,
                  OfFlag("--latency", pace::ParseObjective(options.latency)));
    request["latency"] = pace::ToText(objective);
  }
  TW_TRY_ASSIGN(const json::value tenant,
                context.admin.Send("PATCH", "/v1/tenants/" + EscapeSegment(options.name), request));
  PrintTenant(tenant, context);
  return {};
}

Result<void> ResetPassword(ClientContext& context, const TenantOptions& options) {
  TW_TRY_ASSIGN(const json::value tenant,
                context.admin.Post("/v1/tenants/" + EscapeSegment(options.name) + "/reset-password", {}));
  return PrintWithAccount(tenant, context);
}

Result<void> Delete(ClientContext& context, const TenantOptions& options) {
  TW_TRY(context.admin.Delete("/v1/tenants/" + EscapeSegment(options.name)));
  if (context.json())
    PrintJson(json::object{{"deleted", options.name}});
  else
    fmt::print("tenant {} is deleted\n", options.name);
  return {};
}

}  // namespace

void AddTenantCommands(Command app, CommandLine& line) {
  const Command tenant = app.AddCommand("tenant", "Tenants: databases, each owned by one node");
  tenant.RequireCommand();
  tenant.FallThrough();
  auto options = std::make_shared<TenantOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    const Command command = tenant.AddCommand(name, what);
    command.FallThrough();
    command.OnGiven([&line, options, run] {
      line.action = [&line, options, run] {
        return RunClient(line.global, [&](ClientContext& context) { return run(context, *options); });
      };
    });
    return command;
  };
  const auto add_name = [&](const Command command) {
    command.AddOption("NAME", options->name, "The tenant: letters a-z, digits, '-' and '_'").Required();
  };

  const Command create = add("create", "Make an empty tenant", Create);
  add_name(create);
  create.AddOption("--engine", options->engine, "sqlite (default) or mariadb").OneOf({"sqlite", "mariadb"});
  create.AddOption("--node", options->node, "The node to own it; default: the cluster's choice");
  add("list", "All tenants of the cluster",
      [](ClientContext& context, const TenantOptions&) { return List(context); });
  add_name(add("show", "One tenant", Show));
  const Command set = add("set", "Change what is wished for a tenant", Set);
  add_name(set);
  set.AddOption("--latency", options->latency,
                "The latency that moves on its node are to keep for it, such as p95:5ms, or none")
      .ValueName("LATENCY|none");
  set.AddOption("--core", options->core,
                "The core of its node that it is pinned to, by its number; requests wait for about one sync")
      .ValueName("N");
  const auto add_quota = [&](const char* name, std::string& value, const char* what, const char* form) {
    set.AddOption(name, value, what).ValueName(form);
  };
  add_quota("--quota-size", options->size,
            "How large its file may become; none for no bound, default for the node's", "SIZE|none|default");
  add_quota("--quota-memory", options->memory, "What its statements may take of memory together",
            "SIZE|none|default");
  add_quota("--quota-statement-time", options->statement_time, "How long a statement may run",
            "D|none|default");
  add_quota("--quota-streams", options->streams, "How many streams may be open at a time", "N|none|default");
  add_quota("--quota-requests", options->requests, "How many requests may begin a second", "N|none|default");
  add_quota("--quota-cpu", options->cpu, "Which part of its core it may have, such as 50%",
            "PERCENT|none|default");
  add_name(add("reset-password", "Give the account of a MariaDB tenant a new password, and show it once",
               ResetPassword));
  add_name(add("delete", "Delete a tenant and its data", Delete));
  AddTransferCommands(tenant, line);
}

}  // namespace tradewind::cli
