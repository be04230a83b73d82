#include "stage.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/client_command.h"
#include "net/http_client.h"
#include "runtime/fiber.h"

namespace tradewind::tests {
namespace {

namespace json = boost::json;
using cli::TextAt;
using namespace std::chrono_literals;

// A wait of this length means that something is stuck, on a slow machine too.
constexpr auto kPatience = 60s;
constexpr auto kPollPause = 5ms;

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

Result<void> Stage::Open(load::BankOptions bank, const std::string& owner) {
  const char* program = std::getenv("TRADEWIND_BINARY");
  if (!program)
    return Fail(ErrorKind::kInvalid, "NO_PROGRAM", "TRADEWIND_BINARY must name the tradewind program");
  TW_TRY_ASSIGN(cluster_, cli::LocalCluster::Start(core_, program, 2));
  bank.servers = cluster_->urls();
  TW_TRY_ASSIGN(bank_, load::Bank::Make(core_, http_, bank));
  TW_TRY_ASSIGN(auto admin, Admin("n1"));
  TW_TRY(admin.Post("/v1/tenants", {{"name", bank.tenant}, {"node", owner}}));
  TW_TRY(bank_->Fill());
  bank_->Start();
  return {};
}

void Stage::Close() {
  if (bank_) bank_->Stop();
  if (!cluster_ || !testing::Test::HasFailure()) return;
  for (const char* node : {"n1", "n2"}) {
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
  TW_TRY_ASSIGN(const json::value receipt, admin.Post("/v1/moves", {{"tenant", bank_->options().tenant},
                                                                    {"to", to},
                                                                    {"rate_bytes_per_s", rate_bytes_per_s}}));
  return TextAt(receipt, "id");
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

bool Stage::HasFile(const std::string& node) const {
  return std::filesystem::exists(cluster_->folder() + "/" + node + "/tenants/" + bank_->options().tenant +
                                 ".db");
}

}  // namespace tradewind::tests
