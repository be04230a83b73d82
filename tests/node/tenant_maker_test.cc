#include "admin/tenant_maker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/node/two_nodes.h"

namespace tradewind::node {
namespace {

using catalog::Need;
using testing::HasSubstr;

class TenantMakerTest : public TwoNodes {
 protected:
  std::string File(const std::string& node, const std::string& tenant) {
    return folder_.File(node) + "/tenants/" + tenant + ".db";
  }
  template <typename T>
  static std::string CodeOf(const Result<T>& result) {
    return catalog::CodeOf(result);
  }
  // Runs it `times` times at once; how often each code came.
  std::map<std::string, int> AtOnce(int times, const std::function<std::string(int)>& body) {
    std::map<std::string, int> codes;
    runtime::TaskGroup fibers(*core_);
    for (int i = 0; i < times; ++i) fibers.Spawn("one of many", [&, i] { ++codes[body(i)]; });
    fibers.Join();
    return codes;
  }
  std::string Sql(Node& node, const std::string& tenant, const std::string& sql) {
    const boost::json::value request{
        {"requests",
         boost::json::array{{{"type", "execute"}, {"stmt", {{"sql", sql}}}}, {{"type", "close"}}}}};
    const auto answer = Call(node, "POST", "/db/" + tenant + "/v2/pipeline", boost::json::serialize(request));
    return answer.body;
  }
  std::string CodeOfMove(Node& node, const std::string& tenant, const std::string& to) {
    return CodeOf(node.parts().moves().RunToEnd({tenant, to, {}}));
  }
};

TEST_F(TenantMakerTest, OfManyCreatesAtOnceOneMakesTheTenantAndNoneRemovesIt) {
  WithNodes([&] {
    const auto codes = AtOnce(12, [&](int i) {
      Node& node = i % 2 ? *n1_ : *n2_;
      const std::string code = CodeOf(node.maker().Create("shop", ""));
      if (code == "no error") {
        EXPECT_THAT(Sql(*n1_, "shop", "CREATE TABLE t(x)"), HasSubstr("\"ok\""));
      }
      return code;
    });
    EXPECT_EQ(codes, (std::map<std::string, int>{{"no error", 1}, {"TENANT_EXISTS", 11}}));
    EXPECT_NE(std::filesystem::exists(File("n1", "shop")), std::filesystem::exists(File("n2", "shop")));
    EXPECT_THAT(Sql(*n2_, "shop", "SELECT count(*) FROM t"), HasSubstr("\"ok\""));
  });
}

TEST_F(TenantMakerTest, WhoseCreateFailsAfterAnotherHasMadeTheNameAnewDoesNotDeleteThatOne) {
  WithNodes([&] {
    const auto first = Need(n2_->maker().Create("shop", ""));
    Need(n2_->maker().Delete("shop"));
    EXPECT_EQ(CodeOf(n2_->maker().Delete("shop", first.ownership.epoch)), "TENANT_REPLACED");
    const auto second = Need(n2_->maker().Create("shop", ""));
    EXPECT_EQ(CodeOf(n2_->maker().Delete("shop", first.ownership.epoch)), "TENANT_REPLACED");
    EXPECT_THAT(Sql(*n1_, "shop", "CREATE TABLE t(x)"), HasSubstr("\"ok\""));
    EXPECT_EQ(CodeOf(n2_->maker().Delete("shop", second.ownership.epoch)), "no error");
    EXPECT_EQ(CodeOf(n2_->catalog().GetTenant("shop")), "TENANT_NOT_FOUND");
  });
}

TEST_F(TenantMakerTest, ARequestThatComesWhileItsTenantIsBeingMadeWaitsForThat) {
  WithNodes([&] {
    runtime::TaskGroup fibers(*core_);
    for (int round = 0; round < 10; ++round) {
      const std::string tenant = "t" + std::to_string(round);
      fibers.Spawn("create", [&, tenant] { Need(n2_->maker().Create(tenant, "")); });
      Await([&] { return n1_->catalog().GetTenant(tenant).has_value(); });
      const auto begun = core_->Now();
      EXPECT_THAT(Sql(*n1_, tenant, "SELECT 1"), HasSubstr("\"ok\""));
      EXPECT_LT(core_->Now() - begun, limits::kParkedRequest);
    }
    fibers.Join();
  });
}

TEST_F(TenantMakerTest, CreatesAndDeletesInALoopNeitherEndTheNodeNorLeaveAnything) {
  WithNodes([&] {
    AtOnce(6, [&](int i) {
      for (int round = 0; round < 20; ++round) {
        const std::string code =
            i % 3 == 2 ? CodeOf(n2_->maker().Delete("shop")) : CodeOf(n2_->maker().Create("shop", ""));
        EXPECT_THAT(code, testing::AnyOf("no error", "TENANT_EXISTS", "TENANT_NOT_HERE")) << code;
      }
      return "";
    });
    if (n2_->parts().tenants().Has("shop")) Need(n2_->maker().Delete("shop"));
    EXPECT_TRUE(std::filesystem::is_empty(folder_.File("n2") + "/tenants"));
    EXPECT_TRUE(n2_->journal().entries().empty());
  });
}

TEST_F(TenantMakerTest, ANameIsFreeAsSoonAsItsTenantIsDeletedOrMovedAwayAndDeleted) {
  WithNodes([&] {
    for (int round = 0; round < 5; ++round) {
      Need(n1_->maker().Create("shop", ""));
      EXPECT_THAT(Sql(*n1_, "shop", "CREATE TABLE t(x)"), HasSubstr("\"ok\""));
      ASSERT_EQ(CodeOfMove(*n1_, "shop", "n2"), "no error");
      Need(n2_->maker().Delete("shop"));
      EXPECT_EQ(CodeOf(n1_->catalog().GetTenant("shop")), "TENANT_NOT_FOUND");
    }
    Need(n2_->maker().Create("shop", ""));
    Need(n2_->maker().Delete("shop"));
    Need(n2_->maker().Create("shop", ""));
  });
}

TEST_F(TenantMakerTest, ADeleteDoesNotWaitForTheStreamsOfClients) {
  WithNodes([&] {
    Need(n2_->maker().Create("shop", ""));
    const auto open = Call(*n1_, "POST", "/db/shop/v2/pipeline",
                           R"({"requests":[{"type":"execute","stmt":{"sql":"BEGIN"}}]})");
    EXPECT_THAT(open.body, HasSubstr("\"ok\""));
    const auto begun = core_->Now();
    Need(n2_->maker().Delete("shop"));
    EXPECT_LT(core_->Now() - begun, limits::kNameWait);
  });
}

TEST_F(TenantMakerTest, WritesOverNoFileThatItDoesNotKnow) {
  WithNodes([&] {
    std::ofstream(File("n1", "a")) << "precious";
    EXPECT_EQ(CodeOf(n1_->maker().Create("a", "")), "FILE_IN_THE_WAY");
    EXPECT_EQ(std::filesystem::file_size(File("n1", "a")), 8u);
    Need(n2_->maker().Create("a", ""));
    const auto moved = n2_->parts().moves().RunToEnd({"a", "n1", {}});
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->phase, move::Phase::kCancelled);
    EXPECT_THAT(moved->error, HasSubstr("FILE_IN_THE_WAY"));
    EXPECT_EQ(std::filesystem::file_size(File("n1", "a")), 8u);
  });
}

TEST_F(TenantMakerTest, ACreateThatFailedLeavesTheNameFree) {
  WithNodes([&] {
    EXPECT_EQ(CodeOf(n1_->maker().Create("shop", folder_.File("nowhere.db"))), "FILE_NOT_FOUND");
    EXPECT_TRUE(n1_->journal().entries().empty());
    Need(n1_->maker().Create("shop", ""));
  });
}

TEST_F(TenantMakerTest, FinishesWhatARestartFindsHalfMade) {
  WithNodes([&] {
    const auto entry = [](const char* name, move::Role role, uint64_t epoch) {
      return move::JournalEntry{name, role, Epoch{epoch}, "", "", 0};
    };
    for (const char* name : {"made", "stays", "gone"}) Need(n2_->maker().Create(name, ""));
    Need(n1_->catalog().DeleteTenant("gone", {"n2", Epoch{1}}));
    Need(n2_->journal().Erase("made"));
    Need(n2_->journal().Put(entry("made", move::Role::kCreating, 0)));
    Need(n2_->journal().Put(entry("stays", move::Role::kDropping, 1)));
    Need(n2_->journal().Put(entry("gone", move::Role::kDropping, 1)));
    Need(n2_->journal().Put(entry("nothing", move::Role::kCreating, 0)));
    std::filesystem::copy(File("n2", "made"), File("n2", "whole"));
    Need(n2_->journal().Put(entry("whole", move::Role::kCreating, 0)));
    Stop(n2_);
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    Await([&] {
      for (const auto& [name, left] : n2_->journal().entries())
        if (left.role != move::Role::kOwned) return false;
      return n2_->parts().tenants().names().size() == 3;
    });
    EXPECT_EQ(n2_->parts().tenants().names(), (std::vector<TenantName>{"made", "stays", "whole"}));
    EXPECT_EQ(Need(n1_->catalog().GetTenant("whole")).ownership.owner, "n2");
    EXPECT_FALSE(std::filesystem::exists(File("n2", "gone")));
    for (const char* name : {"made", "stays", "whole"})
      EXPECT_THAT(Sql(*n1_, name, "CREATE TABLE t(x)"), HasSubstr("\"ok\"")) << name;
  });
}

TEST_F(TenantMakerTest, ATenantWhoseFileIsGoneOrEmptyIsNeverMadeAnew) {
  WithNodes([&] {
    for (const char* name : {"gone", "empty", "short", "fine"}) {
      Need(n2_->maker().Create(name, ""));
      EXPECT_THAT(Sql(*n2_, name, "CREATE TABLE t AS SELECT zeroblob(20000)"), HasSubstr("\"ok\""));
    }
    Stop(n2_);
    std::filesystem::remove(File("n2", "gone"));
    std::filesystem::resize_file(File("n2", "empty"), 0);
    std::filesystem::resize_file(File("n2", "short"), 8192);
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    for (const char* name : {"gone", "empty", "short"}) {
      EXPECT_THAT(Sql(*n1_, name, "SELECT 1"), HasSubstr("TENANT_FILE_MISSING")) << name;
      EXPECT_EQ(CodeOfMove(*n2_, name, "n1"), "TENANT_FILE_MISSING") << name;
      EXPECT_EQ(CodeOf(n1_->maker().Create(name, "")), "TENANT_EXISTS") << name;
    }
    EXPECT_EQ(std::filesystem::file_size(File("n2", "empty")), 0u);
    EXPECT_FALSE(std::filesystem::exists(File("n2", "gone")));
    EXPECT_THAT(Sql(*n1_, "fine", "SELECT count(*) FROM t"), HasSubstr("\"ok\""));
    for (const char* name : {"gone", "empty", "short"}) {
      EXPECT_EQ(Call(*n1_, "DELETE", std::string("/v1/tenants/") + name).status, 204) << name;
      Need(n2_->maker().Create(name, ""));
      EXPECT_THAT(Sql(*n1_, name, "CREATE TABLE t(x)"), HasSubstr("\"ok\"")) << name;
    }
  });
}

// A move that takes minutes; returns when the destination owns.
class LostInAMove : public TenantMakerTest {
 protected:
  std::string StartSlowMove(Node& from, const NodeName& to) {
    Need(from.maker().Create("shop", ""));
    EXPECT_THAT(Sql(from, "shop", "CREATE TABLE t AS SELECT zeroblob(3000000)"), HasSubstr("\"ok\""));
    move::MoveRequest request{"shop", to, {}};
    request.options.pace.rate_bytes_per_s = 50'000;
    const std::string id = Need(from.parts().moves().Start(request)).id;
    Await([&] { return Need(n1_->catalog().GetTenant("shop")).ownership.owner == to; });
    return id;
  }
  void ExpectGone(const std::string& move) {
    EXPECT_EQ(CodeOf(n1_->catalog().GetTenant("shop")), "TENANT_NOT_FOUND");
    EXPECT_EQ(Need(n1_->catalog().GetMove(move)).state, catalog::MoveState::kCancelled);
    for (Node* node : {n1_.get(), n2_.get()}) {
      Await([&] {
        return !node->journal().entries().contains("shop") && !node->parts().tenants().Knows("shop") &&
               !node->parts().moves().IsMoving("shop");
      });
    }
    for (const char* node : {"n1", "n2"}) EXPECT_FALSE(std::filesystem::exists(File(node, "shop"))) << node;
    for (Node* node : {n1_.get(), n2_.get()}) {
      Need(node->maker().Create("shop", ""));
      EXPECT_THAT(Sql(*n1_, "shop", "CREATE TABLE t(x)"), HasSubstr("\"ok\""));
      Need(node->maker().Delete("shop"));
    }
  }
};

TEST_F(LostInAMove, AtItsDestinationIsDeletedAndSoIsWhatTheSourceHas) {
  WithNodes([&] {
    const std::string move = StartSlowMove(*n1_, "n2");
    EXPECT_EQ(TwoNodes::CodeOf(409, Call(*n1_, "DELETE", "/v1/tenants/shop")), "MOVE_IN_PROGRESS")
        << "both are well";
    Stop(n2_);
    std::filesystem::remove(File("n2", "shop"));
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    EXPECT_THAT(Sql(*n1_, "shop", "SELECT 1"), HasSubstr("TENANT_FILE_MISSING"));
    EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/shop").status, 204);
    ExpectGone(move);
    const auto shown = Json(200, Call(*n1_, "GET", "/v1/moves/" + move));
    EXPECT_EQ(shown.at("phase"), "cancelled");
    EXPECT_EQ(shown.at("verified"), false);
    EXPECT_THAT(std::string(shown.at("error").as_string()), HasSubstr("deleted"));
  });
}

TEST_F(LostInAMove, AtItsSourceIsDeletedThoughTheDestinationServesWhatItHas) {
  WithNodes([&] {
    const std::string move = StartSlowMove(*n2_, "n1");
    Stop(n2_);
    std::filesystem::remove(File("n2", "shop"));
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/shop").status, 204);
    ExpectGone(move);
  });
}

TEST_F(LostInAMove, BeforeItsOwnershipHasPassedOnIsDeleted) {
  WithNodes([&] {
    Need(n2_->maker().Create("shop", ""));
    catalog::MoveRecord move;
    move.id = "m1";
    move.tenant = "shop";
    move.source = "n2";
    move.destination = "n1";
    move.epoch_before = Epoch{1};
    Need(n1_->catalog().BeginMove(move));
    Need(n2_->journal().Put({"shop", move::Role::kSwapping, Epoch{1}, "m1", "n1", 0, false}));
    Stop(n2_);
    std::filesystem::remove(File("n2", "shop"));
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/shop").status, 204);
    ExpectGone("m1");
  });
}

TEST_F(LostInAMove, OnItsWayBackIsDeletedAndTheFrozenCopyGoes) {
  WithNodes([&] {
    const std::string move = StartSlowMove(*n2_, "n1");
    Stop(n2_);
    Need(n1_->catalog().SetMoveState(move, catalog::MoveState::kForward, catalog::MoveState::kReverse, ""));
    {
      auto journal = Need(move::Journal::Open(*core_, folder_.File("n2") + "/journal"));
      Need(journal->Put({"shop", move::Role::kFrozen, Epoch{1}, move, "n1", 0, true}));
      journal->Close();
    }
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    EXPECT_TRUE(std::filesystem::exists(File("n2", "shop")));
    Need(n1_->catalog().DeleteInMove("shop", {"n1", Epoch{2}}, move));
    Await([&] { return !n2_->journal().entries().contains("shop"); });
    EXPECT_FALSE(std::filesystem::exists(File("n2", "shop")));
  });
}

TEST_F(TenantMakerTest, ATenantThatTheCatalogHasHereAndNobodyKnowsIsSaidToBeMissing) {
  WithNodes([&] {
    Need(n1_->catalog().CreateTenant("lost", "sqlite", "n2"));
    Stop(n2_);
    n2_ = Start("n2", n1_->url());
    ASSERT_TRUE(n2_);
    Await([&] { return n2_->parts().tenants().Knows("lost"); });
    EXPECT_THAT(Sql(*n1_, "lost", "SELECT 1"), HasSubstr("TENANT_FILE_MISSING"));
    EXPECT_EQ(CodeOf(n2_->maker().Create("lost", "")), "TENANT_EXISTS");
    Need(n1_->catalog().CreateTenant("later", "sqlite", "n2"));
    EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/later").status, 204);
    EXPECT_EQ(Call(*n1_, "DELETE", "/v1/tenants/lost").status, 204);
    Need(n2_->maker().Create("lost", ""));
  });
}

}  // namespace
}  // namespace tradewind::node
