// Moves of a MariaDB tenant between whole nodes, with simulated servers (instances/): at each step of a move a node goes down, by
// a loss of power or a kill, or a server dies by itself, or the link between source and destination is cut for a while, or the
// move is cancelled. It comes to an end, one node owns the tenant, no acknowledged row is lost, and it can be moved again. The
// checkers watch all the while.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/planted_bug.h"
#include "move/step.h"
#include "sim/cluster.h"
#include "sim/instance_log.h"
#include "sim/instances/instance_load.h"
#include "sim/step_test_name.h"
#include "sim/swarm_run.h"

namespace tradewind::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kTenant = "crm";

// A cluster with a MariaDB tenant on n1, in use.
class Scene {
 public:
  Scene(uint64_t seed, std::vector<std::string> hosts, Report report = {})
      : cluster_(seed, std::move(hosts), {}, std::move(report)) {
    Random& random = cluster_.world().random();
    cluster_.servers().snapshot_bytes = random.Between(50'000, 600'000);
    cluster_.InClient([&] {
      const auto made =
          cluster_.Call(first(), "POST", "/v1/tenants", R"({"name":"crm","engine":"mariadb","node":"n1"})");
      EXPECT_EQ(made.at("engine").as_string(), "mariadb");
      EXPECT_EQ(made.at("user").as_string(), "crm");
    });
    load_ = std::make_unique<InstanceLoad>(cluster_, std::string(kTenant));
    cluster_.InClient([&] { AwaitUse(); });
  }

  Cluster& cluster() { return cluster_; }
  InstanceLoad& load() { return *load_; }
  const std::string& first() { return cluster_.first_host(); }

  // Starts a move; its id.
  std::string Start(const std::string& from, const std::string& to, std::chrono::milliseconds keep_source) {
    std::string id;
    cluster_.InNode(from, [&](node::Node& node) {
      move::MoveOptions options;
      options.keep_source = keep_source;
      const auto start = [&] { return node.parts().moves().Start({std::string(kTenant), to, options}); };
      auto receipt = start();
      // That the one before is over, the catalog says first.
      for (int tries = 0; tries < 500 && !receipt && receipt.error().code == "MOVE_IN_PROGRESS"; ++tries) {
        runtime::SleepFor(20ms);
        receipt = start();
      }
      EXPECT_TRUE(receipt) << Describe(receipt.error());
      if (receipt) id = receipt->id;
    });
    return id;
  }
  bool IsOwnedBy(const std::string& host) {
    return cluster_.checkers().OwnerOf(std::string(kTenant)) == host;
  }

  // In a fiber, as all below.
  void AwaitUse() {
    const size_t wanted = load_->acknowledged().size() + 20;
    const runtime::TimePoint patience = cluster_.client().Now() + 2min;
    while (load_->acknowledged().size() < wanted && cluster_.client().Now() < patience)
      runtime::SleepFor(5ms);
    EXPECT_GE(load_->acknowledged().size(), wanted) << "the tenant is not in use";
  }
  std::string OwnerAsSeenAt(const std::string& host) {
    const auto tenant = cluster_.Call(host, "GET", "/v1/tenants/" + std::string(kTenant));
    return std::string(tenant.at("owner").as_string());
  }
  bool HasFile(const std::string& host) {
    return cluster_.world().CoreOf(host).disk().Exists(InstancePath(std::string(kTenant))).value();
  }
  // `owner` serves, and nothing is left at `other`.
  void ExpectOwner(const std::string& owner, const std::string& other) {
    for (const std::string& host : {owner, other})
      EXPECT_EQ(OwnerAsSeenAt(host), owner) << "as " << host << " sees it";
    const runtime::TimePoint patience = cluster_.client().Now() + 1min;
    while (HasFile(other) && cluster_.client().Now() < patience) runtime::SleepFor(10ms);
    EXPECT_TRUE(HasFile(owner));
    EXPECT_FALSE(HasFile(other)) << "the other copy goes in the end";
  }
  void ExpectNothingLost(const std::string& owner) {
    load_->Stop();
    runtime::SleepFor(2s);
    EXPECT_EQ(load_->Verify(owner), "");
  }

 private:
  std::unique_ptr<InstanceLoad> load_;
  Cluster cluster_;
};

TEST(AMariadbTenant, MovesWhileItIsWrittenTo) {
  Scene scene(1, {"n1", "n2"});
  scene.cluster().InClient([&] {
    const auto receipt = scene.cluster().AwaitMove(scene.cluster().StartMove(std::string(kTenant), "n2"));
    EXPECT_EQ(receipt.at("phase").as_string(), "done") << boost::json::serialize(receipt);
    EXPECT_EQ(receipt.at("method").as_string(), "slacker");
    scene.ExpectOwner("n2", "n1");
    scene.AwaitUse();
    scene.ExpectNothingLost("n2");
  });
}

// Its server runs for as long as it is here, which is not to be at the expense of those that open and close.
TEST(AMariadbTenant, TakesNoPlaceAmongTheTenantsThatMayBeOpen) {
  Cluster cluster(1, {"n1"}, {.open_tenants = 1});
  cluster.InClient([&] {
    cluster.Call("n1", "POST", "/v1/tenants", R"({"name":"crm","engine":"mariadb"})");
    for (const char* const name : {"shop", "store"})
      cluster.Call("n1", "POST", "/v1/tenants", fmt::format(R"({{"name":"{}"}})", name));
  });
  cluster.InNode("n1", [&](node::Node& node) {
    tenant::LocalTenants& tenants = node.parts().tenants();
    EXPECT_TRUE(tenants.Find("crm"));
    for (const char* const name : {"shop", "store", "shop"}) {
      const auto used = tenants.Find(name);
      EXPECT_TRUE(used) << Describe(used.error());
      EXPECT_EQ(tenants.open_count(), 1u);
    }
  });
}

// -- Something happens at each step

enum class What { kPowerLoss, kKill, kServerDeath, kCut, kCancel };

constexpr std::string_view NameOf(What what) {
  switch (what) {
    case What::kPowerLoss: return "loses power";
    case What::kKill: return "is killed";
    case What::kServerDeath: return "has its server die";
    case What::kCut: return "is cut off from the other end";
    case What::kCancel: return "cancels";
  }
  return "";
}

struct Incident {
  std::string step;
  std::string at;  // The node that reaches the step.
  What what = What::kKill;
  std::string victim;        // Whom it happens to.
  std::string catalog_host;  // "n1" is the source, "n2" the destination, "n3" neither.
  bool going_back = false;   // The move was cancelled after the hand-over.
  uint64_t seed = 1;

  std::string ToString() const {
    return fmt::format("{} {} when {} reaches {}{}, catalog on {}, seed {}", victim, NameOf(what), at, step,
                       going_back ? " on the way back" : "", catalog_host, seed);
  }
};

std::vector<std::string> HostsWithCatalogOn(const std::string& host) {
  if (host == "n1") return {"n1", "n2"};
  if (host == "n2") return {"n2", "n1"};
  return {"n3", "n1", "n2"};
}

// Whether it still can be is another matter.
void Cancel(Scene& scene, const std::string& host, const std::string& id) {
  scene.cluster().InNode(host, [&](node::Node& node) { static_cast<void>(node.parts().moves().Cancel(id)); });
}

void Happen(Scene& scene, const Incident& incident, bool& cancel) {
  switch (incident.what) {
    case What::kPowerLoss:
    case What::kKill: return scene.cluster().TakeDown(incident.victim, incident.what == What::kPowerLoss);
    case What::kServerDeath: return scene.cluster().KillServer(incident.victim, std::string(kTenant));
    case What::kCut: return scene.cluster().world().CutLink("n1", "n2");
    case What::kCancel: cancel = true;
  }
}

void Play(const Incident& incident) {
  Scene scene(incident.seed, HostsWithCatalogOn(incident.catalog_host));
  Cluster& cluster = scene.cluster();
  bool happened = false;
  bool cancel = false;
  cluster.SetTrap(incident.at, {incident.step, 1, [&] {
                                  happened = true;
                                  Happen(scene, incident, cancel);
                                }});
  const bool keeps = incident.going_back || incident.what == What::kCancel;
  const std::string id = scene.Start("n1", "n2", keeps ? 5s : 0s);
  if (incident.going_back) {
    ASSERT_TRUE(cluster.world().RunUntil([&] { return scene.IsOwnedBy("n2"); }, 2min))
        << "it is not handed over";
    cluster.world().RunUntil([] { return false; }, cluster.world().random().Between(0ms, 1000ms));
    Cancel(scene, "n2", id);
  }
  ASSERT_TRUE(cluster.world().RunUntil([&] { return happened; }, 2min)) << "the step is never reached";
  if (cancel) Cancel(scene, scene.IsOwnedBy("n1") ? "n1" : "n2", id);
  cluster.world().RunUntil([] { return false; }, cluster.world().random().Between(0ms, 3000ms));
  if (cluster.went_down()) cluster.BringBack();
  cluster.SetTrap(incident.at, {});
  if (incident.what == What::kCut) cluster.world().HealLink("n1", "n2");
  cluster.InClient([&] {
    const auto receipt = cluster.AwaitMove(id);
    if (testing::Test::HasFailure()) return;
    const bool moved = receipt.at("phase").as_string() == "done";
    if (incident.going_back) {
      EXPECT_FALSE(moved);
    }
    scene.ExpectOwner(moved ? "n2" : "n1", moved ? "n1" : "n2");
    scene.AwaitUse();
    const auto again = cluster.AwaitMove(cluster.StartMove(std::string(kTenant), moved ? "n1" : "n2"));
    EXPECT_EQ(again.at("phase").as_string(), "done") << boost::json::serialize(again);
    scene.ExpectNothingLost(moved ? "n1" : "n2");
  });
}

// Everything is there when it is handed over: nothing is pushed after it.
bool IsReached(std::string_view step) {
  return step != "destination-synced-list" && step != "destination-has-half" && step != "source-pushed-half";
}
bool IsOfTheWayBack(std::string_view step) {
  return IsReached(step) && step != "destination-prepared";
}

void PlayAll(std::vector<Incident> incidents) {
  uint64_t seed = 1;
  for (Incident& incident : incidents) {
    incident.seed = seed++;
    SCOPED_TRACE(incident.ToString());
    Play(incident);
    if (testing::Test::HasFailure()) return;
  }
}

class AtEachStepOfAnInstance : public testing::TestWithParam<std::string_view> {
 protected:
  std::string step() const { return std::string(GetParam()); }
  std::string at(bool going_back = false) const {
    return step().starts_with("source-") != going_back ? "n1" : "n2";
  }
  std::vector<Incident> Crashes(bool going_back) const {
    std::vector<Incident> crashes;
    for (const char* const catalog : {"n1", "n2", "n3"})
      for (const What what : {What::kPowerLoss, What::kKill})
        for (const char* const victim : {"n1", "n2", "n3"})
          if (victim != std::string("n3") || catalog == std::string("n3"))
            crashes.push_back({step(), at(going_back), what, victim, catalog, going_back});
    return crashes;
  }
};

TEST_P(AtEachStepOfAnInstance, ANodeThatGoesDownLosesNothing) {
  if (IsReached(GetParam())) PlayAll(Crashes(/*going_back=*/false));
}

TEST_P(AtEachStepOfAnInstance, ANodeThatGoesDownOnTheWayBackLosesNothing) {
  if (IsOfTheWayBack(GetParam())) PlayAll(Crashes(/*going_back=*/true));
}

TEST_P(AtEachStepOfAnInstance, AServerThatDiesLosesNothing) {
  if (!IsReached(GetParam())) return;
  std::vector<Incident> deaths;
  for (const char* const catalog : {"n1", "n3"})
    for (const char* const victim : {"n1", "n2"})
      deaths.push_back({step(), at(), What::kServerDeath, victim, catalog});
  PlayAll(std::move(deaths));
}

TEST_P(AtEachStepOfAnInstance, ACutOrACancelLosesNothing) {
  if (!IsReached(GetParam())) return;
  std::vector<Incident> incidents;
  for (const char* const catalog : {"n1", "n2", "n3"})
    for (const What what : {What::kCut, What::kCancel})
      incidents.push_back({step(), at(), what, at(), catalog});
  PlayAll(std::move(incidents));
}

INSTANTIATE_TEST_SUITE_P(Simulated, AtEachStepOfAnInstance, testing::ValuesIn(move::kStepNames),
                         StepTestName);

// -- Whatever can fail, at any moment

// Moves from node to node, and now and then something happens; tools and freezes fail by themselves.
void PlayStorm(Scene& scene, int rounds) {
  Cluster& cluster = scene.cluster();
  Random& random = cluster.world().random();
  SimServers& servers = cluster.servers();
  servers.failing_backups = 4;
  servers.failing_preparations = 6;
  servers.failing_freezes = 3;
  servers.slow_transactions = 40;
  const std::vector<std::string> hosts{"n1", "n2", "n3"};
  for (int round = 0; round < rounds; ++round) {
    const std::string from = cluster.checkers().OwnerOf(std::string(kTenant));
    std::string to = from;
    while (to == from) to = hosts[random.Below(3)];
    const std::string other = hosts[random.Below(3)];
    const std::string id = scene.Start(from, to, random.OneIn(2) ? 0ms : 800ms);
    cluster.world().RunUntil([] { return false; }, random.Between(0ms, 2500ms));
    switch (random.Below(6)) {
      case 0: cluster.TakeDown(other, /*power_lost=*/true); break;
      case 1: cluster.TakeDown(other, /*power_lost=*/false); break;
      case 2: cluster.world().CutLink(from, to); break;
      case 3: scene.cluster().KillServer(from, std::string(kTenant)); break;
      case 4: scene.cluster().KillServer(to, std::string(kTenant)); break;
      default: Cancel(scene, from, id);
    }
    cluster.world().RunUntil([] { return false; }, random.Between(0ms, 2500ms));
    cluster.world().HealLink(from, to);
    if (cluster.went_down()) cluster.BringBack();
    cluster.InClient([&] {
      cluster.AwaitMove(id);
      scene.AwaitUse();
    });
    if (testing::Test::HasFailure()) return;
  }
}

TEST(AMariadbTenant, LosesNothingWhateverFails) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Scene scene(seed, {"n3", "n1", "n2"});
    PlayStorm(scene, 6);
    scene.cluster().InClient(
        [&] { scene.ExpectNothingLost(scene.cluster().checkers().OwnerOf(std::string(kTenant))); });
    if (testing::Test::HasFailure()) return;
  }
}

// -- Who watches the checker

TEST(TheInstanceChecker, SaysWhatIsLostAndWhoTakesWritesBesideTheOwner) {
  const std::string record = ToRecord({1, 1, 2'000'000});
  std::string found;
  Scene scene(1, {"n1", "n2"}, [&](std::string_view, const std::string& what) { found += what + "\n"; });
  InstanceChecker& checker = scene.cluster().checkers().instances();
  const std::string tenant(kTenant);
  EXPECT_EQ(found, "");
  checker.TakesWrites("n2", tenant);
  EXPECT_NE(found.find("take writes at n1 and at n2"), std::string::npos) << found;
  EXPECT_NE(found.find("n2 lets its server of crm take writes, which n1 owns"), std::string::npos) << found;
  found.clear();
  checker.Written("n2", tenant, 1'000'000, /*own=*/true);
  EXPECT_NE(found.find("n2 writes row 1000000"), std::string::npos) << found;
  found.clear();
  checker.Acknowledged(tenant, 1'000'000);
  EXPECT_NE(found.find("a loss of power at n1 would lose it now"), std::string::npos) << found;
  found.clear();
  scene.cluster().InNode("n2", [&](node::Node& node) {
    const auto file = node.core().disk().Open(InstancePath(tenant), runtime::OpenMode::kCreate);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->Write(0, std::as_bytes(std::span(record))));
    ASSERT_TRUE(node.core().disk().Remove(InstancePath(tenant)));
  });
  EXPECT_NE(found.find("n2 deletes its copy, which has row 2000000 of crm that n1 lacks"), std::string::npos)
      << found;
  found.clear();
  scene.cluster().InNode(
      "n1", [&](node::Node& node) { ASSERT_TRUE(node.core().disk().Remove(InstancePath(tenant))); });
  EXPECT_NE(found.find("n1 deletes the copy of crm that it owns"), std::string::npos) << found;
  scene.cluster().checkers().Stop();
}

struct Planting {
  PlantedBug bug;
  std::string_view name;
  std::string_view found;  // What is said then.
};
constexpr Planting kPlantings[] = {
    {PlantedBug::kPassesOnUnfrozen, "PassesOnUnfrozen", "while the server at"},
    {PlantedBug::kPassesOnBehind, "PassesOnBehind", "it becomes the owner"},
    {PlantedBug::kReadyBeforeDurable, "ReadyBeforeDurable", "it becomes the owner"},
    {PlantedBug::kServesFromReady, "ServesFromReady", ""},
    {PlantedBug::kNoJournal, "NoJournal", ""},
};

class ThePlantedBugOfAnInstance : public testing::TestWithParam<Planting> {};

TEST_P(ThePlantedBugOfAnInstance, IsFound) {
  constexpr uint64_t kMostSeeds = 20;
  std::string others;
  for (uint64_t seed = 1; seed <= kMostSeeds; ++seed) {
    const ChildOutcome outcome = RunInChild([&] {
      planted_bug = GetParam().bug;
      const auto report = [](std::string_view checker, const std::string& what) {
        fmt::print("{}: {}\n", checker, what);
        std::fflush(stdout);
        std::_Exit(1);
      };
      Scene scene(seed, {"n3", "n1", "n2"}, report);
      PlayStorm(scene, 3);
      return !testing::Test::HasFailure();
    });
    if (!outcome.succeeded && outcome.output.find(GetParam().found) != std::string::npos) {
      fmt::print("{} found after {} seeds\n", GetParam().name, seed);
      return;
    }
    if (!outcome.succeeded) others += fmt::format("\nseed {}: {}", seed, outcome.output);
  }
  FAIL() << GetParam().name << " is not found in " << kMostSeeds << " seeds" << others;
}

INSTANTIATE_TEST_SUITE_P(Simulated, ThePlantedBugOfAnInstance, testing::ValuesIn(kPlantings),
                         [](const testing::TestParamInfo<Planting>& one) {
                           return std::string(one.param.name);
                         });

}  // namespace
}  // namespace tradewind::sim
