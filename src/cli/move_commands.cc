// tradewind move start | list | show
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/move_receipt.h"
#include "cli/table.h"
#include "runtime/fiber.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto kPollPause = 100ms;
// A move outlives its nodes' restarts, so a node that does not answer for a while does not end the waiting.
constexpr auto kUnreachablePatience = 30s;

struct MoveOptions {
  std::string tenant;
  std::string destination;
  std::string method = "zephyr";
  std::string warm_up;
  std::string rate;
  std::string setpoint;
  bool wait = false;
  std::string id;
};

void PrintReceipt(const json::value& receipt, const ClientContext& context) {
  if (context.json())
    PrintJson(receipt);
  else
    fmt::print("{}", ReceiptText(receipt));
}

Result<json::object> StartRequest(const MoveOptions& options) {
  if (!options.setpoint.empty()) {
    TW_TRY(ParseDuration(options.setpoint));
    return NotThereYet("--setpoint (give a --rate instead)");
  }
  if (options.method != "zephyr") return NotThereYet("--method " + options.method);
  if (options.warm_up == "hot") return NotThereYet("--warm-up hot");
  json::object request{{"tenant", options.tenant}, {"to", options.destination}, {"method", options.method}};
  if (!options.warm_up.empty()) request["warm_up"] = options.warm_up;
  if (!options.rate.empty()) {
    TW_TRY_ASSIGN(const uint64_t rate, ParseRate(options.rate));
    request["rate_bytes_per_s"] = rate;
  }
  return request;
}

Error Interrupted(const std::string& id) {
  return {ErrorKind::kRefused, std::string(kInterruptedCode),
          fmt::format("the waiting ended, and move {} goes on", id),
          fmt::format("follow it with: tradewind move show {}", id)};
}

// Polls until the move has ended, showing progress; returns the last receipt.
Result<json::value> Follow(ClientContext& context, const std::string& id) {
  runtime::Event interrupted;
  context.core.OnSignal([&interrupted](int) { interrupted.Set(); });
  runtime::TimePoint last_answer = context.core.Now();
  size_t shown = 0;
  for (;;) {
    auto receipt = context.admin.Get("/v1/moves/" + EscapeSegment(id));
    if (receipt) {
      last_answer = context.core.Now();
      if (ProgressIsWanted()) {
        const std::string progress = ProgressLine(*receipt);
        fmt::print(stderr, "\r{:<{}}", progress, shown);
        shown = progress.size();
      }
      if (MoveHasEnded(*receipt)) {
        if (shown > 0) fmt::print(stderr, "\n");
        return receipt;
      }
    } else if (receipt.error().kind == ErrorKind::kNotFound || receipt.error().kind == ErrorKind::kInvalid ||
               context.core.Now() - last_answer > kUnreachablePatience) {
      return receipt;
    }
    if (interrupted.WaitUntil(context.core.Now() + kPollPause)) {
      if (shown > 0) fmt::print(stderr, "\n");
      return Fail(Interrupted(id));
    }
  }
}

// An error for a move that ended without having moved the tenant.
Result<void> Judge(const json::value& receipt) {
  if (TextAt(receipt, "phase") == "done" && FlagAt(receipt, "verified")) return {};
  const std::string error = TextAt(receipt, "error");
  return Fail(
      ErrorKind::kIo, "MOVE_NOT_DONE",
      fmt::format("move {} ended as {}{}", TextAt(receipt, "id"), TextAt(receipt, "phase"),
                  error.empty() ? std::string() : ": " + error),
      fmt::format("the tenant is where \"tradewind tenant show {}\" says", TextAt(receipt, "tenant")));
}

Result<void> Start(ClientContext& context, const MoveOptions& options) {
  TW_TRY_ASSIGN(const json::object request, StartRequest(options));
  TW_TRY_ASSIGN(json::value receipt, context.admin.Post("/v1/moves", request));
  if (!options.wait) {
    PrintReceipt(receipt, context);
    return {};
  }
  TW_TRY_ASSIGN(receipt, Follow(context, TextAt(receipt, "id")));
  PrintReceipt(receipt, context);
  return Judge(receipt);
}

Result<void> List(ClientContext& context, const MoveOptions&) {
  TW_TRY_ASSIGN(const json::value answer, context.admin.Get("/v1/moves"));
  const json::value& moves = MemberAt(answer, "moves");
  if (context.json()) {
    PrintJson(moves);
    return {};
  }
  Table table({"ID", "TENANT", "FROM", "TO", "PHASE", "SENT", "HAND-OVER", "STARTED"});
  if (const json::array* rows = moves.if_array()) {
    for (const json::value& move : *rows) {
      table.AddRow({TextAt(move, "id"), TextAt(move, "tenant"), TextAt(move, "source"),
                    TextAt(move, "destination"), TextAt(move, "phase"),
                    FormatSize(static_cast<uint64_t>(NumberAt(move, "bytes_sent"))),
                    MillisecondsText(MemberAt(MemberAt(move, "phases"), "handover_ms")),
                    FormatTime(static_cast<int64_t>(NumberAt(move, "started_at")))});
    }
  }
  fmt::print("{}", table.ToString());
  return {};
}

Result<void> Show(ClientContext& context, const MoveOptions& options) {
  TW_TRY_ASSIGN(const json::value receipt, context.admin.Get("/v1/moves/" + EscapeSegment(options.id)));
  PrintReceipt(receipt, context);
  return {};
}

}  // namespace

void AddMoveCommands(CLI::App& app, CommandLine& line) {
  CLI::App* move = app.add_subcommand("move", "Moves of tenants to other nodes, while they are in use");
  move->require_subcommand(1);
  move->fallthrough();
  auto options = std::make_shared<MoveOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    CLI::App* command = move->add_subcommand(name, what);
    command->fallthrough();
    command->callback([&line, options, run] {
      line.action = [&line, options, run] {
        return RunClient(line.global, [&](ClientContext& context) { return run(context, *options); });
      };
    });
    return command;
  };
  CLI::App* start = add("start", "Start a move; prints its receipt", Start);
  start->add_option("NAME", options->tenant, "The tenant")->required();
  start->add_option("--to", options->destination, "The node to move it to")->required()->type_name("NODE");
  start->add_option("--rate", options->rate, "Send at most this much, such as 50MB/s; default: no limit")
      ->type_name("RATE");
  start->add_option("--setpoint", options->setpoint, "Keep latency at this (not there yet)")
      ->type_name("DURATION")
      ->excludes("--rate");
  start->add_option("--method", options->method, "zephyr (default) or stop-and-copy (not there yet)")
      ->check(CLI::IsMember({"zephyr", "stop-and-copy"}));
  start
      ->add_option("--warm-up", options->warm_up,
                   "What to send before the hand-over: none, hot (not there yet) or all")
      ->check(CLI::IsMember({"none", "hot", "all"}));
  start->add_flag("--wait", options->wait,
                  "Wait until it has ended; exit code 1 when the tenant was not moved");
  add("list", "All moves, the newest first", List);
  add("show", "The receipt of a move, also while it runs", Show)
      ->add_option("ID", options->id, "The move")
      ->required();
  for (const char* name : {"watch", "cancel", "set"})
    AddMissingCommand(*move, line, name, std::string("move ") + name);
}

}  // namespace tradewind::cli
