// Moves of tenants of several sizes between two real nodes, under an open-loop load of reads and writes
// through both, by zephyr and by stop-and-copy; and without load beside the raw limit of this machine.
//
//   move_bench [--sizes 100MB,1GB,4GB] [--repeat N] [--per-second 400] [--keys zipfian|uniform] [--json FILE]
//   move_bench --idle [--sizes 500MB] [--repeat 8] [--json FILE]
//
// With --idle, only pairs of moves that nobody feels, one at the pace of latency and one without a limit: how
// much longer the first takes; exit code 1 when the median is over the aim.
//
// Prints a table, progress on stderr. Exit code 1 when a request failed under zephyr, a transaction was
// aborted, an acknowledged row was lost, or a move was refused or not verified. Everything that it makes lies
// in a temporary folder (under TMPDIR or /tmp; room for two and a half times the largest tenant), which it
// removes.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/units.h"
#include "cli/arguments.h"
#include "idle_pairs.h"
#include "measured_move.h"
#include "move_report.h"
#include "net/http_client.h"
#include "outcome.h"
#include "raw_copy.h"
#include "runtime/real_core.h"
#include "tenant_file.h"

namespace tradewind::bench {
namespace {

// From here on nothing is repeated, so that a slow machine ends in time too.
constexpr runtime::Duration kRepeatUntil = std::chrono::minutes(5);

// Of a size, with --idle.
constexpr int kIdlePairs = 8;

struct Options {
  std::vector<std::string> sizes;
  bool idle = false;
  int repeat = 0;  // 0: by the size.
  double per_second = 400;
  int connections = 32;
  std::string keys = "zipfian";
  std::string json;
};

// Small tenants are moved several times, for medians; a large one takes long enough as it is.
int RepeatsOf(const Options& options, uint64_t size) {
  if (options.repeat > 0) return options.repeat;
  return size <= 200'000'000 ? 5 : size <= 1'500'000'000 ? 3 : 1;
}

void Say(const std::string& what) {
  fmt::print(stderr, "{}\n", what);
}

class MoveBench {
 public:
  MoveBench(runtime::RealCore& core, net::HttpClient& http, const Options& options)
      : core_(core), http_(http), options_(options) {}

  Result<MoveReport> Run() {
    report_.per_second = options_.per_second;
    TW_TRY_ASSIGN(LocalNodes nodes, LocalNodes::Start(core_, http_));
    nodes_ = std::move(nodes);
    for (const std::string& text : options_.sizes) {
      TW_TRY_ASSIGN(const uint64_t size, ParseSize(text));
      TW_TRY(options_.idle ? MeasureIdle(size) : Measure(size));
    }
    if (auto stopped = nodes_->Stop(); !stopped) report_.stop_error = Describe(stopped.error());
    return report_;
  }

  const std::vector<IdlePairs>& idle_pairs() const { return idle_pairs_; }

 private:
  // In turns, so that each kind of move goes both ways as often as the other, and comes second as often.
  Result<void> MeasureIdle(uint64_t size) {
    TW_TRY(MakeTenant(size));
    IdlePairs series{FormatSize(size), {}};
    const int pairs = options_.repeat > 0 ? options_.repeat : kIdlePairs;
    for (int i = 0; i < pairs; ++i) {
      IdlePair pair;
      for (const bool paced : {i % 2 == 0, i % 2 != 0}) {
        MoveToMeasure move = Next(size, "zephyr");
        move.paced = paced;
        TW_TRY_ASSIGN(const MoveFigures figures, MoveIdle(core_, *nodes_, move));
        Conclude(move, figures);
        if (!figures.verified())
          return Fail(ErrorKind::kInternal, "MOVE_NOT_DONE", "a move was not done: " + figures.refusal);
        (paced ? pair.paced_s : pair.unlimited_s) = std::chrono::duration<double>(figures.whole).count();
      }
      series.pairs.push_back(pair);
    }
    idle_pairs_.push_back(std::move(series));
    TW_TRY_ASSIGN(auto admin, nodes_->Admin(owner_));
    TW_TRY(admin.Delete("/v1/tenants/" + tenant_));
    return nodes_->AwaitDeleted(tenant_, owner_);
  }

  Result<void> Measure(uint64_t size) {
    TW_TRY(MakeTenant(size));
    const int repeats = RepeatsOf(options_, size);
    for (int i = 0; i < repeats && HasTime(i); ++i) TW_TRY(MoveLoaded(size, "zephyr"));
    TW_TRY(MoveLoaded(size, "stop-and-copy"));
    RawComparison comparison{size, {}, {}};
    // In turns, and each order as often as the other: what comes second finds the disk more tired.
    for (int i = 0; i < std::max(repeats, 4) / 2 && HasTime(i); ++i) {
      TW_TRY(CopyRaw(comparison));
      TW_TRY(MoveWithoutLoad(size, comparison));
      TW_TRY(MoveWithoutLoad(size, comparison));
      TW_TRY(CopyRaw(comparison));
    }
    report_.comparisons.push_back(std::move(comparison));
    TW_TRY_ASSIGN(auto admin, nodes_->Admin(owner_));
    TW_TRY(admin.Delete("/v1/tenants/" + tenant_));
    return nodes_->AwaitDeleted(tenant_, owner_);
  }

  bool HasTime(int repeated) const {
    if (repeated == 0 || core_.Now() - began_ < kRepeatUntil) return true;
    Say("this takes long: no more repeats");
    return false;
  }

  Result<void> MakeTenant(uint64_t size) {
    tenant_ = fmt::format("t{}", size);
    owner_ = "n1";
    last_event_ = 0;
    const std::string path = nodes_->folder() + "/import.db";
    const runtime::TimePoint began = core_.Now();
    Result<TenantFile> file;
    core_.RunOffCore([&] { file = MakeTenantFile(path, size); });
    TW_TRY(file);
    items_ = file->items;
    const runtime::TimePoint made = core_.Now();
    auto imported = nodes_->Import(tenant_, path, owner_);
    core_.RunOffCore([&] { std::filesystem::remove(path); });
    TW_TRY(std::move(imported));
    Say(fmt::format("{}: file of {} made in {}, imported in {}", FormatSize(size), FormatSize(file->bytes),
                    FormatDuration(made - began), FormatDuration(core_.Now() - made)));
    return {};
  }

  MoveToMeasure Next(uint64_t size, const std::string& method) const {
    MoveToMeasure move;
    move.size = size;
    move.tenant = tenant_;
    move.from = owner_;
    move.to = owner_ == "n1" ? "n2" : "n1";
    move.method = method;
    return move;
  }

  void Conclude(const MoveToMeasure& move, const MoveFigures& figures) {
    if (!figures.refusal.empty())
      Say(fmt::format("{} by {}: REFUSED: {}", FormatSize(move.size), move.method, figures.refusal));
    else
      Say(fmt::format("{} by {} from {} to {}{}{}: {}{}", FormatSize(move.size), move.method, move.from,
                      move.to, figures.load ? " under load" : "", move.paced ? " at the pace of latency" : "",
                      FormatDuration(figures.whole), figures.ok() ? "" : "  NOT AS IT MUST BE"));
    if (figures.verified()) owner_ = move.to;
  }

  Result<void> MoveLoaded(uint64_t size, const std::string& method) {
    const MoveToMeasure move = Next(size, method);
    MixedLoadOptions options;
    options.tenants = {tenant_};
    options.servers = nodes_->urls();
    options.items = items_;
    options.per_second = options_.per_second;
    options.workers = options_.connections;
    options.keys = options_.keys == "uniform" ? load::KeyChoice::kUniform : load::KeyChoice::kZipfian;
    options.seed = report_.under_load.size() + 1;
    options.last_event = last_event_;
    TW_TRY_ASSIGN(const auto load, MixedLoad::Make(core_, http_, options));
    TW_TRY_ASSIGN(MoveFigures figures, MoveUnderLoad(core_, http_, *nodes_, move, *load));
    last_event_ = load->last_event();
    Conclude(move, figures);
    const bool stuck = figures.refusal.empty() && !figures.verified();
    report_.under_load.push_back(std::move(figures));
    if (stuck)
      return Fail(ErrorKind::kInternal, "MOVE_NOT_DONE",
                  "a move was not done, and what follows would mean nothing:\n" + Text(report_));
    return {};
  }

  Result<void> CopyRaw(RawComparison& comparison) {
    const std::string from = nodes_->FileOf(tenant_, owner_);
    const std::string to = nodes_->folder() + "/raw.db";
    TW_TRY(Settle(core_, from));
    Result<RawCopy> copy;
    core_.RunOffCore([&] {
      copy = CopyThroughSocket(from, to);
      std::filesystem::remove(to);
    });
    TW_TRY(copy);
    Say(fmt::format("{} through a bare socket: {:.2f} s", FormatSize(copy->bytes), copy->seconds));
    comparison.raw_s.push_back(copy->seconds);
    return {};
  }

  Result<void> MoveWithoutLoad(uint64_t size, RawComparison& comparison) {
    const MoveToMeasure move = Next(size, "zephyr");
    TW_TRY_ASSIGN(MoveFigures figures, MoveIdle(core_, *nodes_, move));
    Conclude(move, figures);
    if (figures.verified()) comparison.move_s.push_back(std::chrono::duration<double>(figures.whole).count());
    report_.idle.push_back(std::move(figures));
    return {};
  }

  runtime::RealCore& core_;
  net::HttpClient& http_;
  const Options& options_;
  const runtime::TimePoint began_ = core_.Now();
  std::optional<LocalNodes> nodes_;
  std::string tenant_;
  std::string owner_;
  int64_t items_ = 0;
  int64_t last_event_ = 0;
  MoveReport report_;
  std::vector<IdlePairs> idle_pairs_;
};

Outcome OutcomeOf(const std::vector<IdlePairs>& all) {
  Outcome outcome;
  boost::json::array series;
  for (const IdlePairs& one : all) {
    outcome.text += Text(one);
    series.push_back(Json(one));
    outcome.ok = outcome.ok && one.ok();
  }
  outcome.json = std::move(series);
  return outcome;
}

int Run(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto core = runtime::RealCore::Create();
  Result<MoveReport> report;
  Outcome outcome;
  core->RunUntilReturned("move bench", [&] {
    net::HttpClient http(*core);
    {
      MoveBench bench(*core, http, options);
      report = bench.Run();
      if (report)
        outcome = options.idle ? OutcomeOf(bench.idle_pairs())
                               : Outcome{Text(*report), Json(*report), report->ok()};
    }
    http.Close();
  });
  if (!report) {
    Say(Describe(report.error()));
    return 1;
  }
  return Conclude(outcome, options.json);
}

}  // namespace
}  // namespace tradewind::bench

int main(int argc, char** argv) {
  tradewind::bench::Options options;
  tradewind::cli::Arguments arguments("Moves of tenants under load, and beside the raw limit of this machine",
                                      "move_bench");
  const tradewind::cli::Command app = arguments.root();
  app.AddOption("--sizes", options.sizes, "Of the tenants; default: 100MB,1GB,4GB, with --idle 500MB")
      .SeparatedBy(',');
  app.AddFlag("--idle", options.idle,
              "Pairs of moves that nobody feels: at the pace of latency, without a limit");
  app.AddOption("--repeat", options.repeat,
                "Moves of each tenant by zephyr; default: 5, 3 or 1 by size; with --idle pairs; default: 8");
  app.AddOption("--per-second", options.per_second, "Arrivals of the load").Positive().ShowDefault();
  app.AddOption("--connections", options.connections, "Of the load, through both nodes together")
      .Between(1, 1000)
      .ShowDefault();
  app.AddOption("--keys", options.keys, "Which items are wanted").OneOf({"zipfian", "uniform"}).ShowDefault();
  app.AddOption("--json", options.json, "A file that gets all figures");
  if (const auto over = arguments.Parse(argc, argv)) return static_cast<int>(*over);
  if (options.sizes.empty() && options.idle) options.sizes = {"500MB"};
  if (options.sizes.empty()) options.sizes = {"100MB", "1GB", "4GB"};
  return tradewind::bench::Run(options);
}
