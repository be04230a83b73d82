// Nodes of several cores: the bank on a tenant of either core, over crashes, and moves of what is on core 0. Calls from
// core to core take as long as they like here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <string>

#include "load/bank.h"
#include "load/hrana_client.h"
#include "net/http_client.h"
#include "runtime/call_on.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

class CoresRun {
 public:
  // `home`: the core of n1 that gets the bank's tenant.
  CoresRun(uint64_t seed, size_t cores, size_t home) : cluster_(seed, {"n1", "n2"}, {.cores = cores}) {
    cluster_.InClient([&] {
      // Each goes to the core that has the fewest.
      for (size_t before = 0; before < home; ++before)
        cluster_.Call("n1", "POST", "/v1/tenants",
                      fmt::format(R"({{"name":"before{}","node":"n1"}})", before));
      load::BankOptions options;
      options.accounts = 40;
      options.entry_bytes = 100'000;
      options.seed = seed;
      options.pause = 3ms;
      bank_ = cluster_.OpenBank(options);
    });
    ExpectHome(home);
  }

  Cluster& cluster() { return cluster_; }
  load::Bank& bank() { return *bank_; }

  void ExpectHome(size_t home) {
    cluster_.InNode("n1", [&](node::Node& node) {
      for (size_t core = 0; core < node.core().siblings().size(); ++core) {
        const bool has = runtime::CallOn(*node.core().siblings()[core],
                                         [&] { return node.parts(core).tenants().Has("shop"); });
        EXPECT_EQ(has, core == home) << "core " << core;
      }
    });
  }
  // Clients have connections on several cores of n1, so that some are on another one than the tenant.
  void ExpectSeveralCoresAsked(size_t cores) {
    const auto metrics = cluster_.http().Call("http://n1:8080/metrics", {}, cluster_.client().Now() + 30s);
    ASSERT_TRUE(metrics);
    size_t asked = 0;
    for (size_t core = 0; core < cores; ++core) {
      const std::string sample = fmt::format("tradewind_requests_total{{core=\"{}\"}} ", core);
      const size_t at = metrics->body.find(sample);
      ASSERT_NE(at, std::string::npos) << metrics->body;
      asked += std::stod(metrics->body.substr(at + sample.size())) > 20 ? 1 : 0;
    }
    EXPECT_GE(asked, 2u);
  }
  void ExpectNothingFailed() {
    bank_->Stop();
    cluster_.ExpectNothingLost(*bank_);
    EXPECT_EQ(bank_->counts().failed, 0u);
    for (const std::string& complaint : bank_->complaints()) ADD_FAILURE() << complaint;
  }

 private:
  Cluster cluster_;
  std::unique_ptr<load::Bank> bank_;
};

TEST(SimulatedCores, TheBankFailsNothingOnAnyCore) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const size_t cores = 2 + seed % 3;
    const size_t home = seed % cores;
    SCOPED_TRACE(fmt::format("seed {}: core {} of {}", seed, home, cores));
    CoresRun run(seed, cores, home);
    run.cluster().InClient([&] {
      EXPECT_TRUE(run.bank().AwaitTransfers(100, run.cluster().client().Now() + 10min));
      run.ExpectSeveralCoresAsked(cores);
      run.ExpectNothingFailed();
    });
    if (testing::Test::HasFailure()) break;
  }
}

TEST(SimulatedCores, TheBankLosesNothingWhenTheNodeCrashes) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const bool power_lost = seed % 3 == 0;
    SCOPED_TRACE(fmt::format("seed {}, core {}", seed, seed % 2));
    CoresRun run(seed, 2, seed % 2);
    for (int crash = 0; crash < 2; ++crash) {
      run.cluster().TakeDown("n1", power_lost);
      run.cluster().BringBack();
      run.cluster().InClient([&] { run.cluster().AwaitUse(run.bank()); });
    }
    run.cluster().InClient([&] {
      run.bank().Stop();
      run.cluster().ExpectNothingLost(run.bank(), 6);
    });
    if (testing::Test::HasFailure()) break;
  }
}

TEST(SimulatedCores, ATenantOfAnyCoreIsMovedThereAndBackOverLinksThatComeInOnAnyCore) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const size_t cores = 2 + seed % 3;
    SCOPED_TRACE(fmt::format("seed {}: core {} of {}", seed, seed % cores, cores));
    CoresRun run(seed, cores, seed % cores);
    run.cluster().InClient([&] {
      for (const char* to : {"n2", "n1", "n2", "n1"}) {
        const auto receipt = run.cluster().AwaitMove(run.cluster().StartMove("shop", to));
        EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
        run.cluster().AwaitUse(run.bank());
      }
      run.ExpectNothingFailed();
    });
    if (testing::Test::HasFailure()) break;
  }
}

// Each core knows what the others serve, and need not ask.
TEST(SimulatedCores, ANodeServesItsTenantsOverEachCoreWhileTheCatalogIsAway) {
  Cluster cluster(3, {"n1", "n2"}, {.cores = 2});
  cluster.InClient([&] {
    for (const char* name : {"a", "b"})
      cluster.Call("n1", "POST", "/v1/tenants", fmt::format(R"({{"name":"{}","node":"n2"}})", name));
  });
  cluster.TakeDown("n1", /*power_lost=*/false);
  cluster.InClient([&] {
    for (int connection = 0; connection < 2; ++connection) {
      net::HttpClient http(cluster.client());
      for (const char* name : {"a", "b"}) {
        const auto client = load::HranaClient::Make(cluster.client(), http, "http://n2:8080", name).value();
        load::HranaStream stream(client);
        const auto answer = stream.Execute({{.sql = "SELECT 1"}}, /*then_close=*/true);
        EXPECT_TRUE(answer) << name << ": " << Describe(answer.error());
      }
      http.Close();
    }
  });
  cluster.BringBack();
}

TEST(SimulatedCores, TheSameSeedTakesTheSameCourse) {
  const auto trace = [](uint64_t seed) {
    CoresRun run(seed, 3, 1);
    run.cluster().InClient([&] { run.ExpectNothingFailed(); });
    return run.cluster().world().trace_hash();
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

}  // namespace
}  // namespace tradewind::sim
