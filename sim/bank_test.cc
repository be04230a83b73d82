// The bank on a simulated cluster: whole nodes, real SQLite, moves under load, from a seed. Time, network and
// disk are virtual, so a hundred runs take seconds, and a run that goes wrong can be had again.
#include "cli/load/bank.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>

#include "net/http_client.h"
#include "node/node.h"
#include "runtime/fiber.h"
#include "sim/sim_core.h"
#include "sim/sim_world.h"
#include "sqlite/vfs.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

// Two nodes and a host for the clients.
class Cluster {
 public:
  explicit Cluster(uint64_t seed) : world_(seed) {
    sqlite::InitializeSqlite();
    sqlite::ResetRandomness();
    for (const char* host : {"n1", "n2"}) {
      SimCore& core = world_.AddCore(host);
      world_.RunFiber(core, "start", [&] { nodes_.push_back(StartNode(core, host)); });
    }
    client_core_ = &world_.AddCore("client");
    http_ = std::make_unique<net::HttpClient>(*client_core_);
  }

  // Ends the nodes.
  void Stop() {
    world_.RunFiber(*client_core_, "close", [&] { http_->Close(); });
    for (auto& node : nodes_) {
      world_.RunFiber(static_cast<SimCore&>(node->core()), "stop",
                      [&] { node->Stop(node->core().Now() + 5s); });
      node.reset();
    }
    http_.reset();
  }

  SimWorld& world() { return world_; }
  SimCore& client() { return *client_core_; }
  net::HttpClient& http() { return *http_; }
  void InClient(std::function<void()> body) { world_.RunFiber(*client_core_, "test", std::move(body)); }

  // A call of the admin API; its body must be JSON. Suspends.
  boost::json::value Call(const std::string& method, const std::string& target,
                          const std::string& body = "") {
    net::HttpRequest request;
    request.method = method;
    request.body = body;
    auto answer = http_->Call("http://n1:8080" + target, request, client_core_->Now() + 30s);
    if (!answer) ADD_FAILURE() << target << ": " << Describe(answer.error());
    if (!answer) return {};
    EXPECT_LT(answer->status, 300) << target << ": " << answer->body;
    return boost::json::parse(answer->body);
  }

  // Moves the tenant and waits until the move is over; its receipt. Suspends.
  boost::json::object Move(const std::string& tenant, const std::string& to) {
    const auto started = Call("POST", "/v1/moves",
                              boost::json::serialize(boost::json::object{{"tenant", tenant}, {"to", to}}));
    const std::string id(started.at("id").as_string());
    while (true) {
      const auto receipt = Call("GET", "/v1/moves/" + id);
      const auto& phase = receipt.at("phase").as_string();
      if (phase == "done" || phase == "cancelled") return receipt.as_object();
      runtime::SleepFor(5ms);
    }
  }

 private:
  static std::unique_ptr<node::Node> StartNode(runtime::Core& core, const std::string& name) {
    node::NodeOptions options;
    options.name = name;
    options.listen = {name, 8080};
    options.data_folder = "/data";
    if (name != "n1") options.join_url = "http://n1:8080";
    auto node = node::Node::Start(core, options);
    if (!node) ADD_FAILURE() << Describe(node.error());
    return std::move(node).value();
  }

  SimWorld world_;
  std::vector<std::unique_ptr<node::Node>> nodes_;
  SimCore* client_core_ = nullptr;
  std::unique_ptr<net::HttpClient> http_;
};

struct BankRun {
  uint64_t trace = 0;
  uint64_t requests = 0;
  uint64_t acknowledged = 0;
};

// Load from both nodes while the tenant moves there and back. Nothing may fail, nothing may be lost.
BankRun RunBank(uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Cluster cluster(seed);
  BankRun run;
  cluster.InClient([&] {
    cluster.Call("POST", "/v1/tenants", R"({"name":"shop","node":"n1"})");
    load::BankOptions options;
    options.servers = {"http://n1:8080", "http://n2:8080"};
    options.accounts = 40;
    options.entry_bytes = 1'300'000;
    options.seed = seed;
    options.pause = 3ms;
    auto bank = load::Bank::Make(cluster.client(), cluster.http(), options).value();
    const auto filled = bank->Fill();
    ASSERT_TRUE(filled) << Describe(filled.error());
    bank->Start();
    const auto far = cluster.client().Now() + 10min;
    EXPECT_TRUE(bank->AwaitTransfers(5, far));
    for (const char* to : {"n2", "n1"}) {
      const auto receipt = cluster.Move("shop", to);
      EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
      EXPECT_TRUE(receipt.at("verified").as_bool());
      EXPECT_EQ(receipt.at("aborted").to_number<int>(), 0);
      EXPECT_TRUE(bank->AwaitTransfers(5, far));
    }
    bank->Stop();
    const auto verdict = bank->Verify();
    ASSERT_TRUE(verdict) << Describe(verdict.error());
    EXPECT_TRUE(verdict->ok()) << verdict->integrity << ", lost " << verdict->ledger.lost << ", doubled "
                               << verdict->ledger.doubled << ", ghosts " << verdict->ledger.ghosts;
    EXPECT_EQ(bank->counts().failed, 0u);
    EXPECT_EQ(bank->counts().aborted, 0u);
    for (const std::string& complaint : bank->complaints()) ADD_FAILURE() << complaint;
    run.requests = bank->counts().requests;
    run.acknowledged = bank->acknowledged();
    const auto tenant = cluster.Call("GET", "/v1/tenants/shop");
    EXPECT_EQ(tenant.at("owner").as_string(), "n1");
    EXPECT_EQ(tenant.at("epoch").to_number<int>(), 3);
  });
  cluster.Stop();
  run.trace = cluster.world().trace_hash();
  return run;
}

TEST(SimulatedBank, LosesAndFailsNothingInAHundredRunsWithMoves) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    RunBank(seed);
    if (testing::Test::HasFailure()) break;
  }
}

TEST(SimulatedBank, TakesTheSameCourseForTheSameSeedAndAnotherForAnother) {
  const BankRun first = RunBank(7);
  const BankRun second = RunBank(7);
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.requests, second.requests);
  EXPECT_NE(RunBank(8).trace, first.trace);
}

}  // namespace
}  // namespace tradewind::sim
