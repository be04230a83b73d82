// tradewind demo: two nodes on this machine, a tenant under load, a move there and back at the pace that
// latency allows, the figures, and a report to look at. The nodes are real processes; the load is this
// process, as any client would be.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/units.h"
#include "cli/bench_results.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/demo_display.h"
#include "cli/disk_calm.h"
#include "cli/local_cluster.h"
#include "cli/move_observer.h"
#include "cli/move_receipt.h"
#include "cli/pace_flags.h"
#include "cli/table.h"
#include "load/arrivals.h"
#include "load/generator.h"
#include "load/oltp.h"
#include "load/workload.h"
#include "net/http_client.h"
#include "report/report.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr const char* kTenant = "shop";
constexpr int64_t kAccountBytes = 1000;
constexpr double kWarmUp = 2;            // Seconds, not counted.
constexpr runtime::Duration kCalm = 5s;  // Load without a move, before, between and after.
constexpr runtime::Duration kDiskPatience = 30s;
constexpr runtime::Duration kMovePatience = 10min;
constexpr runtime::Duration kLook = 50ms;

struct DemoOptions {
  std::string engine = "sqlite";
  std::string size;  // Empty, and 0: what suits the engine.
  double rate = 0;
  PaceFlags pace;
  std::string report = "tradewind-demo.html";
};

class Demo {
 public:
  Demo(runtime::RealCore& core, net::HttpClient& http, DemoOptions options, bool silent)
      : core_(core), http_(http), options_(std::move(options)), display_(core, silent) {
    if (options_.size.empty()) options_.size = of_mariadb() ? "100MB" : "300MB";
    if (options_.rate == 0) options_.rate = of_mariadb() ? 40 : 300;
    core_.OnSignal([this](int) { interrupted_.Set(); });
  }

  Result<json::value> Run() {
    TW_TRY(AddPace(options_.pace, request_));
    TW_TRY_ASSIGN(const uint64_t size, OfFlag("--size", ParseSize(options_.size)));
    TW_TRY(StartNodes());
    TW_TRY(MakeTenant(size));
    StartLoad();
    const Result<void> moved = MoveThereAndBack();
    run_.duration_s = generator_->now_s();
    generator_->Stop();
    observer_->Abandon();
    TW_TRY(moved);
    display_.Say(of_mariadb() ? "check    every row"
                              : "check    every transfer, every balance and the database itself");
    TW_TRY_ASSIGN(json::value results, CheckResults());
    TW_TRY(cluster_->Stop());
    return results;
  }

 private:
  bool of_mariadb() const { return options_.engine == "mariadb"; }

  Result<void> StartNodes() {
    TW_TRY_ASSIGN(cluster_, LocalCluster::Start(core_, "/proc/self/exe", 2, {.mysql = of_mariadb()}));
    TW_TRY_ASSIGN(auto admin, AdminClient::Make(core_, http_, cluster_->node("n1").url()));
    admin_ = std::make_unique<AdminClient>(std::move(admin));
    display_.Say(fmt::format("nodes    n1 at {}, n2 at {}, data in {}", cluster_->node("n1").url(),
                             cluster_->node("n2").url(), cluster_->folder()));
    return {};
  }

  Result<void> MakeTenant(uint64_t size) {
    load::WorkloadOptions workload;
    workload.record_bytes = kAccountBytes;
    workload.records = std::max<int64_t>(static_cast<int64_t>(size) / kAccountBytes, 2);
    TW_TRY_ASSIGN(
        const json::value made,
        admin_->Post("/v1/tenants", {{"name", kTenant}, {"engine", options_.engine}, {"node", "n1"}}));
    TW_TRY_ASSIGN(workload_, MakeWorkload(workload, made));
    load::GeneratorOptions generator;
    generator.tenants = run_.tenants = {kTenant};
    generator.servers = cluster_->urls();
    TW_TRY_ASSIGN(generator_, load::Generator::Make(core_, http_, *workload_, generator));
    const runtime::TimePoint began = core_.Now();
    TW_TRY(workload_->Fill(generator_->client_of(0), generator_->random(), [&](uint64_t bytes) {
      display_.Progress(fmt::format("tenant   {} of {}", FormatSize(bytes), FormatSize(size)));
      return CheckInterrupted();
    }));
    TW_TRY(workload_->CheckTables(generator_->client_of(0), 0));
    TW_TRY_ASSIGN(const json::value tenant, admin_->Get(fmt::format("/v1/tenants/{}", kTenant)));
    const std::string pages =
        of_mariadb() ? std::string() : fmt::format(" in {:.0f} pages", NumberAt(tenant, "page_count"));
    display_.Say(fmt::format("tenant   {} on n1: {} of {} {}, {}{}, filled in {}", kTenant,
                             of_mariadb() ? "an instance of MariaDB with a table" : "a bank",
                             workload.records, of_mariadb() ? "rows" : "entries",
                             of_mariadb() ? "some " + options_.size
                                          : FormatSize(static_cast<uint64_t>(NumberAt(tenant, "size_bytes"))),
                             pages, FormatDuration(core_.Now() - began)));
    run_.options = {
        {"size", options_.size}, {"rate", fmt::format("{}/s", options_.rate)}, {"arrivals", "poisson"}};
    return WaitForTheDisk();
  }

  // `made`: what the tenant's creation was answered with.
  Result<std::unique_ptr<load::Workload>> MakeWorkload(const load::WorkloadOptions& options,
                                                       const json::value& made) {
    if (!of_mariadb()) return load::MakeWorkload("bank", options);
    return load::MakeOltp(core_, options,
                          {cluster_->mysql(), TextAt(made, "user"), TextAt(made, "password"), kTenant});
  }

  // What the filling, or a build before it, has left in the operating system's cache would be written beside
  // the load.
  Result<void> WaitForTheDisk() {
    display_.Progress("disk     is done with what came before, in a moment");
    core_.RunOffCore([] { ::sync(); });
    TW_TRY_ASSIGN(const SyncTimes syncs, WaitUntilCalm(core_, cluster_->folder(), kDiskPatience,
                                                       [this] { return interrupted_.is_set(); }));
    TW_TRY(CheckInterrupted());
    const std::string typical =
        fmt::format("a small write is durable in {}", FormatDuration(syncs.typical()));
    display_.Say("disk     " + (syncs.calm() ? typical
                                             : fmt::format("still busy with something else after {}, {}, at "
                                                           "times much later: latencies show that",
                                                           FormatDuration(kDiskPatience), typical)));
    return {};
  }

  void StartLoad() {
    display_.Say(
        of_mariadb()
            ? fmt::format("load     {:.0f} transactions a second by independent users, over sessions "
                          "through both nodes: ten look-ups, four ranges, three changes each",
                          options_.rate)
            : fmt::format("load     {:.0f} requests a second by independent users, through both nodes: "
                          "look-ups, transfers in one request and over three, audits of all balances",
                          options_.rate));
    run_.title = fmt::format("{} there and back", kTenant);
    run_.workload = workload_->name();
    run_.started_at = core_.UnixMilliseconds();
    run_.warm_up_s = kWarmUp;
    load::RateCurve curve;
    curve.steps = {{0, options_.rate}};
    observer_ = std::make_unique<MoveObserver>(core_, *admin_, [this] { return generator_->now_s(); });
    generator_->Start(load::MakePoissonArrivals(curve, 1));
  }

  Result<void> CheckInterrupted() {
    if (!interrupted_.is_set()) return {};
    return Fail(ErrorKind::kRefused, std::string(kInterruptedCode),
                "the demo was interrupted; its nodes are stopped");
  }

  // Suspends for a moment of the display; fails when the user wants to end.
  Result<void> Look(const std::string& owner, const json::value* receipt) {
    display_.Update(LineOf(owner, receipt));
    interrupted_.WaitUntil(core_.Now() + kLook);
    return CheckInterrupted();
  }

  std::string LineOf(const std::string& owner, const json::value* receipt) const {
    const double now = generator_->now_s();
    std::vector<const load::Sent*> recent;
    const auto& sent = generator_->sent();
    for (auto one = sent.rbegin(); one != sent.rend(); ++one) {
      if (one->at_s + static_cast<double>(one->latency_ns) / 1e9 < now - 1) break;
      recent.push_back(&*one);
    }
    const json::value summary = SummaryOf(std::move(recent), 1);
    const auto failed = std::count_if(sent.begin(), sent.end(), [](const load::Sent& one) {
      return one.outcome == load::RequestOutcome::kFailed;
    });
    std::string line =
        fmt::format("{:5.1f} s  on {}  {:4.0f} requests/s  p50 {:>7}  p95 {:>7}  failed {}", now - kWarmUp,
                    owner, NumberAt(summary, "per_s"), MillisecondsText(MemberAt(summary, "p50_ms")),
                    MillisecondsText(MemberAt(summary, "p95_ms")), failed);
    if (!receipt) return line;
    const std::string allowed =
        NumberAt(*receipt, "rate_bytes_per_s") > 0
            ? FormatRate(static_cast<uint64_t>(NumberAt(*receipt, "rate_bytes_per_s")))
            : std::string("all");
    if (of_mariadb())
      return line + fmt::format("  | {:<11} {} sent, {} allowed", StageOf(*receipt),
                                FormatSize(static_cast<uint64_t>(NumberAt(*receipt, "bytes_sent"))), allowed);
    const json::value& pages = MemberAt(*receipt, "pages");
    const double total = NumberAt(pages, "total");
    const double there = std::min(total, NumberAt(pages, "wireframe") + NumberAt(pages, "warm") +
                                             NumberAt(pages, "pulled") + NumberAt(pages, "pushed"));
    return line + fmt::format("  | {:<6} {:3.0f} % of {:.0f} pages, {:.0f} pulled, {} allowed",
                              TextAt(*receipt, "phase"), total > 0 ? there / total * 100 : 0, total,
                              NumberAt(pages, "pulled"), allowed);
  }

  // Of Slacker's steps before the hand-over, which are one phase of a move; else the phase.
  static std::string StageOf(const json::value& receipt) {
    if (TextAt(receipt, "phase") != "init") return TextAt(receipt, "phase");
    const json::value& phases = MemberAt(receipt, "phases");
    if (!MemberAt(phases, "snapshot_ms").is_number()) return "snapshot";
    if (!MemberAt(phases, "prepare_ms").is_number()) return "preparation";
    return "catch-up";
  }

  Result<void> Calm(const std::string& owner) {
    const runtime::TimePoint until = core_.Now() + kCalm;
    while (core_.Now() < until) TW_TRY(Look(owner, nullptr));
    return {};
  }

  Result<void> Move(const std::string& from, const std::string& to) {
    json::object request = request_;
    request["tenant"] = kTenant;
    request["to"] = to;
    display_.Say(fmt::format("move     {} from {} to {}, {}", kTenant, from, to,
                             options_.pace.rate.empty() ? "as fast as the latency of both allows"
                                                        : "at the rate that was asked for"));
    const runtime::TimePoint began = core_.Now();
    TW_TRY_ASSIGN(const json::value receipt, admin_->Post("/v1/moves", request));
    observer_->Follow(receipt);
    while (!observer_->over()) {
      const json::value* now = observer_->running();
      const bool handed_over = now && TextAt(*now, "phase") != "init";
      TW_TRY(Look(handed_over ? to : from, now));
      if (core_.Now() - began > kMovePatience)
        return Fail(ErrorKind::kTimeout, "MOVE_STUCK",
                    "the move does not end: " + (now ? json::serialize(*now) : ""));
    }
    return {};
  }

  Result<void> MoveThereAndBack() {
    interrupted_.WaitUntil(core_.Now() + 2s);  // The warm-up.
    TW_TRY(Calm("n1"));
    TW_TRY(Move("n1", "n2"));
    TW_TRY(Calm("n2"));
    TW_TRY(Move("n2", "n1"));
    return Calm("n1");
  }

  Result<json::value> CheckResults() {
    const auto client_of = [this](size_t tenant) -> const load::HranaClient& {
      return generator_->client_of(tenant);
    };
    TW_TRY_ASSIGN(const auto checks, workload_->Verify(client_of));
    json::object figures = checks->figures;
    figures["name"] = workload_->name();
    bool sound = checks->ok;
    if (!of_mariadb()) {
      TW_TRY_ASSIGN(const auto integrity, load::RunOne(client_of(0), load::Sql("PRAGMA integrity_check")));
      const auto* answer = std::get_if<std::string>(&integrity.rows.at(0).at(0));
      figures["integrity_check"] = answer ? *answer : "no answer";
      sound = sound && answer && *answer == "ok";
    }
    figures["ok"] = sound;
    run_.checks = figures;
    run_.moves = observer_->Json();
    for (const MoveObserver::Span& span : observer_->spans())
      run_.moving.emplace_back(span.from_s, span.to_s);
    run_.complaints = generator_->complaints();
    for (const std::string& complaint : observer_->complaints()) run_.complaints.push_back(complaint);
    const auto& sent = generator_->sent();
    run_.ok = sound && observer_->ok() && run_.moves.size() == 2 &&
              std::all_of(sent.begin(), sent.end(), [](const load::Sent& one) {
                return one.outcome == load::RequestOutcome::kSucceeded;
              });
    return json::value(MakeResults(run_, sent, generator_->operations()));
  }

  runtime::RealCore& core_;
  net::HttpClient& http_;
  DemoOptions options_;
  DemoDisplay display_;
  runtime::Event interrupted_;
  json::object request_;
  BenchRun run_;
  std::unique_ptr<LocalCluster> cluster_;
  std::unique_ptr<AdminClient> admin_;
  std::unique_ptr<load::Workload> workload_;
  std::unique_ptr<load::Generator> generator_;
  std::unique_ptr<MoveObserver> observer_;
};

std::string EachMove(const json::value& results, const std::function<std::string(const json::value&)>& text) {
  std::string all;
  for (const json::value& move : MemberAt(results, "moves").as_array())
    all += fmt::format("{}{} ({} to {})", all.empty() ? "" : ", ", text(MemberAt(move, "receipt")),
                       TextAt(move, "source"), TextAt(move, "destination"));
  return all;
}

std::string Verdict(const json::value& results) {
  const json::value& checks = MemberAt(results, "checks");
  const auto phase = [](const char* name) {
    return [name](const json::value& receipt) {
      return MillisecondsText(MemberAt(MemberAt(receipt, "phases"), name));
    };
  };
  std::vector<std::pair<std::string, std::string>> lines{
      {"hand-over pause", EachMove(results, phase("handover_ms"))},
      {"first answer there",
       EachMove(results, [](const json::value& r) { return MillisecondsText(MemberAt(r, "relief_ms")); })},
      {"latency kept", EachMove(results,
                                [](const json::value& r) {
                                  const json::value& setpoint = MemberAt(r, "setpoint_ms");
                                  return "p95 " + MillisecondsText(MemberAt(r, "p95_ms")) +
                                         (setpoint.is_number() ? " of " + MillisecondsText(setpoint)
                                                               : std::string());
                                })},
      {"copies agree",
       EachMove(results, [](const json::value& r) { return FlagAt(r, "verified") ? "yes" : "NO"; })}};
  if (TextAt(checks, "name") == "oltp") {
    lines.emplace_back(
        "rows", fmt::format("{:.0f} of {:.0f}", NumberAt(checks, "rows"), NumberAt(checks, "rows_expected")));
    lines.emplace_back("sessions", fmt::format("{:.0f}, each opened once", NumberAt(checks, "sessions")));
    return PropertyList(lines);
  }
  lines.emplace_back(
      "acknowledged transfers",
      fmt::format("{:.0f}, of which {:.0f} lost and {:.0f} doubled", NumberAt(checks, "transfers"),
                  NumberAt(checks, "lost"), NumberAt(checks, "doubled")));
  lines.emplace_back("balances", NumberAt(checks, "wrong_balances") == 0
                                     ? "agree with the ledger, to the last one"
                                     : "WRONG");
  lines.emplace_back("integrity_check", TextAt(checks, "integrity_check"));
  return PropertyList(lines);
}

ExitCode RunDemo(const GlobalOptions& global, const DemoOptions& options) {
  const bool json_wanted = global.output == OutputFormat::kJson;
  std::signal(SIGPIPE, SIG_IGN);
  const auto core = runtime::RealCore::Create();
  Result<json::value> results = json::value();
  core->RunUntilReturned("demo", [&] {
    net::HttpClient http(*core);
    results = Demo(*core, http, options, json_wanted).Run();
    http.Close();
  });
  if (!results) return Report(results.error());
  std::ofstream file(options.report, std::ios::binary | std::ios::trunc);
  file << report::RenderReport(*results);
  file.close();
  if (json_wanted)
    PrintJson(*results);
  else
    fmt::print("\n{}\n{}", ResultsText(*results), Verdict(*results));
  if (!file)
    return Report(Error{ErrorKind::kIo, "FILE_NOT_WRITTEN", "cannot write " + options.report,
                        "give another place with --report"});
  if (!json_wanted)
    fmt::print("\nThe picture of it: {}\n", std::filesystem::absolute(options.report).string());
  return FlagAt(*results, "ok") ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace

void AddDemoCommand(Command app, CommandLine& line) {
  const Command demo = app.AddCommand(
      "demo", "Two nodes, a tenant under load, a move there and back, the figures and a report");
  demo.FallThrough();
  auto options = std::make_shared<DemoOptions>();
  demo.AddOption("--engine", options->engine, "Of the tenant").OneOf({"sqlite", "mariadb"}).ShowDefault();
  demo.AddOption("--size", options->size, "How large the tenant is made; default: 300MB, of mariadb 100MB")
      .ValueName("SIZE");
  demo.AddOption("--load", options->rate, "Requests a second; default: 300, transactions of mariadb 40")
      .Positive();
  AddPaceFlags(demo, options->pace);
  demo.AddOption("--report", options->report, "Where the report is written").ShowDefault().ValueName("FILE");
  demo.OnGiven(
      [&line, options] { line.action = [&line, options] { return RunDemo(line.global, *options); }; });
}

}  // namespace tradewind::cli
