// For tests of engines behind the seam (payload.h): a tenant of one of them on two nodes (fake_cluster.h), a move of it while it
// is written to, and what must come of that at each step of the move, whatever happens there.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "move/fake_cluster.h"
#include "move/options.h"

namespace tradewind::move {

// Later the move may be done before anybody can turn it round.
inline bool IsBeforeTheEnd(Step step) {
  return step < Step::kSourceSentComplete ||
         (step >= Step::kDestinationNotedReceiving && step < Step::kDestinationSyncedAll);
}

inline bool IsOfSource(Step step) {
  return NameOf(step).starts_with("source");
}

class SeamTest : public testing::Test {
 protected:
  void With(FakeEngine& engine, const std::function<void(FakeCluster&)>& body) {
    core_.Run([&] {
      FakeCluster cluster(core_, engine);
      // The catalog keeps none of the names of engines of tests.
      const auto made = cluster.catalog->CreateTenant("shop", "sqlite", "n1");
      EXPECT_TRUE(made) << Describe(made.error());
      EXPECT_TRUE(cluster.n1().journal().Put({"shop", Role::kOwned, Epoch{1}, "", "", 0, false}));
      EXPECT_TRUE(FakeCopy(core_, cluster.n1().TenantPath("shop")).Save());
      cluster.n1().tenants().AddOwned("shop", Epoch{1});
      for (int number = 0; number < 6; ++number) cluster.Write("first " + std::to_string(number));
      body(cluster);
      cluster.Stop();
    });
  }

  // Restarts nodes that die, writes, and returns once the move is over everywhere.
  catalog::MoveRecord AwaitEnd(FakeCluster& cluster, const MoveId& id) {
    for (int look = 0; look < 2'000; ++look) {
      for (auto& [name, node] : cluster.nodes)
        if (node->dead()) {
          runtime::SleepFor(std::chrono::milliseconds(40));
          node->Stop();
          node->Start();
        }
      if (look < 40) cluster.Write("during " + std::to_string(look));
      const auto record = cluster.catalog->GetMove(id).value();
      if (catalog::IsOver(record.state) && IsSettled(cluster)) return record;
      runtime::SleepFor(std::chrono::milliseconds(20));
    }
    ADD_FAILURE() << "the move does not end; n1: " << RoleAt(cluster.n1())
                  << ", n2: " << RoleAt(cluster.n2());
    return {};
  }
  static bool IsSettled(FakeCluster& cluster) {
    size_t owned = 0;
    for (auto& [name, node] : cluster.nodes) {
      if (node->dead() || node->moves().IsMoving("shop")) return false;
      for (const auto& [tenant, entry] : node->journal().entries())
        if (entry.role != Role::kOwned)
          return false;
        else
          ++owned;
    }
    return owned == 1;
  }
  static std::string RoleAt(FakeNode& node) {
    if (node.dead()) return "dead";
    const auto& entries = node.journal().entries();
    const auto found = entries.find("shop");
    return found == entries.end() ? "nothing" : std::string(NameOf(found->second.role));
  }

  // One node has all that was acknowledged, in order, and the other nothing.
  static void ExpectAllAt(FakeCluster& cluster, FakeNode& owner, FakeNode& other) {
    EXPECT_EQ(RoleAt(owner), "owned");
    EXPECT_EQ(RoleAt(other), "nothing");
    EXPECT_FALSE(std::filesystem::exists(other.TenantPath("shop")));
    const auto record = cluster.catalog->GetTenant("shop").value();
    EXPECT_EQ(record.ownership.owner, owner.self());
    cluster.Write("last");
    std::vector<std::string> content = cluster.ContentAt(owner);
    const std::set<std::string> acknowledged(cluster.written.begin(), cluster.written.end());
    std::erase_if(content, [&](const std::string& text) { return !acknowledged.contains(text); });
    EXPECT_EQ(content, cluster.written);
  }

  MoveId Start(FakeCluster& cluster) {
    const auto started = cluster.n1().moves().Start({"shop", "n2", options_});
    EXPECT_TRUE(started) << Describe(started.error());
    return started ? started->id : MoveId();
  }
  // At whichever node takes it; false: it was too late.
  static bool Cancel(FakeCluster& cluster, const MoveId& id) {
    for (int tries = 0; tries < 500; ++tries) {
      for (auto& [name, node] : cluster.nodes) {
        if (node->dead() || node->stopping()) continue;
        const auto cancelled = node->moves().Cancel(id);
        if (cancelled) return true;
        if (cancelled.error().code == "MOVE_OVER") return false;
      }
      if (catalog::IsOver(cluster.catalog->GetMove(id).value().state)) return false;
      runtime::SleepFor(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << "nobody cancels the move";
    return false;
  }

  // -- At one step, which the engine comes to
  void ExpectNothingLostByADeath(FakeEngine& engine, Step step) {
    With(engine, [&](FakeCluster& cluster) {
      bool died = false;
      cluster.on_step = [&](FakeNode& node, Step reached) {
        if (reached == step && !std::exchange(died, true)) node.Die();
      };
      const auto record = AwaitEnd(cluster, Start(cluster));
      EXPECT_TRUE(died);
      const bool moved = record.state == catalog::MoveState::kDone;
      // Before the source has noted that it may have swapped, its death ends the move.
      if (!IsOfSource(step) || step >= Step::kSourceNotedSwapping) {
        EXPECT_TRUE(moved);
      }
      if (moved)
        ExpectAllAt(cluster, cluster.n2(), cluster.n1());
      else
        ExpectAllAt(cluster, cluster.n1(), cluster.n2());
    });
  }
  void ExpectBackAfterACancel(FakeEngine& engine, Step step) {
    With(engine, [&](FakeCluster& cluster) {
      bool asked = false;
      bool cancelled = false;
      engine.keeps_source = IsBeforeTheEnd(step);
      MoveId id;
      runtime::TaskGroup canceller(core_);
      cluster.on_step = [&](FakeNode&, Step reached) {
        if (reached == step && !std::exchange(asked, true))
          canceller.Spawn("canceller", [&] {
            while (id.empty()) runtime::Yield();
            cancelled = Cancel(cluster, id);
            engine.keeps_source = false;
          });
      };
      id = Start(cluster);
      const auto record = AwaitEnd(cluster, id);
      canceller.Join();
      EXPECT_TRUE(asked);
      if (IsBeforeTheEnd(step)) {
        EXPECT_TRUE(cancelled);
      }
      EXPECT_EQ(record.state, cancelled ? catalog::MoveState::kCancelled : catalog::MoveState::kDone);
      if (cancelled)
        ExpectAllAt(cluster, cluster.n1(), cluster.n2());
      else
        ExpectAllAt(cluster, cluster.n2(), cluster.n1());
    });
  }
  void ExpectBackAfterADeathOnTheWay(FakeEngine& engine, Step step) {
    With(engine, [&](FakeCluster& cluster) {
      bool asked = false;
      bool died = false;
      MoveId id;
      runtime::TaskGroup canceller(core_);
      cluster.on_step = [&](FakeNode& node, Step reached) {
        if (reached == Step::kDestinationServes && node.self() == "n2" && !std::exchange(asked, true))
          canceller.Spawn("canceller", [&] {
            while (id.empty()) runtime::Yield();
            for (const char* text : {"at n2", "and again"}) cluster.Write(text);
            EXPECT_TRUE(Cancel(cluster, id));
            engine.keeps_source = false;
          });
        const bool goes_back = node.self() == (IsOfSource(step) ? "n2" : "n1");
        if (reached == step && goes_back && !std::exchange(died, true)) node.Die();
      };
      engine.keeps_source = true;
      id = Start(cluster);
      const auto record = AwaitEnd(cluster, id);
      canceller.Join();
      EXPECT_TRUE(died);
      EXPECT_EQ(record.state, catalog::MoveState::kCancelled);
      ExpectAllAt(cluster, cluster.n1(), cluster.n2());
    });
  }

  runtime::TestCore core_;
  MoveOptions options_;
};

}  // namespace tradewind::move
