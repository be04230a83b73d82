#include "stage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/client_command.h"
#include "empty_database.h"
#include "net/http_client.h"
#include "runtime/fiber.h"

namespace tradewind::tests {
namespace {

namespace json = boost::json;
using cli::TextAt;
using namespace std::chrono_literals;

// A wait of this length means that something is stuck, on a slow machine too.
constexpr auto kPatience = 180s;
constexpr auto kPollPause = 5ms;
constexpr size_t kCores =
    2;  // Of each node. Each has a tenant on the first one, so that the bank is on the second.
// What `tradewind serve` looks at (move/step.h).
constexpr const char* kKillAt = "TRADEWIND_KILL_AT";

// An address of loopback at which no other process of these tests listens: the port of a node that was killed is still free when
// it is started again.
std::string OwnHost() {
  const pid_t pid = getpid();  // Of 22 bits.
  return fmt::format("127.{}.{}.{}", 64 + (pid >> 16), (pid >> 8) & 255, pid & 255);
}

}  // namespace

void Play(const std::function<void(Stage&)>& test) {
  const auto core = runtime::RealCore::Create();
  core->RunUntilReturned("test", [&] {
    net::HttpClient http(*core);
    {
      Stage stage(*core, http);
      test(stage);
      stage.Close();
    }
    http.Close();
  });
}

bool IsPastHandOver(const json::value& receipt) {
  const std::string phase = TextAt(receipt, "phase");
  return phase == "dual" || phase == "finish" || phase == "done";
}

bool IsDoneAndVerified(const json::value& receipt) {
  return TextAt(receipt, "phase") == "done" && cli::FlagAt(receipt, "verified");
}

double ShareArrived(const json::value& receipt) {
  const json::value& pages = cli::MemberAt(receipt, "pages");
  const double total = cli::NumberAt(pages, "total");
  if (total <= 0) return 0;
  return (cli::NumberAt(pages, "wireframe") + cli::NumberAt(pages, "warm") + cli::NumberAt(pages, "pulled") +
          cli::NumberAt(pages, "pushed")) /
         total;
}

Result<void> Stage::StartNodes(int nodes) {
  const char* program = std::getenv("TRADEWIND_BINARY");
  if (!program)
    return Fail(ErrorKind::kInvalid, "NO_PROGRAM", "TRADEWIND_BINARY must name the tradewind program");
  TW_TRY_ASSIGN(cluster_, cli::LocalCluster::Start(core_, program, nodes,
                                                   {.cores = kCores, .listen = OwnHost() + ":0"}));
  for (int node = 1; node <= nodes; ++node) names_.push_back("n" + std::to_string(node));
  return {};
}

Result<void> Stage::Arm(const std::string& node, const std::string& step) {
  cluster_->Kill(node);
  // A child has the environment of its parent at its start.
  setenv(kKillAt, step.c_str(), 1);
  auto started = cluster_->Restart(node);
  unsetenv(kKillAt);
  TW_TRY(std::move(started));
  // The others may still hold connections to its predecessor: what is asked first may be lost with them.
  for (const std::string& name : names_) {
    TW_TRY_ASSIGN(auto admin, Admin(name));
    TW_TRY(admin.Get("/v1/tenants"));
  }
  return {};
}

Result<void> Stage::OpenBank(load::BankOptions bank, const std::string& owner,
                             std::optional<uint32_t> page_size) {
  if (bank.servers.empty()) bank.servers = cluster_->urls();
  TW_TRY_ASSIGN(bank_, load::Bank::Make(core_, http_, bank));
  TW_TRY_ASSIGN(auto admin, Admin("n1"));
  for (const std::string& name : names_)
    TW_TRY(admin.Post("/v1/tenants", {{"name", "beside-" + name}, {"node", name}}));
  if (page_size) {
    const std::string file = EmptyDatabase(*page_size);
    TW_TRY_ASSIGN(
        const json::value begun,
        admin.Post("/v1/imports", {{"tenant", bank.tenant}, {"size_bytes", file.size()}, {"node", owner}}));
    const std::string transfer = "/v1/imports/" + TextAt(begun, "id");
    TW_TRY(admin.PutBytes(transfer + "?offset=0", file));
    TW_TRY(admin.Post(transfer + "/commit", {}));
  } else {
    TW_TRY(admin.Post("/v1/tenants", {{"name", bank.tenant}, {"node", owner}}));
  }
  TW_TRY_ASSIGN(const json::value seen, TenantSeenBy(owner));
  if (cli::NumberAt(seen, "core") != kCores - 1)
    return Fail(ErrorKind::kInternal, "NOT_THE_LAST_CORE",
                "the bank is to be on the last core: " + json::serialize(seen));
  TW_TRY(bank_->Fill());
  bank_->Start();
  return {};
}

Result<void> Stage::Open(load::BankOptions bank, const std::string& owner) {
  TW_TRY(StartNodes(2));
  return OpenBank(std::move(bank), owner);
}

void Stage::Close() {
  if (bank_) bank_->Stop();
  if (!cluster_ || !testing::Test::HasFailure()) return;
  for (const std::string& node : names_) {
    std::ifstream log(cluster_->folder() + "/" + node + ".log");
    std::cerr << "--- log of " << node << "\n" << log.rdbuf() << "\n";
  }
  if (bank_)
    for (const std::string& complaint : bank_->complaints()) std::cerr << "client: " << complaint << "\n";
}

runtime::TimePoint Stage::deadline() const {
  return core_.Now() + kPatience;
}

Result<cli::AdminClient> Stage::Admin(const std::string& node) {
  TW_TRY_ASSIGN(auto admin, cli::AdminClient::Make(core_, http_, cluster_->node(node).url()));
  admin.set_timeout(kPatience);
  return admin;
}

Result<std::string> Stage::StartMove(const std::string& to, uint64_t rate_bytes_per_s) {
  TW_TRY_ASSIGN(auto admin, Admin("n1"));
  const json::object request{
      {"tenant", bank_->options().tenant}, {"to", to}, {"rate_bytes_per_s", rate_bytes_per_s}};
  TW_TRY_ASSIGN(const json::value receipt, admin.Post("/v1/moves", request));
  return TextAt(receipt, "id");
}

Result<std::string> Stage::NewestMove() {
  TW_TRY_ASSIGN(auto admin, Admin("n1"));
  TW_TRY_ASSIGN(const json::value answer, admin.Get("/v1/moves"));
  if (const json::array* moves = cli::MemberAt(answer, "moves").if_array())
    for (const json::value& move : *moves)  // The newest first.
      if (TextAt(move, "tenant") == bank_->options().tenant) return TextAt(move, "id");
  return Fail(ErrorKind::kNotFound, "NO_MOVE", "the catalog knows no move of the tenant");
}

Result<json::value> Stage::Receipt(const std::string& node, const std::string& id) {
  TW_TRY_ASSIGN(auto admin, Admin(node));
  return admin.Get("/v1/moves/" + id);
}

Result<json::value> Stage::AwaitMove(const std::string& id,
                                     const std::function<bool(const json::value&)>& holds) {
  TW_TRY_ASSIGN(auto admin, Admin("n1"));
  const runtime::TimePoint until = deadline();
  for (;;) {
    auto receipt = admin.Get("/v1/moves/" + id);
    if (receipt && holds(*receipt)) return receipt;
    if (core_.Now() > until || (receipt && TextAt(*receipt, "phase") == "cancelled")) {
      return Fail(ErrorKind::kTimeout, "MOVE_NOT_THERE",
                  receipt ? json::serialize(*receipt) : Describe(receipt.error()));
    }
    runtime::SleepFor(kPollPause);
  }
}

Result<json::value> Stage::TenantSeenBy(const std::string& name) {
  TW_TRY_ASSIGN(auto admin, Admin(name));
  return admin.Get("/v1/tenants/" + bank_->options().tenant);
}

Result<void> Stage::ReadThrough(const std::string& node) {
  TW_TRY_ASSIGN(const auto client,
                load::HranaClient::Make(core_, http_, cluster_->node(node).url(), bank_->options().tenant));
  load::HranaStream stream(client);
  load::Statement statement;
  statement.sql = "SELECT count(*) FROM ledger";
  TW_TRY(stream.Execute({statement}, true));
  return {};
}

bool Stage::Eventually(const std::function<bool()>& holds) {
  const runtime::TimePoint until = deadline();
  while (!holds()) {
    if (core_.Now() > until) return false;
    runtime::SleepFor(kPollPause);
  }
  return true;
}

bool Stage::HasDied(const std::string& node) {
  siginfo_t ended{};
  const auto pid = static_cast<id_t>(cluster_->node(node).pid());
  // Left to be reaped by its owner.
  return waitid(P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0;
}

bool Stage::HasFile(const std::string& node) const {
  return std::filesystem::exists(cluster_->folder() + "/" + node + "/tenants/" + bank_->options().tenant +
                                 ".db");
}

}  // namespace tradewind::tests
