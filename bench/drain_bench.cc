// A node of many small tenants is drained while they are used lightly through both nodes.
//
//   drain_bench [--tenants 5000] [--size 200KB] [--per-second 200] [--json FILE]
//   drain_bench --idle [--tenants 1000] [--size 200KB] [--repeat 6] [--json FILE]
//
// With --idle nobody uses the tenants, and they are drained to and fro in pairs: at the pace of latency, and without a
// limit. Prints how much longer the first takes; exit code 1 when the median is over the aim.
//
// Prints how long the tenants took to make, tenants a second, the whole time, and latency before, during and
// after. Exit code 1 when a request failed, a transaction was aborted, an acknowledged row was lost, or the
// node was not drained. Everything that it makes lies in a temporary folder, which it removes.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <optional>

#include "base/units.h"
#include "cli/arguments.h"
#include "cli/client_command.h"
#include "cli/table.h"
#include "idle_pairs.h"
#include "local_nodes.h"
#include "mixed_load.h"
#include "net/http_client.h"
#include "outcome.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"
#include "settled_disk.h"
#include "tenant_file.h"

namespace tradewind::bench {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

// Fewer than a node takes at a time (limits::kOpenTransfers).
constexpr int kImports = 12;
constexpr runtime::Duration kWarmUp = 1s;
constexpr runtime::Duration kCalm = 4s;
constexpr runtime::Duration kPollPause = 20ms;
constexpr runtime::Duration kDrainPatience = 4min;

struct Options {
  int tenants = 0;
  bool idle = false;
  int repeat = 6;
  std::string size = "200KB";
  double per_second = 200;
  std::string json;
};

void Say(const std::string& what) {
  fmt::print(stderr, "{}\n", what);
}

double Milliseconds(runtime::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double Seconds(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

struct Report {
  int tenants = 0;
  uint64_t file_bytes = 0;
  double per_second = 0;
  runtime::Duration made{};
  runtime::Duration drained{};
  json::value progress;  // The node's own, at the end.
  load::LatencySummary before, during, after;
  runtime::Duration longest_gap{};
  MixedLoadCounts counts;
  MixedRequests::Findings findings;
  std::vector<std::string> complaints;
  std::string stop_error;  // A node did not end as it must when it was asked to.

  bool is_drained() const { return cli::TextAt(progress, "state") == "drained"; }
  double rate() const { return cli::NumberAt(progress, "moved") / Seconds(drained); }
  bool ok() const {
    return stop_error.empty() && is_drained() && counts.failed + counts.aborted == 0 &&
           findings.lost + findings.ghosts == 0;
  }
};

class DrainBench {
 public:
  DrainBench(runtime::RealCore& core, net::HttpClient& http, const Options& options)
      : core_(core), http_(http), options_(options) {}

  Result<Report> Run() {
    TW_TRY_ASSIGN(LocalNodes nodes, LocalNodes::Start(core_, http_));
    nodes_ = std::move(nodes);
    TW_TRY(MakeTenants());
    TW_TRY(options_.idle ? DrainIdle() : DrainUnderLoad());
    if (auto stopped = nodes_->Stop(); !stopped) report_.stop_error = Describe(stopped.error());
    return report_;
  }

  const IdlePairs& idle_pairs() const { return idle_; }

 private:
  Result<void> MakeTenants() {
    TW_TRY_ASSIGN(const uint64_t size, ParseSize(options_.size));
    TW_TRY_ASSIGN(file_, MakeTenantFile(nodes_->folder() + "/import.db", size));
    for (int i = 0; i < options_.tenants; ++i) names_.push_back(fmt::format("t{:05}", i));
    const runtime::TimePoint began = core_.Now();
    size_t next = 0;
    Result<void> outcome;
    runtime::TaskGroup imports(core_);
    for (int i = 0; i < kImports; ++i)
      imports.Spawn("import", [&] {
        while (outcome && next < names_.size()) {
          auto imported = nodes_->Import(names_[next++], file_.path, "n1");
          if (!imported) outcome = std::move(imported);
        }
      });
    imports.Join();
    TW_TRY(std::move(outcome));
    report_.tenants = options_.tenants;
    report_.file_bytes = file_.bytes;
    report_.made = core_.Now() - began;
    Say(fmt::format("{} tenants of {} imported in {}", options_.tenants, FormatSize(file_.bytes),
                    FormatDuration(report_.made)));
    return SettleDisk(core_, nodes_->folder());
  }

  Result<void> DrainUnderLoad() {
    MixedLoadOptions options;
    options.tenants = names_;
    options.servers = nodes_->urls();
    options.items = file_.items;
    options.per_second = options_.per_second;
    TW_TRY_ASSIGN(const auto mixed, MixedLoad::Make(core_, http_, options));
    mixed->Start();
    runtime::SleepFor(kWarmUp);
    const runtime::TimePoint began = core_.Now();
    runtime::SleepFor(kCalm);
    const runtime::TimePoint command = core_.Now();
    auto drained = Drain();
    const runtime::TimePoint done = core_.Now();
    runtime::SleepFor(kCalm);
    const runtime::TimePoint ended = core_.Now();
    mixed->Stop();
    TW_TRY(std::move(drained));
    report_.per_second = options_.per_second;
    report_.drained = done - command;
    const load::Samples samples = mixed->samples();
    report_.before = samples.SummarizeSentIn({began, command});
    report_.during = samples.SummarizeSentIn({command, done});
    report_.after = samples.SummarizeSentIn({done, ended});
    report_.longest_gap = samples.LongestGap({command, done});
    report_.counts = mixed->counts();
    report_.complaints = mixed->complaints();
    TW_TRY_ASSIGN(report_.findings, mixed->Verify());
    return {};
  }

  // In turns, as the moves of move_bench --idle.
  Result<void> DrainIdle() {
    std::string node = "n1";
    for (int i = 0; i < options_.repeat; ++i) {
      IdlePair pair;
      for (const bool paced : {i % 2 == 0, i % 2 != 0}) {
        TW_TRY(SettleDisk(core_, nodes_->folder()));
        const runtime::TimePoint began = core_.Now();
        TW_TRY(Drain(node, paced));
        if (!report_.is_drained())
          return Fail(ErrorKind::kTimeout, "DRAIN_STUCK", "node " + node + " is not drained",
                      json::serialize(report_.progress));
        (paced ? pair.paced_s : pair.unlimited_s) = Seconds(core_.Now() - began);
        Say(fmt::format("{} drained in {:.2f} s{}", node, Seconds(core_.Now() - began),
                        paced ? " at the pace of latency" : ""));
        TW_TRY_ASSIGN(auto admin, nodes_->Admin(node));
        TW_TRY(admin.Delete("/v1/nodes/" + node + "/drain"));
        node = node == "n1" ? "n2" : "n1";
      }
      idle_.pairs.push_back(pair);
    }
    idle_.what = fmt::format("{} tenants of {}", options_.tenants, FormatSize(file_.bytes));
    return {};
  }

  // Ends when the node is drained, or does not get on any more.
  Result<void> Drain(const std::string& node = "n1", bool paced = false) {
    TW_TRY_ASSIGN(auto admin, nodes_->Admin(node));
    json::object request;
    if (!paced) request["rate_bytes_per_s"] = 0;
    const std::string path = "/v1/nodes/" + node + "/drain";
    TW_TRY(admin.Post(path, request));
    const runtime::TimePoint until = core_.Now() + kDrainPatience;
    double shown = 0;
    for (;;) {
      TW_TRY_ASSIGN(report_.progress, admin.Get(path));
      if (report_.is_drained() || core_.Now() > until) return {};
      const double moved = cli::NumberAt(report_.progress, "moved");
      if (moved >= shown + 500) {
        Say(fmt::format("{:.0f} of {:.0f} moved", moved, cli::NumberAt(report_.progress, "total")));
        shown = moved;
      }
      runtime::SleepFor(kPollPause);
    }
  }

  runtime::RealCore& core_;
  net::HttpClient& http_;
  const Options& options_;
  std::optional<LocalNodes> nodes_;
  TenantFile file_;
  std::vector<std::string> names_;
  Report report_;
  IdlePairs idle_;
};

std::string Text(const Report& report) {
  const auto pair = [](const load::LatencySummary& summary) {
    return fmt::format("{:.1f} / {:.1f} ms of {}", Milliseconds(summary.p50), Milliseconds(summary.p99),
                       summary.count);
  };
  std::string text = cli::PropertyList(
      {{"tenants",
        fmt::format("{} of {}, made in {} ({:.0f} a second)", report.tenants, FormatSize(report.file_bytes),
                    FormatDuration(report.made), report.tenants / Seconds(report.made))},
       {"load",
        fmt::format("{:.0f} requests a second over all tenants, through both nodes", report.per_second)},
       {"drain",
        fmt::format("{} in {}", report.is_drained() ? "done" : "NOT DONE", FormatDuration(report.drained))},
       {"moved", fmt::format("{:.0f}, {:.0f} tenants a second (aim: 200)",
                             cli::NumberAt(report.progress, "moved"), report.rate())},
       {"p50 / p99 before", pair(report.before)},
       {"during", pair(report.during)},
       {"after", pair(report.after)},
       {"longest gap", FormatDuration(report.longest_gap)},
       {"requests", fmt::format("{} sent, {} failed, {} aborted", report.counts.sent, report.counts.failed,
                                report.counts.aborted)},
       {"rows", fmt::format("{} acknowledged, {} lost, {} that nobody wrote", report.findings.acknowledged,
                            report.findings.lost, report.findings.ghosts)}});
  if (!report.is_drained()) text += "progress: " + json::serialize(report.progress) + "\n";
  if (!report.stop_error.empty()) text += report.stop_error + "\n";
  for (const std::string& complaint : report.complaints) text += complaint + "\n";
  return text;
}

json::object Json(const load::LatencySummary& summary) {
  return {{"count", summary.count},
          {"p50_ms", Milliseconds(summary.p50)},
          {"p99_ms", Milliseconds(summary.p99)},
          {"max_ms", Milliseconds(summary.max)}};
}

json::value Json(const Report& report) {
  return json::object{{"ok", report.ok()},
                      {"tenants", report.tenants},
                      {"file_bytes", report.file_bytes},
                      {"made_s", Seconds(report.made)},
                      {"drain_s", Seconds(report.drained)},
                      {"tenants_per_s", report.rate()},
                      {"progress", report.progress},
                      {"before", Json(report.before)},
                      {"during", Json(report.during)},
                      {"after", Json(report.after)},
                      {"longest_gap_ms", Milliseconds(report.longest_gap)},
                      {"sent", report.counts.sent},
                      {"failed", report.counts.failed},
                      {"aborted", report.counts.aborted},
                      {"lost_rows", report.findings.lost}};
}

int Run(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto core = runtime::RealCore::Create();
  Result<Report> report;
  Outcome outcome;
  core->RunUntilReturned("drain bench", [&] {
    net::HttpClient http(*core);
    {
      DrainBench bench(*core, http, options);
      report = bench.Run();
      const IdlePairs& pairs = bench.idle_pairs();
      if (report)
        outcome = options.idle ? Outcome{Text(pairs), Json(pairs), pairs.ok() && report->stop_error.empty()}
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
  tradewind::cli::Arguments arguments("The drain of a node of many small tenants, under load", "drain_bench");
  const tradewind::cli::Command app = arguments.root();
  app.AddOption("--tenants", options.tenants, "How many; default: 5000, with --idle 1000")
      .Between(1, 100'000);
  app.AddFlag("--idle", options.idle,
              "Pairs of drains of tenants that nobody uses: at the pace of latency, without a limit");
  app.AddOption("--repeat", options.repeat, "Pairs, with --idle").Between(1, 1000).ShowDefault();
  app.AddOption("--size", options.size, "Of each").ShowDefault();
  app.AddOption("--per-second", options.per_second, "Arrivals of the load").Positive().ShowDefault();
  app.AddOption("--json", options.json, "A file that gets all figures");
  if (const auto over = arguments.Parse(argc, argv)) return static_cast<int>(*over);
  if (options.tenants == 0) options.tenants = options.idle ? 1000 : 5000;
  return tradewind::bench::Run(options);
}
