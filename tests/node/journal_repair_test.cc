#include "node/journal_repair.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>

#include "move/journal.h"
#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using catalog::MoveState;
using move::Role;

// Of tenant t at epoch 5, in the move m1 from n1 to n2.
RepairFacts Facts(const NodeName& owner, std::optional<MoveState> move, bool readable_map) {
  RepairFacts facts;
  facts.tenant = "t";
  facts.has_file = true;
  if (readable_map) facts.map = RepairFacts::Map{true, 3, 10};
  facts.record = catalog::TenantRecord{"t", "sqlite", {owner, Epoch{5}}, 0, move ? "m1" : "", ""};
  if (!move) return facts;
  facts.move.emplace();
  facts.move->id = "m1";
  facts.move->tenant = "t";
  facts.move->source = "n1";
  facts.move->destination = "n2";
  facts.move->state = *move;
  return facts;
}

struct Case {
  const char* self;
  const char* owner;
  std::optional<MoveState> move;
  bool readable_map;
  std::optional<Role> role;
  bool reverse = false;
  bool uncertain = false;
  bool blocks = false;
};

TEST(JournalRepair, DecidesByTheCatalogAndWhatLiesOnTheDisk) {
  const Case cases[] = {
      {"n1", "n1", std::nullopt, false, Role::kOwned},
      {"n1", "n2", std::nullopt, false, std::nullopt},
      {"n1", "n1", std::nullopt, true, std::nullopt, false, true, true},  // Pages are missing.
      {"n1", "n1", MoveState::kForward, false, Role::kOwned},
      {"n1", "n2", MoveState::kForward, false, Role::kDual},
      {"n1", "n2", MoveState::kReverse, false, Role::kDual},
      {"n1", "n2", MoveState::kReverse, true, Role::kReady, true},
      {"n1", "n1", MoveState::kReverse, true, Role::kOwner, true},
      {"n1", "n1", MoveState::kReverse, false, Role::kOwner, true, true},
      {"n2", "n1", MoveState::kForward, true, Role::kReady},
      {"n2", "n1", MoveState::kForward, false, std::nullopt, false, true, true},
      {"n2", "n2", MoveState::kForward, true, Role::kOwner},
      {"n2", "n2", MoveState::kForward, false, Role::kOwner, false, true},
      {"n2", "n2", MoveState::kReverse, true, Role::kOwner},
      {"n2", "n1", MoveState::kReverse, true, Role::kDual, true},
      {"n3", "n1", MoveState::kForward, false, std::nullopt},
  };
  for (const Case& c : cases) {
    const RepairDecision decision = Decide(c.self, Facts(c.owner, c.move, c.readable_map));
    SCOPED_TRACE(std::string(c.self) + ", owner " + c.owner + ": " + decision.decision);
    EXPECT_EQ(decision.blocks, c.blocks);
    EXPECT_EQ(!decision.uncertain.empty(), c.uncertain) << decision.uncertain;
    ASSERT_EQ(decision.entry.has_value(), c.role.has_value());
    if (!c.role) continue;
    EXPECT_EQ(decision.entry->role, *c.role);
    EXPECT_EQ(decision.entry->reverse, c.reverse);
    EXPECT_EQ(decision.entry->epoch, Epoch{5});
    EXPECT_EQ(decision.entry->list, *c.role == Role::kReady ? 3u : 0u);
    if (*c.role == Role::kOwned) continue;
    EXPECT_EQ(decision.entry->move, "m1");
    EXPECT_EQ(decision.entry->peer, c.self == std::string("n1") ? "n2" : "n1");
  }
}

TEST(JournalRepair, CancelsOnlyAMoveThatWasNotHandedOver) {
  EXPECT_TRUE(Decide("n1", Facts("n1", MoveState::kForward, false)).cancels_move);
  EXPECT_FALSE(Decide("n1", Facts("n2", MoveState::kForward, false)).cancels_move);
  EXPECT_FALSE(Decide("n2", Facts("n2", MoveState::kForward, true)).cancels_move);
}

TEST(JournalRepair, LeavesAMoveThatStoppedAtSumsThatDifferStopped) {
  for (const auto& [self, owner, state] :
       {std::tuple{"n2", "n2", MoveState::kForward}, std::tuple{"n2", "n2", MoveState::kReverse},
        std::tuple{"n1", "n1", MoveState::kReverse}}) {
    RepairFacts facts = Facts(owner, state, true);
    facts.move->receipt = R"({"stopped":"HASH_MISMATCH"})";
    EXPECT_EQ(Decide(self, facts).entry->role, Role::kOwner) << "pages are missing: it has gone on since";
    facts.map->missing = 0;
    const RepairDecision decision = Decide(self, facts);
    EXPECT_EQ(decision.entry->role, Role::kMismatch);
    EXPECT_EQ(decision.entry->move, "m1");
    for (const char* receipt : {"", "{", "{}", R"({"stopped":null})", R"({"stopped":7})"}) {
      facts.move->receipt = receipt;
      EXPECT_EQ(Decide(self, facts).entry->role, Role::kOwner) << receipt;
    }
  }
}

class RepairOfANode : public TwoNodes {};

TEST_F(RepairOfANode, MakesAJournalWithWhichEveryTenantIsServedAgain) {
  WithNodes([&] {
    for (const char* tenant : {"a", "b", "c"}) {
      Json(201,
           Call(*n1_, "POST", "/v1/tenants", std::string(R"({"name":")") + tenant + R"(","node":"n2"})"));
    }
    Stop(n2_);
    const std::string data = folder_.File("n2");
    std::ofstream(data + "/tenants/stray.db") << "somebody's";
    std::string damaged;
    {
      std::ifstream file(data + "/journal", std::ios::binary);
      damaged.assign(std::istreambuf_iterator<char>(file), {});
    }
    damaged[20] = static_cast<char>(damaged[20] ^ 1);
    std::ofstream(data + "/journal", std::ios::binary | std::ios::trunc) << damaged;

    const NodeOptions options = OptionsOf("n2", n1_->url());
    const auto refused = Node::Start(*core_, options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "JOURNAL_CORRUPT");

    auto plan = PlanRepair(*core_, data, "", n1_->catalog());
    ASSERT_TRUE(plan) << Describe(plan.error());
    EXPECT_EQ(plan->node, "n2");
    EXPECT_NE(plan->journal, "");
    ASSERT_EQ(plan->decisions.size(), 4u);
    EXPECT_FALSE(plan->decisions[3].entry) << "the stray file";
    const auto kept = CarryOutRepair(*core_, data, *plan, n1_->catalog());
    ASSERT_TRUE(kept) << Describe(kept.error());
    std::ifstream file(*kept, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), damaged);
    EXPECT_TRUE(std::filesystem::exists(data + "/tenants/stray.db"));

    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    EXPECT_EQ(n2_->parts().tenants().names(), (std::vector<TenantName>{"a", "b", "c"}));
    for (const char* tenant : {"a", "b", "c"}) EXPECT_TRUE(n2_->parts().tenants().Find(tenant));
  });
}

TEST_F(RepairOfANode, AJournalThatIsMissingOrEmptyBesideTenantsIsNotMadeAnew) {
  WithNodes([&] {
    Json(201, Call(*n1_, "POST", "/v1/tenants", R"({"name":"a","node":"n2"})"));
    Stop(n2_);
    const NodeOptions options = OptionsOf("n2", n1_->url());
    const std::string journal = folder_.File("n2") + "/journal";
    std::filesystem::resize_file(journal, 0);
    EXPECT_EQ(Node::Start(*core_, options).error().code, "JOURNAL_MISSING");
    std::filesystem::remove(journal);
    EXPECT_EQ(Node::Start(*core_, options).error().code, "JOURNAL_MISSING");
    EXPECT_FALSE(std::filesystem::exists(journal));
  });
}

}  // namespace
}  // namespace tradewind::node
