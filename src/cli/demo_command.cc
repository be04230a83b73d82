// tradewind demo: two nodes on this machine, a tenant under load, a move there and back, and the figures. The
// nodes are real processes; the load is this process, as any client would be.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <memory>

#include "base/units.h"
#include "cli/client_command.h"
#include "cli/command_line.h"
#include "cli/demo_display.h"
#include "cli/demo_report.h"
#include "cli/load/bank.h"
#include "cli/local_cluster.h"
#include "cli/move_receipt.h"
#include "net/http_client.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr const char* kTenant = "shop";
constexpr runtime::Duration kCalm = 3s;  // Load without a move, before, between and after.
constexpr runtime::Duration kMovePatience = 10min;

struct DemoOptions {
  std::string size = "300MB";
  std::string rate;
};

class Demo {
 public:
  Demo(runtime::RealCore& core, net::HttpClient& http, const DemoOptions& options, bool silent)
      : core_(core), http_(http), options_(options), display_(core, silent) {
    core_.OnSignal([this](int) { interrupted_.Set(); });
  }

  Result<DemoReport> Run() {
    TW_TRY(StartNodes());
    TW_TRY(MakeTenant());
    load_started_ = core_.Now();
    bank_->Start();
    auto moved = MoveThereAndBack();
    bank_->Stop();
    load_ended_ = core_.Now();
    TW_TRY(std::move(moved));
    display_.Say("checking every transfer, every balance and the database itself");
    TW_TRY(Judge());
    TW_TRY(cluster_->Stop());
    return report_;
  }

 private:
  Result<void> StartNodes() {
    TW_TRY_ASSIGN(cluster_, LocalCluster::Start(core_, "/proc/self/exe", 2));
    TW_TRY_ASSIGN(auto admin, AdminClient::Make(core_, http_, cluster_->node("n1").url()));
    admin_ = std::make_unique<AdminClient>(std::move(admin));
    display_.Say(fmt::format("nodes    n1 at {}, n2 at {}, data in {}", cluster_->node("n1").url(),
                             cluster_->node("n2").url(), cluster_->folder()));
    return {};
  }

  Result<void> MakeTenant() {
    load::BankOptions bank;
    bank.tenant = kTenant;
    bank.servers = cluster_->urls();
    TW_TRY_ASSIGN(bank.entry_bytes, ParseSize(options_.size));
    TW_TRY_ASSIGN(bank_, load::Bank::Make(core_, http_, bank));
    TW_TRY(admin_->Post("/v1/tenants", {{"name", kTenant}, {"node", "n1"}}));
    const runtime::TimePoint began = core_.Now();
    TW_TRY(bank_->Fill([&](uint64_t bytes) {
      display_.Progress(fmt::format("tenant   {} of {}", FormatSize(bytes), FormatSize(bank.entry_bytes)));
      return CheckInterrupted();
    }));
    TW_TRY_ASSIGN(const json::value tenant, admin_->Get(std::string("/v1/tenants/") + kTenant));
    display_.Say(fmt::format("tenant   {} on n1: {} in {:.0f} pages, filled in {}", kTenant,
                             FormatSize(static_cast<uint64_t>(NumberAt(tenant, "size_bytes"))),
                             NumberAt(tenant, "page_count"), FormatDuration(core_.Now() - began)));
    display_.Say(
        fmt::format("load     {} clients through both nodes: point reads, range sums, audits of all balances,"
                    " transfers in batches and over three requests",
                    bank_->clients()));
    return {};
  }

  Result<void> CheckInterrupted() {
    if (!interrupted_.is_set()) return {};
    return Fail(ErrorKind::kRefused, std::string(kInterruptedCode),
                "the demo was interrupted; its nodes are stopped");
  }

  // Suspends for a moment of the display; fails when the user wants to end.
  Result<void> Pause() {
    interrupted_.WaitUntil(core_.Now() + display_.pause());
    return CheckInterrupted();
  }

  Result<void> Calm(const std::string& owner) {
    for (const auto until = core_.Now() + kCalm; core_.Now() < until;) {
      TW_TRY(Pause());
      display_.Update(*bank_, owner, nullptr);
    }
    return {};
  }

  Result<void> Move(const std::string& from, const std::string& to) {
    json::object request{{"tenant", kTenant}, {"to", to}};
    if (!options_.rate.empty()) {
      TW_TRY_ASSIGN(const uint64_t rate, ParseRate(options_.rate));
      request["rate_bytes_per_s"] = rate;
    }
    display_.Say(fmt::format("move     {} from {} to {}", kTenant, from, to));
    const runtime::TimePoint began = core_.Now();
    TW_TRY_ASSIGN(json::value receipt, admin_->Post("/v1/moves", request));
    const std::string path = "/v1/moves/" + EscapeSegment(TextAt(receipt, "id"));
    while (!MoveHasEnded(receipt)) {
      display_.Update(*bank_, TextAt(receipt, "phase") == "init" ? from : to, receipt);
      TW_TRY(Pause());
      TW_TRY_ASSIGN(receipt, admin_->Get(path));
      if (core_.Now() - began > kMovePatience)
        return Fail(ErrorKind::kTimeout, "MOVE_STUCK", "the move does not end: " + json::serialize(receipt));
    }
    moving_.push_back({began, core_.Now()});
    display_.Update(*bank_, to, receipt);
    if (const std::string error = TextAt(receipt, "error"); !error.empty()) display_.Say("error    " + error);
    report_.moves.push_back(std::move(receipt));
    return {};
  }

  Result<void> MoveThereAndBack() {
    TW_TRY(Calm("n1"));
    TW_TRY(Move("n1", "n2"));
    TW_TRY(Calm("n2"));
    TW_TRY(Move("n2", "n1"));
    return Calm("n1");
  }

  Result<void> Judge() {
    TW_TRY_ASSIGN(report_.verdict, bank_->Verify());
    const load::Samples& samples = bank_->samples();
    report_.counts = bank_->counts();
    report_.complaints = bank_->complaints();
    report_.before = samples.Summarize({{load_started_, moving_[0].from}});
    report_.during = samples.Summarize(moving_);
    report_.after = samples.Summarize({{moving_[0].to, moving_[1].from}, {moving_[1].to, load_ended_}});
    report_.longest_gap = samples.LongestGap({load_started_, load_ended_});
    return {};
  }

  runtime::RealCore& core_;
  net::HttpClient& http_;
  const DemoOptions& options_;
  DemoDisplay display_;
  runtime::Event interrupted_;
  std::unique_ptr<LocalCluster> cluster_;
  std::unique_ptr<AdminClient> admin_;
  std::unique_ptr<load::Bank> bank_;
  runtime::TimePoint load_started_{};
  runtime::TimePoint load_ended_{};
  std::vector<load::Window> moving_;
  DemoReport report_;
};

ExitCode RunDemo(const GlobalOptions& global, const DemoOptions& options) {
  const bool json_wanted = global.output == OutputFormat::kJson;
  std::signal(SIGPIPE, SIG_IGN);
  const auto core = runtime::RealCore::Create();
  Result<DemoReport> report;
  core->RunUntilReturned("demo", [&] {
    net::HttpClient http(*core);
    {
      Demo demo(*core, http, options, json_wanted);
      report = demo.Run();
    }
    http.Close();
  });
  if (!report) return Report(report.error());
  if (json_wanted)
    PrintJson(ReportJson(*report));
  else
    fmt::print("\n{}", ReportText(*report));
  return report->ok() ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace

void AddDemoCommand(CLI::App& app, CommandLine& line) {
  CLI::App* demo =
      app.add_subcommand("demo", "Two nodes, a tenant under load, a move there and back, and the figures");
  demo->fallthrough();
  auto options = std::make_shared<DemoOptions>();
  demo->add_option("--size", options->size, "How large the tenant is made")
      ->capture_default_str()
      ->type_name("SIZE");
  demo->add_option("--rate", options->rate, "Limit of the moves, such as 50MB/s; default: none")
      ->type_name("RATE");
  demo->callback(
      [&line, options] { line.action = [&line, options] { return RunDemo(line.global, *options); }; });
}

}  // namespace tradewind::cli
