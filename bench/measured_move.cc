#include "measured_move.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/client_command.h"
#include "load/hrana_client.h"
#include "net/http_client.h"
#include "runtime/fiber.h"
#include "settled_disk.h"

namespace tradewind::bench {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr runtime::Duration kWarmUp = 1s;  // Of connections and caches; not counted.
constexpr runtime::Duration kCalm = 4s;    // Load without a move, before and after.
constexpr runtime::Duration kProbePause = 2ms;

// Asks the destination until it says that it owns the tenant, then has it run a transaction.
class ReliefProbe {
 public:
  ReliefProbe(runtime::Core& core, net::HttpClient& http, const LocalNodes& nodes, const MoveToMeasure& move)
      : core_(core), http_(http), nodes_(nodes), move_(move), fiber_(core) {}
  void Start() {
    began_ = core_.Now();
    fiber_.Spawn("relief probe", [this] { Probe(); });
  }
  std::optional<runtime::Duration> Stop() {
    stopped_ = true;
    fiber_.Join();
    return relief_;
  }

 private:
  void Probe() {
    auto admin = nodes_.Admin(move_.to);
    const auto urls = nodes_.urls();
    const auto client =
        load::HranaClient::Make(core_, http_, move_.to == "n1" ? urls.front() : urls.back(), move_.tenant);
    if (!admin || !client) return;
    while (!stopped_) {
      const auto tenant = admin->Get("/v1/tenants/" + move_.tenant);
      if (tenant && cli::TextAt(*tenant, "owner") == move_.to) break;
      runtime::SleepFor(kProbePause);
    }
    load::HranaStream stream(*client);
    load::Statement statement;
    statement.sql = "SELECT count(*) FROM sqlite_schema";
    if (stream.Execute({statement}, true)) relief_ = core_.Now() - began_;
  }

  runtime::Core& core_;
  net::HttpClient& http_;
  const LocalNodes& nodes_;
  const MoveToMeasure& move_;
  runtime::TimePoint began_;
  bool stopped_ = false;
  std::optional<runtime::Duration> relief_;
  runtime::TaskGroup fiber_;
};

struct Run {
  load::Window window;  // From the command to the end.
  json::value receipt;
  std::string refusal;
};

Result<Run> Move(runtime::Core& core, const LocalNodes& nodes, const MoveToMeasure& move) {
  TW_TRY_ASSIGN(auto admin, nodes.Admin(move.from));
  json::object request{{"tenant", move.tenant}, {"to", move.to}, {"method", move.method}};
  if (!move.paced) request["rate_bytes_per_s"] = 0;
  if (move.method == "zephyr") request["warm_up"] = "none";
  Run run;
  run.window.from = core.Now();
  auto started = admin.Post("/v1/moves", request);
  if (!started) {
    run.window.to = core.Now();
    run.refusal = Describe(started.error());
    return run;
  }
  TW_TRY_ASSIGN(run.receipt, nodes.AwaitMove(move.from, cli::TextAt(*started, "id")));
  run.window.to = core.Now();
  return run;
}

MoveFigures FiguresOf(const LocalNodes& nodes, const MoveToMeasure& move) {
  MoveFigures figures;
  figures.size = move.size;
  figures.method = move.method;
  figures.file_bytes = std::filesystem::file_size(nodes.FileOf(move.tenant, move.from));
  return figures;
}

}  // namespace

bool MoveFigures::verified() const {
  return cli::TextAt(receipt, "phase") == "done" && cli::FlagAt(receipt, "verified");
}

bool MoveFigures::ok() const {
  if (!refusal.empty() || !verified() || cli::NumberAt(receipt, "aborted") > 0) return false;
  if (!load) return true;
  if (load->findings.lost > 0 || load->findings.ghosts > 0) return false;
  // Requests that wait for the whole of a copy may be given up: that is what the baseline is there to show.
  return method == "stop-and-copy" || load->counts.failed + load->counts.aborted == 0;
}

Result<MoveFigures> MoveIdle(runtime::Core& core, const LocalNodes& nodes, const MoveToMeasure& move) {
  MoveFigures figures = FiguresOf(nodes, move);
  TW_TRY(Settle(core, nodes.FileOf(move.tenant, move.from)));
  TW_TRY_ASSIGN(Run run, Move(core, nodes, move));
  figures.whole = run.window.to - run.window.from;
  figures.receipt = std::move(run.receipt);
  figures.refusal = std::move(run.refusal);
  if (figures.verified()) TW_TRY(nodes.AwaitDeleted(move.tenant, move.from));
  return figures;
}

Result<MoveFigures> MoveUnderLoad(runtime::Core& core, net::HttpClient& http, const LocalNodes& nodes,
                                  const MoveToMeasure& move, MixedLoad& load) {
  MoveFigures figures = FiguresOf(nodes, move);
  TW_TRY(Settle(core, nodes.FileOf(move.tenant, move.from)));
  ReliefProbe probe(core, http, nodes, move);
  load.Start();
  runtime::SleepFor(kWarmUp);
  const runtime::TimePoint began = core.Now();
  runtime::SleepFor(kCalm);
  probe.Start();
  auto run = Move(core, nodes, move);
  figures.relief_seen = probe.Stop();
  runtime::SleepFor(kCalm);
  const runtime::TimePoint ended = core.Now();
  load.Stop();
  TW_TRY(run);
  figures.whole = run->window.to - run->window.from;
  figures.receipt = std::move(run->receipt);
  figures.refusal = std::move(run->refusal);
  if (!figures.verified()) figures.relief_seen.reset();
  LoadFigures& seen = figures.load.emplace();
  const load::Samples samples = load.samples();
  seen.before = samples.SummarizeSentIn({began, run->window.from});
  seen.during = samples.SummarizeSentIn(run->window);
  seen.after = samples.SummarizeSentIn({run->window.to, ended});
  seen.longest_gap = samples.LongestGap(run->window);
  seen.counts = load.counts();
  seen.complaints = load.complaints();
  TW_TRY_ASSIGN(seen.findings, load.Verify());
  if (figures.verified()) TW_TRY(nodes.AwaitDeleted(move.tenant, move.from));
  return figures;
}

Result<void> Settle(runtime::Core& core, const std::string& file) {
  TW_TRY(SettleDisk(core, std::filesystem::path(file).parent_path()));
  int failed = 0;
  core.RunOffCore([&] {
    const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) failed = errno;
    std::vector<char> buffer(1 << 20);
    while (failed == 0) {
      const ssize_t got = read(descriptor, buffer.data(), buffer.size());
      if (got < 0) failed = errno;
      if (got <= 0) break;
    }
    if (descriptor >= 0) close(descriptor);
  });
  if (failed == 0) return {};
  return Fail(ErrorKind::kIo, "FILE_UNREADABLE", file + ": " + std::strerror(failed));
}

}  // namespace tradewind::bench
