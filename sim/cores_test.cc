// Nodes of several cores: the bank on a tenant of either core, over crashes, and moves of what is on core 0. Calls from
// core to core take as long as they like here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/planted_bug.h"
#include "load/bank.h"
#include "load/hrana_client.h"
#include "net/http_client.h"
#include "runtime/call_on.h"
#include "sim/cluster.h"

namespace tradewind::sim {
namespace {

namespace json = boost::json;
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
  // How many cores of n1 have clients' connections.
  size_t CoresAsked(size_t cores) {
    const auto metrics = cluster_.http().Call("http://n1:8080/metrics", {}, cluster_.client().Now() + 30s);
    if (!metrics) return 0;
    size_t asked = 0;
    for (size_t core = 0; core < cores; ++core) {
      const std::string sample = fmt::format("tradewind_requests_total{{core=\"{}\"}} ", core);
      const size_t at = metrics->body.find(sample);
      if (at == std::string::npos) {
        ADD_FAILURE() << "no " << sample << "in\n" << metrics->body;
        return 0;
      }
      asked += std::stod(metrics->body.substr(at + sample.size())) > 20 ? 1 : 0;
    }
    return asked;
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
  int with_several = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const size_t cores = 2 + seed % 3;
    const size_t home = seed % cores;
    SCOPED_TRACE(fmt::format("seed {}: core {} of {}", seed, home, cores));
    CoresRun run(seed, cores, home);
    run.cluster().InClient([&] {
      EXPECT_TRUE(run.bank().AwaitTransfers(100, run.cluster().client().Now() + 10min));
      with_several += run.CoresAsked(cores) >= 2 ? 1 : 0;
      run.ExpectNothingFailed();
    });
    if (testing::Test::HasFailure()) return;
  }
  // So that some are on another core than the tenant. With which clients a connection is used again is chance.
  EXPECT_GE(with_several, 30);
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

// Each of sixteen tenants has as many requests, and each core of a node has two of them: all do about as much.
TEST(SimulatedCores, EightCoresShareTheWorkOfSixteenTenants) {
  constexpr size_t kCores = 8, kTenants = 16;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Cluster cluster(seed, {"n1"}, {.cores = kCores});
    std::vector<uint64_t> before;
    auto turns = [&] {
      std::vector<uint64_t> of_cores;
      for (runtime::Core* const core : cluster.node("n1").core().siblings())
        of_cores.push_back(static_cast<SimCore*>(core)->turns());
      return of_cores;
    };
    cluster.InClient([&] {
      for (size_t tenant = 0; tenant < kTenants; ++tenant)
        cluster.Call("n1", "POST", "/v1/tenants", fmt::format(R"({{"name":"t{}"}})", tenant));
      before = turns();
      runtime::TaskGroup group(cluster.client());
      for (size_t tenant = 0; tenant < kTenants; ++tenant) {
        group.Spawn("client", [&, tenant] {
          const auto client = load::HranaClient::Make(cluster.client(), cluster.http(), "http://n1:8080",
                                                      fmt::format("t{}", tenant))
                                  .value();
          load::HranaStream stream(client);
          for (int i = 0; i < 200; ++i)
            EXPECT_TRUE(stream.Execute({{.sql = i == 0 ? "CREATE TABLE t(v)" : "INSERT INTO t VALUES (1)"}},
                                       /*then_close=*/true));
        });
      }
      group.Join();
    });
    const std::vector<uint64_t> after = turns();
    uint64_t all = 0, most = 0, fewest = UINT64_MAX;
    for (size_t core = 0; core < kCores; ++core) {
      const uint64_t did = after[core] - before[core];
      all += did;
      most = std::max(most, did);
      fewest = std::min(fewest, did);
    }
    fmt::print("seed {}: {} turns of all cores, {} to {} of one\n", seed, all, fewest, most);
    EXPECT_LT(static_cast<double>(most), 1.25 * static_cast<double>(all) / kCores) << "seed " << seed;
    EXPECT_GT(static_cast<double>(fewest), 0.75 * static_cast<double>(all) / kCores) << "seed " << seed;
  }
}

// What the node answers to the wish that the bank's tenant be on this core.
json::object Change(Cluster& cluster, size_t core) {
  net::HttpRequest request;
  request.method = "PATCH";
  request.body = fmt::format(R"({{"core":{}}})", core);
  request.headers.Set("Content-Type", "application/json");
  const auto answer =
      cluster.http().Call("http://n1:8080/v1/tenants/shop", std::move(request), cluster.client().Now() + 30s);
  EXPECT_TRUE(answer);
  return answer ? json::parse(answer->body).as_object() : json::object{};
}

// Ten times, each to the next core; the core that it is on in the end.
size_t ChangeCores(CoresRun& run, size_t cores, size_t home) {
  for (int i = 0; i < 10; ++i) {
    home = (home + 1) % cores;
    const auto tenant = run.cluster().Call(i % 2 == 0 ? "n1" : "n2", "PATCH", "/v1/tenants/shop",
                                           fmt::format(R"({{"core":{}}})", home));
    EXPECT_EQ(tenant.at("core").to_number<size_t>(), home) << boost::json::serialize(tenant);
    run.cluster().AwaitUse(run.bank());
  }
  return home;
}

TEST(SimulatedCores, ATenantChangesItsCoreUnderTheBankAndNothingFails) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const size_t cores = 2 + seed % 3;
    SCOPED_TRACE(fmt::format("seed {}: core {} of {}", seed, seed % cores, cores));
    CoresRun run(seed, cores, seed % cores);
    size_t home = 0;
    run.cluster().InClient([&] {
      home = ChangeCores(run, cores, seed % cores);
      run.ExpectNothingFailed();
    });
    run.ExpectHome(home);
    if (testing::Test::HasFailure()) break;
  }
}

// The planted bug of several cores: what a core's copy of the table says is believed, however old it is.
TEST(SimulatedCores, AnOldTableThatIsBelievedIsFoundByTheBank) {
  planted_bug = PlantedBug::kBelievesOldTable;
  uint64_t seeds = 0;
  for (bool found = false; !found && seeds < 20;) {
    CoresRun run(++seeds, 3, 0);
    run.cluster().InClient([&] {
      ChangeCores(run, 3, 0);
      run.bank().Stop();
      found = run.bank().counts().failed > 0;
    });
  }
  planted_bug = PlantedBug::kNone;
  EXPECT_LT(seeds, 20u);
  fmt::print("found after {} seeds\n", seeds);
}

TEST(SimulatedCores, ATransactionThatStaysOpenKeepsTheTenantOnItsCoreAndIsNotTouched) {
  for (const char* begin : {"BEGIN", "BEGIN IMMEDIATE", "BEGIN; SELECT count(*) FROM sqlite_schema"}) {
    SCOPED_TRACE(begin);
    CoresRun run(5, 2, 0);
    run.cluster().InClient([&] {
      run.bank().Stop();  // It would want the write turn, which is taken back from who keeps it for long.
      const auto client =
          load::HranaClient::Make(run.cluster().client(), run.cluster().http(), "http://n1:8080", "shop")
              .value();
      load::HranaStream stream(client);
      const std::string both(begin);
      const size_t end = both.find(';');
      std::vector<sql::Statement> statements{{.sql = both.substr(0, end)}};
      if (end != std::string::npos) statements.push_back({.sql = both.substr(end + 1)});
      EXPECT_TRUE(stream.Execute(statements, /*then_close=*/false));
      const json::object refused = Change(run.cluster(), 1);
      EXPECT_EQ(refused.at("code").as_string(), "TENANT_BUSY");
      EXPECT_TRUE(stream.Execute({{.sql = "COMMIT"}}, /*then_close=*/true));
      EXPECT_EQ(Change(run.cluster(), 1).at("core").to_number<int>(), 1);
    });
    run.ExpectHome(1);
    run.cluster().InClient([&] { run.ExpectNothingFailed(); });
  }
}

TEST(SimulatedCores, ACrashInAChangeOfCoresLosesNothingAndTheTenantIsOnOneCore) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    CoresRun run(seed, 2, 0);
    bool ended = false;
    run.cluster().InClient([&] {
      runtime::TaskGroup group(run.cluster().client());
      group.Spawn("changes", [&] {
        net::HttpRequest request;
        request.method = "PATCH";
        request.body = R"({"core":1})";
        request.headers.Set("Content-Type", "application/json");
        static_cast<void>(run.cluster().http().Call("http://n1:8080/v1/tenants/shop", std::move(request),
                                                    run.cluster().client().Now() + 2s));
        ended = true;
      });
      runtime::SleepFor(std::chrono::microseconds(400 * seed));
      run.cluster().TakeDown("n1", /*power_lost=*/seed % 2 == 0);
      group.Join();
    });
    EXPECT_TRUE(ended);
    run.cluster().BringBack();
    run.cluster().InClient([&] {
      run.cluster().AwaitUse(run.bank());
      run.bank().Stop();
      run.cluster().ExpectNothingLost(run.bank(), 6);
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
