// For unit tests of the gateway: nodes on one TestCore, over one catalog. What one node asks another is passed to its table
// of routes; a test can put its own answer in the place of that. A tenant changes its owner when the test says so; no move
// is ever begun, and all nodes have their files in one folder, so that nothing has to be copied.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "catalog/embedded_catalog.h"
#include "gateway/gateway.h"
#include "gateway/node_tenants.h"
#include "gateway/strangers.h"
#include "move/host.h"
#include "move/moves.h"
#include "net/api_error.h"
#include "net/routes.h"
#include "pace/sensor.h"
#include "pace/token_bucket.h"
#include "runtime/random_id.h"
#include "runtime/test_core.h"
#include "sqlite/database_file.h"
#include "tenant/local_tenants.h"
#include "tenant/name_claims.h"
#include "tenant/removed_files.h"
#include "tenant/tenant_cores.h"

namespace tradewind::gateway {

// Of a node on which no move begins.
class StillHost final : public move::MoveHost {
 public:
  StillHost(runtime::Core& core, catalog::Catalog& catalog, NodeName self)
      : core_(core), catalog_(catalog), self_(std::move(self)), bucket_(core, 0, 1u << 20) {}
  runtime::Core& core() override { return core_; }
  catalog::Catalog& catalog() override { return catalog_; }
  move::Journal& journal() override { NoMove(); }
  const NodeName& self() const override { return self_; }
  std::string TenantPath(const TenantName&) const override { NoMove(); }
  Result<std::unique_ptr<move::MoveChannel>> OpenChannel(const NodeName&, const TenantName&,
                                                         runtime::TimePoint) override {
    NoMove();
  }
  move::Engine* FindEngine(std::string_view) override { NoMove(); }
  move::Engine& EngineOf(const TenantName&) override { NoMove(); }
  pace::Throttle& paced_throttle() override { return bucket_; }
  void Adopt(std::unique_ptr<tenant::HostedTenant>, Epoch, std::function<void()>) override { NoMove(); }
  bool stopping() const override { return stopping_; }
  void Stop() { stopping_ = true; }

 private:
  [[noreturn]] static void NoMove() { CheckFailed("no move", __FILE__, __LINE__, "no move begins here"); }

  runtime::Core& core_;
  catalog::Catalog& catalog_;
  const NodeName self_;
  pace::TokenBucket bucket_;
  bool stopping_ = false;
};

struct MemoryNode;

// What nodes ask of each other.
class MemoryPeers final : public catalog::Peers {
 public:
  using Script = std::function<std::optional<net::Answer>(const NodeName& to, const net::HttpRequest&)>;
  Result<net::HttpResponse> Call(const NodeName& node, net::HttpRequest request,
                                 runtime::TimePoint deadline) override;

  Script script = {};  // Answers for the other node; none: that does itself.
  std::vector<net::HttpRequest> asked = {};
  std::map<NodeName, MemoryNode*> nodes = {};
};

struct MemoryNode {
  MemoryNode(runtime::TestCore& on, catalog::Catalog& catalog, const NodeName& name, MemoryPeers& peers)
      : core(on),
        removed(on, on.folder() + "/removed-" + name),
        claims(on),
        table(on),
        tenants(on, on.folder(), removed, {.claims = &claims, .cores = &table}),
        host(on, catalog, name),
        moves(
            host, tenants, claims, [this](const TenantName& tenant) { streams.EndAllOf(tenant); }, [] {}),
        streams(on, tenants, moves),
        node_tenants(table),
        member{on, name, catalog, [this] { return host.stopping(); }},
        strangers({name + ".example"}, {}),
        sensor(on),
        id(name + "." + runtime::RandomId(on)) {
    TW_CHECK(removed.Start().has_value(), "the folder is there");
    node_tenants.Add({on, tenants, moves, streams});
    gateway = std::make_unique<Gateway>(member, id, peers, node_tenants, strangers, authenticator, sensor);
    gateway->SetGateways({gateway.get()});
    gateway->AddRoutes(routes);
    node_tenants.AddRoutes(routes, sensor);
  }
  // Suspends.
  void Stop() {
    host.Stop();
    streams.Stop();
    gateway->Stop();
    moves.incoming().StopWaits();
    moves.Stop();
    tenants.CloseAll();
    removed.Stop();
    table.Join();
  }
  net::HttpResponse Handle(net::HttpRequest request) {
    request.path = request.target;
    request.arrived = core.Now();
    const net::Routes::Found found = routes.Find(request);
    if (!found.route) return net::Routes::Refusal(request, found);
    net::Answer answer = found.route->run({request, found.name});
    return answer ? std::move(*answer) : net::ErrorResponse(answer.error());
  }

  runtime::TestCore& core;
  tenant::RemovedFiles removed;
  tenant::NameClaims claims;
  tenant::TenantCores table;
  tenant::LocalTenants tenants;
  StillHost host;
  move::Moves moves;
  StreamService streams;
  NodeTenants node_tenants;
  const catalog::Member member;
  const Strangers strangers;
  auth::Authenticator authenticator;  // Asks nobody, until a test has another.
  pace::Sensor sensor;
  const GatewayId id;
  net::Routes routes;
  std::unique_ptr<Gateway> gateway;
};

inline Result<net::HttpResponse> MemoryPeers::Call(const NodeName& node, net::HttpRequest request,
                                                   runtime::TimePoint) {
  asked.push_back(request);
  if (script)
    if (auto answer = script(node, request)) return *std::move(answer);
  const auto found = nodes.find(node);
  if (found == nodes.end()) return Fail(ErrorKind::kNotFound, "NODE_NOT_FOUND", "there is no node " + node);
  return found->second->Handle(std::move(request));
}

// The nodes n1 and n2.
class MemoryClusterTest : public testing::Test {
 protected:
  // Runs `body` in a fiber, between the start of the nodes and their end.
  void Run(const std::function<void()>& body) {
    core_.Run([&] {
      catalog_ = catalog::EmbeddedCatalog::Open(core_, core_.folder() + "/catalog").value();
      for (const char* name : {"n1", "n2"}) {
        EXPECT_TRUE(catalog_->RegisterNode({{name, "http://n"}, name}));
        nodes_[name] = std::make_unique<MemoryNode>(core_, *catalog_, name, peers_);
        peers_.nodes[name] = nodes_[name].get();
      }
      body();
      for (auto& [name, node] : nodes_) node->Stop();
      nodes_.clear();
      catalog_->Close();
      catalog_.reset();
    });
  }
  MemoryNode& n1() { return *nodes_.at("n1"); }
  MemoryNode& n2() { return *nodes_.at("n2"); }

  // With the table note(text).
  Epoch MakeTenant(const TenantName& name, const NodeName& owner) {
    tenant::LocalTenants& tenants = nodes_.at(owner)->tenants;
    auto file = core_.disk().Open(tenants.PathOf(name), runtime::OpenMode::kCreate).value();
    TW_CHECK(sqlite::WriteEmptyDatabase(*file).has_value(), "the file is written");
    file.reset();
    const Epoch epoch = catalog_->CreateTenant(name, "sqlite", owner).value().ownership.epoch;
    tenants.AddOwned(name, epoch);
    const auto use = tenants.Find(name);
    EXPECT_TRUE((*use)->OpenStream().value()->Execute({.sql = "CREATE TABLE note(text)"}));
    EXPECT_TRUE((*use)->WaitDurable());
    return epoch;
  }
  // From here on no transaction begins at the owner, as in a hand-over.
  void SetMoved(const TenantName& name, MemoryNode& from) {
    EXPECT_TRUE(from.tenants.Find(name)) << name;
    from.tenants.Find(name)->hosted().SetMoved();
  }
  // The catalog's part of a hand-over. The new epoch.
  Epoch Swap(const TenantName& name, const NodeName& to) {
    const catalog::TenantRecord record = catalog_->GetTenant(name).value();
    catalog::MoveRecord move;
    move.id = "m" + runtime::RandomId(core_);
    move.tenant = name;
    move.source = record.ownership.owner;
    move.destination = to;
    move.method = "zephyr";
    move.epoch_before = record.ownership.epoch;
    EXPECT_TRUE(catalog_->BeginMove(move));
    const auto swapped = catalog_->Swap(name, record.ownership, to, move.id);
    EXPECT_TRUE(swapped && swapped->applied);
    EXPECT_TRUE(
        catalog_->SetMoveState(move.id, catalog::MoveState::kForward, catalog::MoveState::kDone, "{}"));
    return swapped->record.ownership.epoch;
  }
  // A whole one: the tenant is at the new owner, and its streams at the old one have ended.
  Epoch HandOver(const TenantName& name, MemoryNode& from, MemoryNode& to) {
    SetMoved(name, from);
    const Epoch epoch = Swap(name, to.member.self);
    from.streams.EndAllOf(name);
    from.tenants.CloseAndForget(name, tenant::LocalTenants::Files::kStay);
    to.tenants.AddOwned(name, epoch);
    return epoch;
  }

  static hrana::StreamRequest Sql(std::string sql) { return hrana::Execute{{{.sql = std::move(sql)}, {}}}; }
  static std::vector<hrana::StreamRequest> Sqls(const std::vector<std::string>& texts) {
    std::vector<hrana::StreamRequest> requests;
    for (const std::string& sql : texts) requests.push_back(Sql(sql));
    return requests;
  }
  // Runs until it is cancelled.
  static std::string EndlessSql() {
    return "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";
  }

  runtime::TestCore core_;
  std::unique_ptr<catalog::EmbeddedCatalog> catalog_;
  MemoryPeers peers_;
  std::map<NodeName, std::unique_ptr<MemoryNode>> nodes_;
};

}  // namespace tradewind::gateway
