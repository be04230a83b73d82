// tradewind bench: an open-loop load on a cluster, moves while it runs, and what both looked like.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <memory>

#include "base/units.h"
#include "cli/bench_results.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/live_line.h"
#include "cli/move_observer.h"
#include "cli/move_receipt.h"
#include "cli/pace_flags.h"
#include "cli/text_file.h"
#include "load/arrivals.h"
#include "load/generator.h"
#include "load/oltp.h"
#include "load/workload.h"
#include "net/host.h"
#include "report/report.h"
#include "runtime/fiber.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr int kFillsAtOnce = 4;
constexpr runtime::Duration kLivePause = 250ms;

struct BenchOptions {
  std::string workload = "ycsb-b";
  std::vector<std::string> tenant_names;
  int64_t tenants = 0;
  std::string prefix = "bench";
  std::string skew = "uniform";
  std::string node;
  bool load = false;
  bool load_only = false;
  int64_t records = 10'000;
  int64_t record_bytes = 1000;
  std::string size;
  int operations = 1;

  std::string arrivals = "poisson";
  double rate = 100;
  std::string steps;
  std::string wave;
  std::string arrival_times;
  int workers = 64;
  uint64_t seed = 1;
  std::string duration = "30s";
  std::string warm_up = "2s";
  std::string transport = "http";
  std::vector<std::string> mysql;
  std::string user;
  std::string password_file;

  std::vector<std::string> moves;
  std::vector<std::string> drains;
  PaceFlags pace;
  std::string method;
  std::string warm_up_pages;
  bool until_moved = false;
  std::string after = "5s";

  std::string json_file;
  std::string report_file;
  std::string render;
  std::string title;
};

double Seconds(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

Result<double> SecondsIn(const char* flag, const std::string& text) {
  TW_TRY_ASSIGN(const auto duration, OfFlag(flag, ParseDuration(text)));
  return Seconds(duration);
}

Result<std::string> ReadFile(const std::string& path) {
  if (auto text = TextOfFile(path)) return *std::move(text);
  return Fail(ErrorKind::kInvalid, "FILE_UNREADABLE", "cannot read " + path,
              "give the path of a file that exists");
}

Result<void> WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file) return {};
  return Fail(ErrorKind::kIo, "FILE_NOT_WRITTEN", "cannot write " + path,
              "choose a folder that exists and has room");
}

class Bench {
 public:
  Bench(ClientContext& context, const BenchOptions& options) : context_(context), options_(options) {
    context_.core.OnSignal([this](int) { interrupted_.Set(); });
  }

  Result<void> Run() {
    TW_TRY(Prepare());
    TW_TRY_ASSIGN(auto arrivals, MakeArrivals());
    TW_TRY_ASSIGN(json::object request, MoveRequest());
    if (options_.load || options_.load_only) TW_TRY(LoadTenants());
    if (options_.load_only) return {};
    for (size_t tenant = 0; tenant < run_.tenants.size(); ++tenant)
      TW_TRY(workload_->CheckTables(generator_->client_of(tenant), tenant));
    observer_ =
        std::make_unique<MoveObserver>(context_.core, context_.admin, [this] { return generator_->now_s(); });
    run_.started_at = context_.core.UnixMilliseconds();
    generator_->Start(std::move(arrivals));
    for (PlannedMove plan : plans_) {
      plan.at_s += run_.warm_up_s;  // As all times of the results.
      observer_->Plan(plan, request);
    }
    Watch();
    run_.duration_s = generator_->now_s();
    generator_->Stop();
    if (interrupted_.is_set())
      observer_->Abandon();
    else
      observer_->Join();
    return Conclude();
  }

 private:
  Result<void> Prepare() {
    if (options_.transport != "http") return NotThereYet("the transport " + options_.transport);
    TW_TRY_ASSIGN(run_.warm_up_s, SecondsIn("--warm-up", options_.warm_up));
    TW_TRY_ASSIGN(longest_s_, SecondsIn("--duration", options_.duration));
    TW_TRY_ASSIGN(after_s_, SecondsIn("--after", options_.after));
    longest_s_ += run_.warm_up_s;
    for (const std::string& text : options_.moves) {
      TW_TRY_ASSIGN(const PlannedMove plan, ParsePlannedMove(text));
      plans_.push_back(plan);
    }
    for (const std::string& text : options_.drains) {
      TW_TRY_ASSIGN(const PlannedMove plan, ParsePlannedDrain(text));
      plans_.push_back(plan);
    }
    for (const PlannedMove& plan : plans_)
      if (plan.at_s + run_.warm_up_s >= longest_s_)
        return Fail(
            ErrorKind::kInvalid, "TOO_LATE",
            fmt::format("the run is over after {}, before {} s have passed", options_.duration, plan.at_s),
            "give a longer --duration, or an earlier moment to --move and --drain");
    run_.tenants = options_.tenant_names;
    for (int64_t number = 1; number <= options_.tenants; ++number)
      run_.tenants.push_back(fmt::format("{}{}", options_.prefix, number));
    if (run_.tenants.empty()) run_.tenants.push_back(options_.prefix);
    load::WorkloadOptions workload;
    workload.tenants = run_.tenants.size();
    workload.record_bytes = options_.record_bytes;
    workload.records = options_.records;
    workload.operations = options_.operations;
    if (!options_.size.empty()) {
      TW_TRY_ASSIGN(const uint64_t size, OfFlag("--size", ParseSize(options_.size)));
      workload.records = std::max<int64_t>(static_cast<int64_t>(size) / options_.record_bytes, 2);
    }
    TW_TRY_ASSIGN(workload_, MakeWorkload(workload));
    load::GeneratorOptions generator;
    generator.tenants = run_.tenants;
    generator.workers = options_.workers;
    generator.skewed_tenants = options_.skew == "zipfian";
    generator.seed = options_.seed;
    generator.token = context_.global.token;
    TW_TRY_ASSIGN(const json::value nodes, context_.admin.Get("/v1/nodes"));
    for (const json::value& node : MemberAt(nodes, "nodes").as_array())
      if (TextAt(node, "state") == "up") generator.servers.push_back(TextAt(node, "url"));
    if (generator.servers.empty()) generator.servers.push_back(context_.global.server);
    run_.options = {{"tenants", run_.tenants.size()},
                    {"records", workload.records},
                    {"record_bytes", workload.record_bytes},
                    {"operations_per_request", workload.operations},
                    {"arrivals", options_.arrivals},
                    {"rate", options_.steps.empty() ? fmt::format("{}/s", options_.rate) : options_.steps},
                    {"wave", options_.wave.empty() ? json::value() : json::value(options_.wave)},
                    {"skew", options_.skew},
                    {"workers", options_.workers},
                    {"seed", options_.seed},
                    {"servers", json::array(generator.servers.begin(), generator.servers.end())}};
    TW_TRY_ASSIGN(generator_, load::Generator::Make(context_.core, context_.http, *workload_, generator));
    run_.workload = workload_->name();
    run_.title = options_.title;
    return {};
  }

  Result<std::unique_ptr<load::Workload>> MakeWorkload(const load::WorkloadOptions& options) {
    if (options_.workload != "oltp") return load::MakeWorkload(options_.workload, options);
    if (options_.mysql.empty() || run_.tenants.size() != 1)
      return Fail(ErrorKind::kInvalid, "MYSQL_MISSING",
                  "the workload oltp is for one tenant of the engine mariadb",
                  "add --mysql HOST:PORT of its nodes, and --tenant NAME");
    load::MysqlTarget target;
    target.database = run_.tenants.front();
    target.user = options_.user.empty() ? target.database : options_.user;
    if (!options_.password_file.empty()) {
      TW_TRY_ASSIGN(const std::string text, ReadFile(options_.password_file));
      target.password = text.substr(0, text.find_last_not_of("\r\n") + 1);
    }
    for (const std::string& text : options_.mysql) {
      const auto host = net::ParseHost(text);
      if (!host || !host->port)
        return Fail(ErrorKind::kInvalid, "ADDRESS_INVALID", text + " is no HOST:PORT",
                    "give it as 127.0.0.1:3306");
      target.servers.push_back({host->name, *host->port});
    }
    return load::MakeOltp(context_.core, options, std::move(target));
  }

  // -- Filling

  Result<void> LoadTenants() {
    Result<void> outcome;
    size_t next = 0;
    uint64_t filled = 0;
    LiveLine live;
    runtime::TaskGroup fills(context_.core);
    for (int fill = 0; fill < kFillsAtOnce; ++fill)
      fills.Spawn("fill", [&] {
        while (next < run_.tenants.size() && outcome) {
          const size_t tenant = next++;
          if (Result<void> one = LoadTenant(tenant, live); !one && outcome) outcome = std::move(one);
          ++filled;
          if (run_.tenants.size() > 1)
            live.Show(fmt::format("{} of {} tenants are filled", filled, run_.tenants.size()));
        }
      });
    fills.Join();
    return outcome;
  }

  Result<void> LoadTenant(size_t tenant, LiveLine& live) {
    const std::string& name = run_.tenants[tenant];
    const auto known = context_.admin.Get("/v1/tenants/" + EscapeSegment(name));
    if (!known && known.error().kind != ErrorKind::kNotFound) return Fail(known.error());
    if (!known) {
      json::object request{{"name", name}};
      if (!options_.node.empty()) request["node"] = options_.node;
      TW_TRY(context_.admin.Post("/v1/tenants", request));
    } else if (workload_->CheckTables(generator_->client_of(tenant), tenant)) {
      return {};
    }
    return workload_->Fill(
        generator_->client_of(tenant), generator_->random(), [&](uint64_t bytes) -> Result<void> {
          if (run_.tenants.size() == 1) live.Show(fmt::format("{} are in", FormatSize(bytes)));
          if (!interrupted_.is_set()) return {};
          return Fail(ErrorKind::kRefused, std::string(kInterruptedCode), "the filling was interrupted",
                      "delete the tenant before it is filled again");
        });
  }

  // -- Running

  Result<std::unique_ptr<load::Arrivals>> MakeArrivals() {
    if (!options_.arrival_times.empty()) {
      TW_TRY_ASSIGN(const std::string text, ReadFile(options_.arrival_times));
      TW_TRY_ASSIGN(auto moments, load::ParseMoments(text));
      return load::MakeRecordedArrivals(std::move(moments));
    }
    load::RateCurve curve;
    curve.steps = {{0, options_.rate}};
    if (!options_.steps.empty()) {
      TW_TRY_ASSIGN(curve.steps, load::ParseSteps(options_.steps));
      for (size_t step = 1; step < curve.steps.size(); ++step) curve.steps[step].from_s += run_.warm_up_s;
    }
    if (!options_.wave.empty()) TW_TRY(load::ParseWave(options_.wave, curve));
    if (options_.arrivals == "fixed") return load::MakeFixedArrivals(std::move(curve));
    return load::MakePoissonArrivals(std::move(curve), options_.seed);
  }

  Result<json::object> MoveRequest() const {
    json::object request;
    TW_TRY(AddPace(options_.pace, request));
    if (!options_.method.empty()) request["method"] = options_.method;
    if (!options_.warm_up_pages.empty()) request["warm_up"] = options_.warm_up_pages;
    return request;
  }

  // Until the time is over, the moves are, or somebody interrupts.
  void Watch() {
    LiveLine live;
    double moved_at_s = -1;
    while (!interrupted_.is_set() && generator_->now_s() < longest_s_ && !generator_->finished()) {
      if (options_.until_moved && observer_->over()) {
        if (moved_at_s < 0) moved_at_s = generator_->now_s();
        if (generator_->now_s() >= moved_at_s + after_s_) return;
      }
      live.Show(LiveText());
      interrupted_.WaitUntil(context_.core.Now() + kLivePause);
    }
  }

  // The requests that were answered in the last second.
  std::string LiveText() const {
    const double now = generator_->now_s();
    std::vector<const load::Sent*> recent;
    const auto& sent = generator_->sent();
    for (auto one = sent.rbegin(); one != sent.rend(); ++one) {
      if (one->at_s + static_cast<double>(one->latency_ns) / 1e9 < now - 1) break;
      recent.push_back(&*one);
    }
    const json::value summary = SummaryOf(std::move(recent), 1);
    std::string line =
        fmt::format("{:5.0f} s  {:.0f}/s  p50 {}  p95 {}  p99 {}  failed {:.0f}", now - run_.warm_up_s,
                    NumberAt(summary, "per_s"), MillisecondsText(MemberAt(summary, "p50_ms")),
                    MillisecondsText(MemberAt(summary, "p95_ms")),
                    MillisecondsText(MemberAt(summary, "p99_ms")), NumberAt(summary, "failed"));
    if (const json::value* receipt = observer_->running())
      line += fmt::format("  | {} of {} at {}, p95 {} of {}", TextAt(*receipt, "phase"),
                          TextAt(*receipt, "tenant"),
                          NumberAt(*receipt, "rate_bytes_per_s") > 0
                              ? FormatRate(static_cast<uint64_t>(NumberAt(*receipt, "rate_bytes_per_s")))
                              : std::string("no limit"),
                          MillisecondsText(MemberAt(*receipt, "p95_ms")),
                          MillisecondsText(MemberAt(*receipt, "setpoint_ms")));
    return line;
  }

  // -- Results

  Result<void> Conclude() {
    run_.complaints = generator_->complaints();
    for (const std::string& complaint : observer_->complaints()) run_.complaints.push_back(complaint);
    run_.moves = observer_->Json();
    for (const MoveObserver::Span& span : observer_->spans())
      run_.moving.emplace_back(span.from_s, span.to_s);
    bool ok = observer_->ok();
    TW_TRY_ASSIGN(auto checks, workload_->Verify([this](size_t tenant) -> const load::HranaClient& {
      return generator_->client_of(tenant);
    }));
    if (checks) {
      json::object figures{{"name", workload_->name()}, {"ok", checks->ok}};
      for (const auto& member : checks->figures) figures[member.key()] = member.value();
      run_.checks = std::move(figures);
      ok = ok && checks->ok;
    }
    for (const load::Sent& one : generator_->sent())
      ok = ok && one.outcome == load::RequestOutcome::kSucceeded;
    run_.ok = ok;
    if (run_.title.empty())
      run_.title = fmt::format(
          "{} on {}", run_.workload,
          run_.tenants.size() == 1 ? run_.tenants.front() : fmt::format("{} tenants", run_.tenants.size()));
    const json::value results = MakeResults(run_, generator_->sent(), generator_->operations());
    if (!options_.json_file.empty()) TW_TRY(WriteFile(options_.json_file, json::serialize(results) + "\n"));
    if (!options_.report_file.empty()) TW_TRY(WriteFile(options_.report_file, report::RenderReport(results)));
    if (context_.json())
      PrintJson(results);
    else
      fmt::print("{}", ResultsText(results));
    if (ok) return {};
    return Fail(ErrorKind::kIo, "BENCH_FAILED", "not everything went as it must",
                "the failures are listed above and in the results");
  }

  ClientContext& context_;
  const BenchOptions& options_;
  BenchRun run_;
  double longest_s_ = 0;
  double after_s_ = 0;
  std::vector<PlannedMove> plans_;
  std::unique_ptr<load::Workload> workload_;
  std::unique_ptr<load::Generator> generator_;
  std::unique_ptr<MoveObserver> observer_;
  runtime::Event interrupted_;
};

// Draws the report of results that were kept.
Result<void> Render(const BenchOptions& options) {
  if (options.report_file.empty())
    return Fail(ErrorKind::kInvalid, "REPORT_MISSING", "--render needs a place for the report",
                "add --report FILE.html");
  TW_TRY_ASSIGN(const std::string text, ReadFile(options.render));
  json::error_code failed;
  const json::value results = json::parse(text, failed);
  if (failed || NumberAt(results, "format") != 1)
    return Fail(ErrorKind::kInvalid, "RESULTS_UNREADABLE",
                options.render + " does not hold results of format 1",
                "give a file that tradewind bench --json wrote");
  return WriteFile(options.report_file, report::RenderReport(results));
}

void AddLoadFlags(Command bench, BenchOptions& options) {
  bench
      .AddOption("--workload", options.workload,
                 "ycsb-a to ycsb-f, tpcc or bank; oltp for a tenant of MariaDB")
      .ShowDefault();
  bench.AddOption("--tenant", options.tenant_names, "A tenant to use; may be given several times");
  bench.AddOption("--tenants", options.tenants, "Use so many tenants, named --prefix and a number")
      .NotNegative();
  bench.AddOption("--prefix", options.prefix, "What their names begin with").ShowDefault();
  bench.AddOption("--skew", options.skew, "How requests spread over tenants")
      .OneOf({"uniform", "zipfian"})
      .ShowDefault();
  bench.AddFlag("--load", options.load, "Make the tenants that are missing, and fill those that are empty");
  bench.AddFlag("--load-only", options.load_only, "The same, and nothing more");
  bench.AddOption("--node", options.node, "Where --load makes tenants; default: the cluster's choice");
  bench.AddOption("--records", options.records, "Of each tenant").Between(2, 1'000'000'000).ShowDefault();
  bench.AddOption("--record-bytes", options.record_bytes, "Of each record")
      .Between(1, 1'000'000)
      .ShowDefault();
  bench.AddOption("--size", options.size, "Of each tenant, instead of --records, such as 2GB")
      .ValueName("SIZE");
  bench
      .AddOption("--operations-per-transaction", options.operations,
                 "YCSB: more than 1 run together as one transaction")
      .Between(1, 1000);
  bench.AddOption("--arrivals", options.arrivals, "When requests come: like independent users, or evenly")
      .OneOf({"poisson", "fixed"})
      .ShowDefault();
  bench.AddOption("--rate", options.rate, "Requests a second").Positive().ShowDefault();
  bench.AddOption("--steps", options.steps, "Rates over time instead, such as 400@0s,600@30s,400@60s");
  bench.AddOption("--wave", options.wave, "The rate goes up and down like a sine, such as 30%/20s");
  bench
      .AddOption("--arrival-times", options.arrival_times,
                 "A file of recorded moments in seconds, one a line")
      .ValueName("FILE");
  bench.AddOption("--workers", options.workers, "Requests under way at a time, at most")
      .Between(1, 10'000)
      .ShowDefault();
  bench.AddOption("--seed", options.seed, "Of everything random").ShowDefault();
  bench.AddOption("--duration", options.duration, "How long; with --until-moved the longest").ShowDefault();
  bench.AddOption("--warm-up", options.warm_up, "Sent before, and not counted").ShowDefault();
  bench.AddOption("--transport", options.transport, "http, or websocket (not there yet)")
      .OneOf({"http", "websocket"});
  bench.AddOption("--mysql", options.mysql, "oltp: where a node speaks MySQL's protocol; repeatable")
      .ValueName("HOST:PORT");
  bench.AddOption("--user", options.user, "oltp: whose account; default: the tenant's");
  bench.AddOption("--password-file", options.password_file, "oltp: a file with its password")
      .ValueName("FILE");
}

void AddMoveFlags(Command bench, BenchOptions& options) {
  bench.AddOption("--move", options.moves,
                  "Move a tenant to a node at a moment, such as shop:n2@10s; repeatable");
  bench.AddOption("--drain", options.drains, "Drain a node at a moment, such as n1@10s");
  bench.AddOption("--setpoint", options.pace.setpoint, "Of these moves, as in tradewind move start");
  bench.AddOption("--move-rate", options.pace.rate, "Their rate, such as 20MB/s, or none for no limit")
      .Excludes("--setpoint");
  bench.AddOption("--method", options.method, "zephyr or stop-and-copy");
  bench.AddOption("--warm-up-pages", options.warm_up_pages,
                  "What is sent before the hand-over: none, hot or all");
  bench.AddFlag("--until-moved", options.until_moved, "End some time after the last move has");
  bench.AddOption("--after", options.after, "That time").ShowDefault();
}

}  // namespace

void AddBenchCommand(Command app, CommandLine& line) {
  const Command bench =
      app.AddCommand("bench", "An open-loop load, and what latency was while tenants moved");
  bench.FallThrough();
  auto options = std::make_shared<BenchOptions>();
  AddLoadFlags(bench, *options);
  AddMoveFlags(bench, *options);
  bench.AddOption("--json", options->json_file, "Write the results to this file").ValueName("FILE");
  bench.AddOption("--report", options->report_file, "Write a report to open in a browser").ValueName("FILE");
  bench.AddOption("--render", options->render, "Run nothing: draw the report of these results")
      .ValueName("FILE");
  bench.AddOption("--title", options->title, "Of the report");
  bench.OnGiven([&line, options] {
    line.action = [&line, options] {
      if (!options->render.empty()) {
        const auto rendered = Render(*options);
        return rendered ? ExitCode::kDone : Report(rendered.error());
      }
      return RunClient(line.global, [&](ClientContext& context) { return Bench(context, *options).Run(); });
    };
  });
}

}  // namespace tradewind::cli
