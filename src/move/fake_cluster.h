// For tests of the seam: nodes n1 and n2 of one engine of a test, on a TestCore, with a catalog, links, and all of move/ as
// a node has it. A node can end at any step of a move as if its process had been killed: what it had on its disk then is
// all that is left, and nothing that it says or asks later counts.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "catalog/embedded_catalog.h"
#include "move/fake_tenant.h"
#include "move/host.h"
#include "move/journal.h"
#include "move/move_fixture.h"
#include "move/moves.h"
#include "runtime/test_core.h"
#include "tenant/local_tenants.h"
#include "tenant/name_claims.h"
#include "tenant/removed_files.h"

namespace tradewind::move {

// What a node asks the catalog; a dead one gets no answer, and changes nothing.
class CutCatalog final : public catalog::Catalog {
 public:
  // Changes of a move's state, once made, are answered when `answer` has returned, and with its error.
  using Answer = std::function<Result<void>(catalog::MoveState to)>;
  CutCatalog(catalog::Catalog& to, const bool& dead, const Answer& answer)
      : to_(to), dead_(dead), answer_(answer) {}

#define TW_FORWARD(call) return dead_ ? Fail(ErrorKind::kUnavailable, "CATALOG_AWAY", "") : to_.call
  Result<catalog::Membership> RegisterNode(const catalog::Registration& registration) override {
    TW_FORWARD(RegisterNode(registration));
  }
  Result<void> SetDraining(const NodeName& name, bool draining) override {
    TW_FORWARD(SetDraining(name, draining));
  }
  Result<std::vector<catalog::NodeRecord>> Nodes() override {
    TW_FORWARD(Nodes());
  }
  Result<uint64_t> ForgetNode(const NodeName& name, bool delete_tenants) override {
    TW_FORWARD(ForgetNode(name, delete_tenants));
  }
  Result<catalog::TenantRecord> CreateTenant(const TenantName& name, const std::string& engine,
                                             const NodeName& owner) override {
    TW_FORWARD(CreateTenant(name, engine, owner));
  }
  Result<catalog::TenantRecord> GetTenant(const TenantName& name) override {
    TW_FORWARD(GetTenant(name));
  }
  Result<std::vector<catalog::TenantRecord>> ListTenants() override {
    TW_FORWARD(ListTenants());
  }
  Result<std::vector<catalog::TenantRecord>> ListObjectives() override {
    TW_FORWARD(ListObjectives());
  }
  Result<catalog::TenantRecord> SetObjective(const TenantName& name, const std::string& objective) override {
    TW_FORWARD(SetObjective(name, objective));
  }
  Result<std::vector<catalog::TenantRecord>> ListQuotas() override {
    TW_FORWARD(ListQuotas());
  }
  Result<catalog::TenantRecord> SetQuotas(const TenantName& name, const std::string& quotas) override {
    TW_FORWARD(SetQuotas(name, quotas));
  }
  Result<std::map<NodeName, uint64_t>> TenantCounts() override {
    TW_FORWARD(TenantCounts());
  }
  Result<void> DeleteTenant(const TenantName& name, const catalog::Ownership& expected) override {
    TW_FORWARD(DeleteTenant(name, expected));
  }
  Result<void> DeleteInMove(const TenantName& name, const catalog::Ownership& expected,
                            const MoveId& move) override {
    TW_FORWARD(DeleteInMove(name, expected, move));
  }
  Result<catalog::SwapOutcome> Swap(const TenantName& name, const catalog::Ownership& from,
                                    const NodeName& to, const MoveId& move) override {
    TW_FORWARD(Swap(name, from, to, move));
  }
  Result<catalog::SwapOutcome> Fence(const TenantName& name, const catalog::Ownership& from,
                                     const MoveId& move) override {
    TW_FORWARD(Fence(name, from, move));
  }
  Result<catalog::MoveRecord> BeginMove(const catalog::MoveRecord& move) override {
    TW_FORWARD(BeginMove(move));
  }
  Result<catalog::MoveOutcome> SetMoveState(const MoveId& id, catalog::MoveState from, catalog::MoveState to,
                                            const std::string& receipt) override {
    if (dead_ || !answer_) TW_FORWARD(SetMoveState(id, from, to, receipt));
    auto outcome = to_.SetMoveState(id, from, to, receipt);
    TW_TRY(answer_(to));
    return outcome;
  }
  Result<void> SaveReceipt(const MoveId& id, const std::string& receipt) override {
    TW_FORWARD(SaveReceipt(id, receipt));
  }
  Result<void> SetMoveOptions(const MoveId& id, const std::string& options) override {
    TW_FORWARD(SetMoveOptions(id, options));
  }
  Result<catalog::MoveRecord> GetMove(const MoveId& id) override {
    TW_FORWARD(GetMove(id));
  }
  Result<std::vector<catalog::MoveRecord>> ListMoves() override {
    TW_FORWARD(ListMoves());
  }
  Result<std::vector<catalog::MoveRecord>> ListLiveMoves() override {
    TW_FORWARD(ListLiveMoves());
  }
#undef TW_FORWARD

 private:
  catalog::Catalog& to_;
  const bool& dead_;
  const Answer& answer_;
};

class FakeCluster;

class FakeNode final : public MoveHost {
 public:
  FakeNode(FakeCluster& cluster, NodeName name);

  // Goes on with what is in its folder. Suspends.
  void Start();
  // As an order, or after its death. Suspends.
  void Stop();
  bool dead() const { return dead_; }
  // As if its process had been killed. Does not suspend.
  void Die();

  runtime::Core& core() override;
  catalog::Catalog& catalog() override { return catalog_; }
  Journal& journal() override { return *journal_; }
  const NodeName& self() const override { return name_; }
  std::string TenantPath(const TenantName& tenant) const override {
    return folder_ + "/tenants/" + tenant + ".db";
  }
  Result<std::unique_ptr<MoveChannel>> OpenChannel(const NodeName& peer, const TenantName&,
                                                   runtime::TimePoint) override;
  Engine* FindEngine(std::string_view name) override;
  Engine& EngineOf(const TenantName&) override;
  pace::TokenBucket& paced_throttle() override { return bucket_; }
  void Adopt(std::unique_ptr<tenant::HostedTenant> tenant, Epoch epoch,
             std::function<void()> first_answer) override {
    tenants_->Adopt(std::move(tenant), epoch, std::move(first_answer));
  }
  void Reached(Step step) override;
  bool stopping() const override { return stopping_; }

  tenant::LocalTenants& tenants() { return *tenants_; }
  Moves& moves() { return *moves_; }

 private:
  void CancelForgotten();

  FakeCluster& cluster_;
  const NodeName name_;
  std::string folder_;
  bool dead_ = false;
  bool stopping_ = true;
  int lives_ = 0;
  CutCatalog catalog_;
  pace::TokenBucket bucket_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<tenant::RemovedFiles> removed_;
  std::unique_ptr<tenant::NameClaims> claims_;
  std::unique_ptr<tenant::LocalTenants> tenants_;
  std::unique_ptr<Moves> moves_;
};

class FakeCluster {
 public:
  FakeCluster(runtime::TestCore& on, FakeEngine& of) : FakeCluster(on, on.folder(), of) {}
  FakeCluster(runtime::Core& on, std::string in, FakeEngine& of)
      : core(on), folder(std::move(in)), engine(of) {
    catalog = catalog::EmbeddedCatalog::Open(core, folder + "/catalog.db").value();
    for (const char* name : {"n1", "n2"}) {
      EXPECT_TRUE(catalog->RegisterNode({{name, "http://n"}, name}));
      nodes[name] = std::make_unique<FakeNode>(*this, name);
      nodes[name]->Start();
    }
  }
  // Suspends.
  void Stop() {
    for (auto& [name, node] : nodes) node->Stop();
    for (auto& link : links) link.pair->Stop();
    links.clear();
    catalog->Close();
  }

  FakeNode& n1() { return *nodes.at("n1"); }
  FakeNode& n2() { return *nodes.at("n2"); }

  // At the owner, wherever that is; it is tried until it is taken.
  void Write(const std::string& text) {
    for (int tries = 0; tries < 10'000; ++tries) {
      const std::string unique = text + "#" + std::to_string(tries);
      for (auto& [name, node] : nodes) {
        if (node->dead() || node->stopping() || !node->tenants().Has("shop")) continue;
        auto use = node->tenants().Find("shop");
        if (use && !node->dead() && static_cast<FakeTenant&>(use->hosted()).Write(unique) && !node->dead()) {
          written.push_back(unique);
          return;
        }
      }
      runtime::SleepFor(std::chrono::milliseconds(3));
    }
    ADD_FAILURE() << "nobody takes " << text;
  }
  // What a node that has the tenant's file holds.
  std::vector<std::string> ContentAt(FakeNode& node) {
    FakeCopy copy(core, node.TenantPath("shop"));
    if (!copy.Load()) return {};
    std::vector<std::string> texts;
    for (const auto& [number, text] : copy.items) texts.push_back(text);
    return texts;
  }

  struct Link {
    NodeName from, to;
    std::unique_ptr<LinkPair> pair;
  };

  runtime::Core& core;
  const std::string folder;
  FakeEngine& engine;
  std::unique_ptr<catalog::EmbeddedCatalog> catalog;
  std::map<NodeName, std::unique_ptr<FakeNode>> nodes;
  std::vector<Link> links;
  std::function<void(FakeNode&, Step)> on_step;  // Before it goes on.
  CutCatalog::Answer answer_change;
  std::vector<std::string> written;
};

inline FakeNode::FakeNode(FakeCluster& cluster, NodeName name)
    : cluster_(cluster),
      name_(std::move(name)),
      folder_(cluster.folder + "/" + name_),
      catalog_(*cluster.catalog, dead_, cluster.answer_change),
      bucket_(cluster.core, 0, 1u << 20) {
  std::filesystem::create_directories(folder_ + "/tenants");
}

inline runtime::Core& FakeNode::core() {
  return cluster_.core;
}
inline Engine* FakeNode::FindEngine(std::string_view name) {
  return name == cluster_.engine.name() ? &cluster_.engine : nullptr;
}
inline Engine& FakeNode::EngineOf(const TenantName&) {
  return cluster_.engine;
}

inline void FakeNode::Start() {
  if (std::exchange(dead_, false)) folder_ += ".left";
  stopping_ = false;
  journal_ = Journal::Open(core(), folder_ + "/journal").value();
  removed_ = std::make_unique<tenant::RemovedFiles>(core(), folder_ + "/removed" + std::to_string(++lives_));
  EXPECT_TRUE(removed_->Start());
  claims_ = std::make_unique<tenant::NameClaims>(core());
  tenant::LocalTenants::Options options;
  options.claims = claims_.get();
  options.is_busy = [this](const TenantName& tenant) { return moves_ && moves_->IsMoving(tenant); };
  options.files = &cluster_.engine;
  tenants_ = std::make_unique<tenant::LocalTenants>(core(), folder_ + "/tenants", *removed_, options);
  moves_ = std::make_unique<Moves>(
      *this, *tenants_, *claims_, [](const TenantName&) {}, [] {});
  const JournalEntries entries = journal_->entries();
  for (const auto& [tenant, entry] : entries) {
    if (entry.role == Role::kOwned) {
      tenants_->AddOwned(tenant, entry.epoch);
    } else if (entry.role == Role::kDeleting) {
      EXPECT_TRUE(tenants_->RemoveFiles(tenant));
      EXPECT_TRUE(journal_->Erase(tenant));
    } else {
      const auto resumed = moves_->Resume(entry);
      EXPECT_TRUE(resumed) << Describe(resumed.error());
    }
  }
  CancelForgotten();
  moves_->AllowStarts();
}

// As node/recovery.cc does.
inline void FakeNode::CancelForgotten() {
  const auto records = catalog_.ListLiveMoves().value();
  for (const catalog::MoveRecord& record : records) {
    const auto entry = journal_->entries().find(record.tenant);
    const bool forgotten = record.source == name_ && record.state == catalog::MoveState::kForward &&
                           entry != journal_->entries().end() && entry->second.move != record.id;
    if (!forgotten) continue;
    EXPECT_TRUE(
        catalog_.SetMoveState(record.id, catalog::MoveState::kForward, catalog::MoveState::kCancelled, "{}"));
  }
}

inline void FakeNode::Stop() {
  if (!moves_) return;
  stopping_ = true;
  moves_->incoming().StopWaits();
  for (auto& link : cluster_.links)
    if (link.from == name_ || link.to == name_) link.pair->Cut();
  moves_->Stop();
  tenants_->CloseAll();
  removed_->Stop();
  journal_->Close();
  moves_.reset();
  tenants_.reset();
  claims_.reset();
  removed_.reset();
  journal_.reset();
}

inline void FakeNode::Die() {
  std::filesystem::copy(folder_, folder_ + ".left", std::filesystem::copy_options::recursive);
  dead_ = true;
  stopping_ = true;
  for (auto& link : cluster_.links)
    if (link.from == name_ || link.to == name_) link.pair->Cut();
}

inline void FakeNode::Reached(Step step) {
  if (!dead_ && !stopping_ && cluster_.on_step) cluster_.on_step(*this, step);
}

inline Result<std::unique_ptr<MoveChannel>> FakeNode::OpenChannel(const NodeName& peer, const TenantName&,
                                                                  runtime::TimePoint) {
  FakeNode& other = *cluster_.nodes.at(peer);
  if (stopping_ || other.stopping()) return Fail(ErrorKind::kUnavailable, "NODE_UNREACHABLE", "it is down");
  for (auto& link : cluster_.links)
    if (link.from == name_ && link.to == peer && !link.pair->near->lost()) return link.pair->near->Open();
  cluster_.links.push_back(
      {name_, peer, std::make_unique<LinkPair>(core(), [&other](std::unique_ptr<MoveChannel> channel) {
         if (other.moves_) other.moves_->incoming().ServeChannel(std::move(channel));
       })});
  return cluster_.links.back().pair->near->Open();
}

}  // namespace tradewind::move
