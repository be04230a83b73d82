// tradewind move start | watch | cancel | set | list | show
#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <memory>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/follow.h"
#include "cli/move_receipt.h"
#include "cli/pace_flags.h"
#include "cli/table.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

struct MoveOptions {
  std::string tenant;
  std::string destination;
  std::string method = "zephyr";
  std::string warm_up;
  std::string keep_source;
  std::string compress;
  PaceFlags pace;
  bool wait = false;
  bool verify_again = false;
  std::string id;
};

void PrintReceipt(const json::value& receipt, const ClientContext& context) {
  if (context.json())
    PrintJson(receipt);
  else
    fmt::print("{}", ReceiptText(receipt));
}

Result<json::object> StartRequest(const MoveOptions& options) {
  json::object request{{"tenant", options.tenant}, {"to", options.destination}, {"method", options.method}};
  if (!options.warm_up.empty()) request["warm_up"] = options.warm_up;
  if (!options.compress.empty()) request["compress"] = options.compress;
  if (!options.keep_source.empty()) {
    TW_TRY_ASSIGN(const auto keep, OfFlag("--keep-source", ParseDuration(options.keep_source)));
    request["keep_source_s"] = std::chrono::duration<double>(keep).count();
  }
  TW_TRY(AddPace(options.pace, request));
  return request;
}

std::string PathOf(const std::string& id) {
  return "/v1/moves/" + EscapeSegment(id);
}

// Waits until the move has ended, or has stopped and waits for us, showing progress; returns the last receipt.
Result<json::value> AwaitEnd(ClientContext& context, const Interruption& interruption,
                             const std::string& id) {
  MoveProgress progress;
  Followed followed;
  followed.path = PathOf(id);
  followed.what = "move " + id;
  followed.later = "tradewind move watch " + id;
  followed.is_over = [](const json::value& receipt) -> Result<bool> {
    return MoveHasEnded(receipt) || MoveHasStopped(receipt);
  };
  followed.line = [&](const json::value& receipt) { return progress.Line(receipt, context.core.Now()); };
  return Follow(context, interruption, followed);
}

// An error for a move that ended without having moved the tenant.
Result<void> CheckMoved(const json::value& receipt) {
  if (TextAt(receipt, "phase") == "done" && FlagAt(receipt, "verified")) return {};
  const std::string error = TextAt(receipt, "error");
  if (MoveHasStopped(receipt))
    return Fail(ErrorKind::kIo, "MOVE_STOPPED",
                fmt::format("move {} has stopped: {}", TextAt(receipt, "id"), error));
  return Fail(
      ErrorKind::kIo, "MOVE_NOT_DONE",
      fmt::format("move {} ended as {}{}", TextAt(receipt, "id"), TextAt(receipt, "phase"),
                  error.empty() ? std::string() : ": " + error),
      fmt::format("the tenant is where \"tradewind tenant show {}\" says", TextAt(receipt, "tenant")));
}

Result<void> Start(ClientContext& context, const MoveOptions& options) {
  TW_TRY_ASSIGN(const json::object request, StartRequest(options));
  std::optional<Interruption> interruption;
  if (options.wait) interruption.emplace(context);
  TW_TRY_ASSIGN(json::value receipt, context.admin.Post("/v1/moves", request));
  if (!options.wait) {
    PrintReceipt(receipt, context);
    return {};
  }
  TW_TRY_ASSIGN(receipt, AwaitEnd(context, *interruption, TextAt(receipt, "id")));
  PrintReceipt(receipt, context);
  return CheckMoved(receipt);
}

Result<void> Watch(ClientContext& context, const MoveOptions& options) {
  const Interruption interruption(context);
  TW_TRY_ASSIGN(const json::value receipt, AwaitEnd(context, interruption, options.id));
  PrintReceipt(receipt, context);
  return CheckMoved(receipt);
}

Result<void> Cancel(ClientContext& context, const MoveOptions& options) {
  std::optional<Interruption> interruption;
  if (options.wait) interruption.emplace(context);
  TW_TRY_ASSIGN(json::value receipt, context.admin.Post(PathOf(options.id) + "/cancel", {}));
  if (options.wait) {
    TW_TRY_ASSIGN(receipt, AwaitEnd(context, *interruption, options.id));
  }
  PrintReceipt(receipt, context);
  if (TextAt(receipt, "phase") != "done") return {};
  return Fail(ErrorKind::kRefused, "MOVE_OVER",
              fmt::format("move {} was done before it could be cancelled", options.id),
              fmt::format("move the tenant back with: tradewind move start {} --to {}",
                          TextAt(receipt, "tenant"), TextAt(receipt, "source")));
}

Result<void> Set(ClientContext& context, const MoveOptions& options) {
  json::object request;
  if (options.verify_again)
    request["verify_again"] = true;
  else
    TW_TRY(AddPace(options.pace, request));
  TW_TRY_ASSIGN(const json::value receipt, context.admin.Send("PATCH", PathOf(options.id), request));
  PrintReceipt(receipt, context);
  return {};
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
  TW_TRY_ASSIGN(const json::value receipt, context.admin.Get(PathOf(options.id)));
  PrintReceipt(receipt, context);
  return {};
}

}  // namespace

void AddMoveCommands(Command app, CommandLine& line) {
  const Command move = app.AddCommand("move", "Moves of tenants to other nodes, while they are in use");
  move.RequireCommand();
  move.FallThrough();
  auto options = std::make_shared<MoveOptions>();
  const auto add = [&](const char* name, const char* what, auto run) {
    const Command command = move.AddCommand(name, what);
    command.FallThrough();
    command.OnGiven([&line, options, run] {
      line.action = [&line, options, run] {
        return RunClient(line.global, [&](ClientContext& context) { return run(context, *options); });
      };
    });
    return command;
  };
  const Command start = add("start", "Start a move; prints its receipt", Start);
  start.AddOption("NAME", options->tenant, "The tenant").Required();
  start.AddOption("--to", options->destination, "The node to move it to").Required().ValueName("NODE");
  AddPaceFlags(start, options->pace);
  start
      .AddOption("--finish-by", options->pace.finish_by,
                 "Be done within this time, such as 10m, at the cost of latency if need be")
      .ValueName("DURATION")
      .Excludes("--rate");
  start
      .AddOption("--method", options->method,
                 "zephyr (default), or stop-and-copy: requests wait while it is copied")
      .OneOf({"zephyr", "stop-and-copy"});
  start
      .AddOption("--warm-up", options->warm_up,
                 "What to send before the hand-over: none (default), hot (what was used lately) or all")
      .OneOf({"none", "hot", "all"});
  start
      .AddOption(
          "--keep-source", options->keep_source,
          "Keep the source current after the hand-over for so long, such as 1h, so that a cancel goes back "
          "at once; for engine mariadb")
      .ValueName("DURATION");
  start.AddOption("--compress", options->compress, "Compress what is sent; for engine mariadb")
      .OneOf({"zstd"});
  start.AddFlag("--wait", options->wait,
                "Wait until it has ended; exit code 1 when the tenant was not moved");
  add("list", "All moves, the newest first", List);
  const auto add_with_id = [&](const char* name, const char* what, auto run) {
    const Command command = add(name, what, run);
    command.AddOption("ID", options->id, "The move").Required();
    return command;
  };
  add_with_id("show", "The receipt of a move, also while it runs", Show);
  add_with_id("watch", "Wait until a move has ended; exit code 1 when the tenant was not moved", Watch);
  add_with_id("cancel", "Cancel a move: the tenant stays where it was, or goes back there", Cancel)
      .AddFlag("--wait", options->wait, "Wait until it has ended");
  const Command set =
      add_with_id("set", "Change the setpoint or the rate of a move, or go on with one that stopped", Set);
  const Command pace = set.AddChoice("pace");
  AddPaceFlags(pace, options->pace);
  pace.AddFlag("--verify-again", options->verify_again,
               "Compare the two copies again, of a move that stopped because they differed");
}

}  // namespace tradewind::cli
