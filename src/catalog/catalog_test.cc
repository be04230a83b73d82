// What every catalog promises, held against the embedded one and against the remote one that asks it.
#include "catalog/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/catalog_service.h"
#include "catalog/remote_catalog.h"
#include "catalog/test_catalog.h"
#include "runtime/fiber.h"

namespace tradewind::catalog {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

enum class Kind { kEmbedded, kRemote };

class CatalogContract : public testing::TestWithParam<Kind> {
 protected:
  // Runs `body` with two nodes n1, n2 and the tenant t on n1.
  void Run(const std::function<void(Catalog&)>& body) {
    WithCatalog(*core_, folder_.File("catalog"), [&](EmbeddedCatalog& embedded) {
      RemoteCatalog remote(
          [&](std::string_view operation, const std::string& request) -> Result<std::string> {
            return AnswerCatalogCall(embedded, operation, request);
          });
      Catalog& catalog = GetParam() == Kind::kRemote ? static_cast<Catalog&>(remote) : embedded;
      Need(catalog.RegisterNode({"n1", "http://127.0.0.1:1"}));
      Need(catalog.RegisterNode({"n2", "http://127.0.0.1:2"}));
      Need(catalog.CreateTenant("t", "sqlite", "n1"));
      body(catalog);
    });
  }

  static MoveRecord Move(const MoveId& id, const Ownership& from = {"n1", Epoch{1}}) {
    MoveRecord move;
    move.id = id;
    move.tenant = "t";
    move.source = from.owner;
    move.destination = from.owner == "n1" ? "n2" : "n1";
    move.method = "zephyr";
    move.epoch_before = from.epoch;
    return move;
  }

  const Ownership before_{"n1", Epoch{1}};
  const Ownership after_{"n2", Epoch{2}};
  TestFolder folder_;
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

INSTANTIATE_TEST_SUITE_P(Catalogs, CatalogContract, testing::Values(Kind::kEmbedded, Kind::kRemote),
                         [](const auto& test) {
                           return std::string(test.param == Kind::kEmbedded ? "Embedded" : "Remote");
                         });

TEST_P(CatalogContract, ANodeThatComesBackAtAnotherAddressReplacesTheOldOne) {
  Run([](Catalog& catalog) {
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:9"}));
    EXPECT_THAT(Need(catalog.Nodes()),
                ElementsAre(NodeRecord{"n1", "http://127.0.0.1:9"}, NodeRecord{"n2", "http://127.0.0.1:2"}));
    EXPECT_EQ(CodeOf(catalog.RegisterNode({"Not a name", "http://127.0.0.1:9"})), "NAME_INVALID");
  });
}

TEST_P(CatalogContract, ANameBelongsToTheFolderThatRegisteredItFirst) {
  Run([](Catalog& catalog) {
    const auto from = [](const char* folder, const char* url) {
      Registration registration{{"n3", url}, folder};
      return registration;
    };
    const Membership first = Need(catalog.RegisterNode(from("one", "http://127.0.0.1:3")));
    EXPECT_EQ(first.cluster.size(), 32u);
    EXPECT_EQ(first.url, "");
    const auto other = catalog.RegisterNode(from("two", "http://127.0.0.1:4"));
    EXPECT_EQ(CodeOf(other), kNameTakenCode);
    EXPECT_THAT(other.error().message, testing::HasSubstr("http://127.0.0.1:3"));
    EXPECT_EQ(CodeOf(catalog.RegisterNode(from("", "http://127.0.0.1:4"))), kNameTakenCode);
    EXPECT_EQ(Need(catalog.RegisterNode(from("one", "http://127.0.0.1:5"))).url, "http://127.0.0.1:3");

    Registration replacing = from("two", "http://127.0.0.1:6");
    replacing.replace = true;
    replacing.dry_run = true;
    EXPECT_EQ(Need(catalog.RegisterNode(replacing)).url, "http://127.0.0.1:5");
    EXPECT_EQ(Need(catalog.Nodes()).back().url, "http://127.0.0.1:5");
    replacing.dry_run = false;
    Need(catalog.RegisterNode(replacing));
    EXPECT_EQ(CodeOf(catalog.RegisterNode(from("one", "http://127.0.0.1:5"))), kNameTakenCode);
    EXPECT_EQ(Need(catalog.Nodes()).back().url, "http://127.0.0.1:6");
  });
}

TEST_P(CatalogContract, ATenantDoesNotMoveToAnOlderSqliteThanItHasBeenOn) {
  Run([this](Catalog& catalog) {
    const auto registers = [&](const char* name, int64_t version) {
      Registration registration{{name, "http://127.0.0.1:1", false, version}};
      return Need(catalog.RegisterNode(registration)).sqlite;
    };
    EXPECT_EQ(Need(catalog.GetTenant("t")).sqlite, 0) << "of a node that does not say";
    registers("n1", 3'040'001);
    registers("n2", 3'053'002);
    EXPECT_EQ(Need(catalog.Nodes()).back().sqlite, 3'053'002);
    EXPECT_EQ(Need(catalog.GetTenant("t")).sqlite, 3'040'001) << "it is there when the node says";
    EXPECT_EQ(Need(catalog.CreateTenant("u", "sqlite", "n2")).sqlite, 3'053'002);

    Need(catalog.BeginMove(Move("m1")));
    const SwapOutcome swapped = Need(catalog.Swap("t", before_, "n2", "m1"));
    EXPECT_TRUE(swapped.applied && swapped.Shows(after_));
    EXPECT_EQ(swapped.record.sqlite, 3'053'002);
    Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kDone, ""));

    const auto back = catalog.BeginMove(Move("m2", after_));
    EXPECT_EQ(CodeOf(back), kSqliteOlderCode);
    EXPECT_EQ(back.error().kind, ErrorKind::kRefused);
    EXPECT_THAT(back.error().message, HasSubstr("3.53.2"));
    EXPECT_THAT(back.error().message, HasSubstr("3.40.1"));
    EXPECT_EQ(Need(catalog.GetTenant("t")).move, "");
    EXPECT_EQ(CodeOf(catalog.GetMove("m2")), "MOVE_NOT_FOUND");

    // A node that does not say, a little older, the same after a restart, and newer.
    registers("n1", 0);
    EXPECT_EQ(CodeOf(catalog.BeginMove(Move("m2", after_))), kSqliteOlderCode);
    registers("n1", 3'053'001);
    EXPECT_EQ(CodeOf(catalog.BeginMove(Move("m2", after_))), kSqliteOlderCode);
    EXPECT_EQ(registers("n2", 3'040'001), 3'053'002) << "what it had before";
    EXPECT_EQ(Need(catalog.GetTenant("t")).sqlite, 3'053'002)
        << "it has been on that, whatever its node has now";
    EXPECT_EQ(CodeOf(catalog.BeginMove(Move("m2", after_))), kSqliteOlderCode);
    registers("n1", 3'054'000);
    Need(catalog.BeginMove(Move("m2", after_)));
    EXPECT_EQ(CodeOf(catalog.RegisterNode({{"n1", "http://127.0.0.1:1", false, 77}})),
              "CATALOG_FIELD_INVALID");
  });
}

TEST_P(CatalogContract, AMoveThatIsOnGoesBackWhateverTheSqliteThere) {
  Run([this](Catalog& catalog) {
    Need(catalog.RegisterNode({{"n1", "http://127.0.0.1:1", false, 3'040'001}}));
    Need(catalog.RegisterNode({{"n2", "http://127.0.0.1:2", false, 3'053'002}}));
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kReverse, ""));
    const SwapOutcome back = Need(catalog.Swap("t", after_, "n1", "m1"));
    EXPECT_TRUE(back.applied);
    EXPECT_EQ(back.record.sqlite, 3'053'002);
    EXPECT_TRUE(Need(catalog.SetMoveState("m1", MoveState::kReverse, MoveState::kCancelled, "")).applied);
  });
}

TEST_P(CatalogContract, AFolderOfAnotherClusterIsRefused) {
  Run([](Catalog& catalog) {
    Registration registration{{"n3", "http://127.0.0.1:3"}, "one"};
    registration.cluster = "another";
    EXPECT_EQ(CodeOf(catalog.RegisterNode(registration)), kOtherClusterCode);
    registration.cluster.clear();
    registration.cluster = Need(catalog.RegisterNode(registration)).cluster;
    Need(catalog.RegisterNode(registration));
  });
}

TEST_P(CatalogContract, ANodeOfAnEarlierVersionGetsItsIdentityWhenItRegistersNext) {
  Run([](Catalog& catalog) {
    Need(catalog.RegisterNode({{"n1", "http://127.0.0.1:1"}, "one"}));
    EXPECT_EQ(CodeOf(catalog.RegisterNode({{"n1", "http://127.0.0.1:1"}, "two"})), kNameTakenCode);
  });
}

TEST_P(CatalogContract, ANodeIsForgottenOnceNothingDependsOnIt) {
  Run([&](Catalog& catalog) {
    EXPECT_EQ(CodeOf(catalog.ForgetNode("n9", false)), "NODE_NOT_FOUND");
    const auto refused = catalog.ForgetNode("n1", false);
    EXPECT_EQ(CodeOf(refused), "NODE_HAS_TENANTS");
    EXPECT_THAT(refused.error().message, HasSubstr("t"));
    Need(catalog.BeginMove(Move("m1")));
    EXPECT_EQ(CodeOf(catalog.ForgetNode("n2", true)), "NODE_IN_MOVES")
        << "the destination of another's tenant";
    Need(catalog.Swap("t", before_, "n2", "m1"));
    EXPECT_EQ(CodeOf(catalog.ForgetNode("n1", true)), "NODE_IN_MOVES") << "has pages of another's tenant";
    EXPECT_EQ(Need(catalog.Nodes()).size(), 2u);
    EXPECT_EQ(Need(catalog.ForgetNode("n2", true)), 1u);
    EXPECT_EQ(CodeOf(catalog.GetTenant("t")), "TENANT_NOT_FOUND");
    EXPECT_EQ(Need(catalog.GetMove("m1")).state, MoveState::kCancelled);
    EXPECT_EQ(Need(catalog.ForgetNode("n1", false)), 0u);
    EXPECT_TRUE(Need(catalog.Nodes()).empty());
  });
}

TEST_P(CatalogContract, AFolderOfAForgottenNodeDoesNotComeBackUnasked) {
  Run([](Catalog& catalog) {
    Registration registration{{"n3", "http://127.0.0.1:3"}, "one"};
    registration.cluster = Need(catalog.RegisterNode(registration)).cluster;
    Need(catalog.ForgetNode("n3", false));
    EXPECT_EQ(CodeOf(catalog.RegisterNode(registration)), kForgottenCode);
    registration.replace = true;
    EXPECT_EQ(CodeOf(catalog.RegisterNode(registration)), kForgottenCode);
    Need(catalog.RegisterNode({{"n3", "http://127.0.0.1:3"}, "two"}));
  });
}

TEST_P(CatalogContract, ATenantWhoseMoveCannotGoOnIsDeletedWithIt) {
  Run([&](Catalog& catalog) {
    EXPECT_EQ(CodeOf(catalog.DeleteInMove("t", before_, "m1")), "OWNER_CHANGED");
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    EXPECT_EQ(CodeOf(catalog.DeleteTenant("t", after_)), "MOVE_IN_PROGRESS");
    EXPECT_EQ(CodeOf(catalog.DeleteInMove("t", before_, "m1")), "OWNER_CHANGED");
    EXPECT_EQ(CodeOf(catalog.DeleteInMove("t", after_, "m2")), "OWNER_CHANGED");
    EXPECT_EQ(CodeOf(catalog.DeleteInMove("u", after_, "m1")), "TENANT_NOT_FOUND");
    Need(catalog.DeleteInMove("t", after_, "m1"));
    EXPECT_EQ(CodeOf(catalog.GetTenant("t")), "TENANT_NOT_FOUND");
    EXPECT_EQ(Need(catalog.GetMove("m1")).state, MoveState::kCancelled);
    EXPECT_TRUE(Need(catalog.ListLiveMoves()).empty());
    EXPECT_EQ(Need(catalog.CreateTenant("t", "sqlite", "n1")).ownership.epoch, after_.epoch.Next());
  });
}

TEST_P(CatalogContract, AFenceWithoutAMoveShutsOutADeleteThatIsStillUnderWay) {
  Run([&](Catalog& catalog) {
    EXPECT_TRUE(Need(catalog.Fence("t", before_, "")).Shows({"n1", Epoch{2}}));
    EXPECT_EQ(CodeOf(catalog.DeleteTenant("t", before_)), "OWNER_CHANGED");
    EXPECT_FALSE(Need(catalog.Fence("t", before_, "")).applied);
  });
}

TEST_P(CatalogContract, ANodeThatIsDrainingIsStillAfterItComesBack) {
  Run([](Catalog& catalog) {
    EXPECT_FALSE(Need(catalog.Nodes())[0].draining);
    Need(catalog.SetDraining("n1", true));
    Need(catalog.RegisterNode({"n1", "http://127.0.0.1:9"}));
    EXPECT_THAT(Need(catalog.Nodes()), ElementsAre(NodeRecord{"n1", "http://127.0.0.1:9", true},
                                                   NodeRecord{"n2", "http://127.0.0.1:2", false}));
    Need(catalog.SetDraining("n1", false));
    EXPECT_FALSE(Need(catalog.Nodes())[0].draining);
    EXPECT_EQ(CodeOf(catalog.SetDraining("n3", true)), "NODE_NOT_FOUND");
  });
}

TEST_P(CatalogContract, TenantsAreCountedByTheirOwner) {
  Run([&](Catalog& catalog) {
    Need(catalog.CreateTenant("u", "sqlite", "n1"));
    EXPECT_THAT(Need(catalog.TenantCounts()), ElementsAre(Pair("n1", 2u)));
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    EXPECT_THAT(Need(catalog.TenantCounts()), ElementsAre(Pair("n1", 1u), Pair("n2", 1u)));
    Need(catalog.DeleteTenant("u", before_));
    EXPECT_THAT(Need(catalog.TenantCounts()), ElementsAre(Pair("n2", 1u)));
  });
}

TEST_P(CatalogContract, ATenantIsMadeOnceAndFound) {
  Run([&](Catalog& catalog) {
    const TenantRecord tenant = Need(catalog.GetTenant("t"));
    EXPECT_EQ(tenant.name, "t");
    EXPECT_EQ(tenant.engine, "sqlite");
    EXPECT_EQ(tenant.ownership, before_);
    EXPECT_GT(tenant.created_at_ms, 0);
    EXPECT_EQ(tenant.move, "");
    EXPECT_EQ(CodeOf(catalog.CreateTenant("t", "sqlite", "n2")), "TENANT_EXISTS");
    EXPECT_EQ(CodeOf(catalog.CreateTenant("u", "sqlite", "n3")), "NODE_NOT_FOUND");
    EXPECT_EQ(CodeOf(catalog.CreateTenant("U", "sqlite", "n1")), "NAME_INVALID");
    EXPECT_EQ(CodeOf(catalog.GetTenant("u")), "TENANT_NOT_FOUND");
    Need(catalog.CreateTenant("a", "sqlite", "n2"));
    EXPECT_THAT(Need(catalog.ListTenants()),
                ElementsAre(Field(&TenantRecord::name, "a"), Field(&TenantRecord::name, "t")));
  });
}

TEST_P(CatalogContract, AnErrorKeepsItsKindMessageAndAction) {
  Run([](Catalog& catalog) {
    const Result<TenantRecord> missing = catalog.GetTenant("nobody");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
    EXPECT_THAT(missing.error().message, HasSubstr("nobody"));
    EXPECT_THAT(missing.error().action, HasSubstr("tenant list"));
  });
}

TEST_P(CatalogContract, ATenantIsDeletedOnlyByTheOwnerThatIsExpected) {
  Run([&](Catalog& catalog) {
    EXPECT_EQ(CodeOf(catalog.DeleteTenant("t", {"n2", Epoch{1}})), "OWNER_CHANGED");
    EXPECT_EQ(CodeOf(catalog.DeleteTenant("t", {"n1", Epoch{2}})), "OWNER_CHANGED");
    Need(catalog.DeleteTenant("t", before_));
    EXPECT_EQ(CodeOf(catalog.DeleteTenant("t", before_)), "TENANT_NOT_FOUND");
    EXPECT_THAT(Need(catalog.ListTenants()), IsEmpty());
  });
}

TEST_P(CatalogContract, ATenantIsNotDeletedInAMove) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    EXPECT_EQ(CodeOf(catalog.DeleteTenant("t", before_)), "MOVE_IN_PROGRESS");
    EXPECT_EQ(CodeOf(catalog.DeleteTenant("t", after_)), "OWNER_CHANGED") << "another's";
    Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kCancelled, ""));
    Need(catalog.DeleteTenant("t", before_));
  });
}

TEST_P(CatalogContract, ANameNeverGetsAnEpochASecondTime) {
  Run([&](Catalog& catalog) {
    for (uint64_t epoch = 1; epoch <= 3; ++epoch) {
      EXPECT_EQ(Need(catalog.GetTenant("t")).ownership.epoch, Epoch{epoch});
      Need(catalog.DeleteTenant("t", {"n1", Epoch{epoch}}));
      EXPECT_EQ(Need(catalog.CreateTenant("t", "sqlite", "n1")).ownership.epoch, Epoch{epoch + 1});
    }
  });
}

TEST_P(CatalogContract, ASwapPassesOwnershipOn) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    const SwapOutcome outcome = Need(catalog.Swap("t", before_, "n2", "m1"));
    EXPECT_TRUE(outcome.applied);
    EXPECT_EQ(outcome.record.ownership, after_);
    EXPECT_EQ(outcome.record, Need(catalog.GetTenant("t")));
    EXPECT_EQ(CodeOf(catalog.Swap("u", before_, "n2", "m1")), "TENANT_NOT_FOUND");
  });
}

TEST_P(CatalogContract, ARepeatedSwapIsRefusedAndShowsThatItWasDone) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    const SwapOutcome repeat = Need(catalog.Swap("t", before_, "n2", "m1"));
    EXPECT_FALSE(repeat.applied);
    EXPECT_TRUE(repeat.Shows(after_));
    EXPECT_EQ(Need(catalog.GetTenant("t")).ownership, after_);
  });
}

TEST_P(CatalogContract, ASwapNeedsItsMoveToBeOn) {
  Run([&](Catalog& catalog) {
    EXPECT_FALSE(Need(catalog.Swap("t", before_, "n2", "m1")).applied);
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kCancelled, ""));
    EXPECT_FALSE(Need(catalog.Swap("t", before_, "n2", "m1")).applied);
    EXPECT_EQ(Need(catalog.GetTenant("t")).ownership, before_);
  });
}

TEST_P(CatalogContract, AFenceShutsOutASwapThatIsStillUnderWay) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    const SwapOutcome fence = Need(catalog.Fence("t", before_, "m1"));
    EXPECT_TRUE(fence.applied);
    EXPECT_TRUE(fence.Shows({"n1", Epoch{2}}));
    EXPECT_EQ(fence.record.move, "");
    const MoveRecord move = Need(catalog.GetMove("m1"));
    EXPECT_EQ(move.state, MoveState::kCancelled);
    EXPECT_GT(move.ended_at_ms, 0);

    const SwapOutcome late = Need(catalog.Swap("t", before_, "n2", "m1"));
    EXPECT_FALSE(late.applied);
    EXPECT_FALSE(late.Shows(after_));
    EXPECT_EQ(Need(catalog.GetTenant("t")).ownership, (Ownership{"n1", Epoch{2}}));
  });
}

TEST_P(CatalogContract, AFenceThatComesAfterTheSwapChangesNothing) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    const SwapOutcome fence = Need(catalog.Fence("t", before_, "m1"));
    EXPECT_FALSE(fence.applied);
    EXPECT_TRUE(fence.Shows(after_));
    EXPECT_EQ(Need(catalog.GetMove("m1")).state, MoveState::kForward);
    EXPECT_EQ(Need(catalog.GetTenant("t")).move, "m1");
  });
}

TEST_P(CatalogContract, ATenantHasOneMoveAtATime) {
  Run([&](Catalog& catalog) {
    const MoveRecord begun = Need(catalog.BeginMove(Move("m1")));
    EXPECT_EQ(begun.state, MoveState::kForward);
    EXPECT_GT(begun.started_at_ms, 0);
    EXPECT_EQ(begun.ended_at_ms, 0);
    EXPECT_EQ(Need(catalog.GetTenant("t")).move, "m1");
    const Result<MoveRecord> second = catalog.BeginMove(Move("m2"));
    EXPECT_EQ(CodeOf(second), "MOVE_IN_PROGRESS");
    EXPECT_THAT(second.error().message, HasSubstr("m1"));
    EXPECT_EQ(CodeOf(catalog.GetMove("m2")), "MOVE_NOT_FOUND");
  });
}

TEST_P(CatalogContract, BeginningAMoveAgainAfterALostAnswerReturnsIt) {
  Run([&](Catalog& catalog) {
    const MoveRecord begun = Need(catalog.BeginMove(Move("m1")));
    EXPECT_EQ(Need(catalog.BeginMove(Move("m1"))), begun);
    EXPECT_EQ(Need(catalog.ListMoves()).size(), 1u);
  });
}

TEST_P(CatalogContract, AMoveMustStartFromTheOwnerAndLeadElsewhere) {
  Run([&](Catalog& catalog) {
    EXPECT_EQ(CodeOf(catalog.BeginMove(Move("m1", {"n2", Epoch{1}}))), "OWNER_CHANGED");
    EXPECT_EQ(CodeOf(catalog.BeginMove(Move("m1", {"n1", Epoch{2}}))), "OWNER_CHANGED");
    MoveRecord nowhere = Move("m1");
    nowhere.destination = "n1";
    EXPECT_EQ(CodeOf(catalog.BeginMove(nowhere)), "ALREADY_THERE");
    nowhere.destination = "n3";
    EXPECT_EQ(CodeOf(catalog.BeginMove(nowhere)), "NODE_NOT_FOUND");
    nowhere.tenant = "u";
    EXPECT_EQ(CodeOf(catalog.BeginMove(nowhere)), "TENANT_NOT_FOUND");
    EXPECT_EQ(Need(catalog.GetTenant("t")).move, "");
  });
}

TEST_P(CatalogContract, NoMoveBeginsThatLeadsToANodeWhichIsDraining) {
  Run([&](Catalog& catalog) {
    Need(catalog.SetDraining("n2", true));
    EXPECT_EQ(CodeOf(catalog.BeginMove(Move("m1"))), "NODE_DRAINING");
    EXPECT_EQ(Need(catalog.GetTenant("t")).move, "");
    Need(catalog.SetDraining("n2", false));
    Need(catalog.SetDraining("n1", true));
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.SetDraining("n2", true));
    EXPECT_TRUE(Need(catalog.Swap("t", before_, "n2", "m1")).applied) << "a move that is on goes on";
  });
}

TEST_P(CatalogContract, DoneFreesTheTenantForTheNextMove) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    const MoveOutcome done =
        Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kDone, R"({"pages":3})"));
    EXPECT_TRUE(done.applied);
    EXPECT_EQ(done.record.state, MoveState::kDone);
    EXPECT_EQ(done.record.receipt, R"({"pages":3})");
    EXPECT_GT(done.record.ended_at_ms, 0);
    EXPECT_EQ(Need(catalog.GetTenant("t")).move, "");
    Need(catalog.BeginMove(Move("m2", after_)));
    EXPECT_THAT(Need(catalog.ListMoves()),
                ElementsAre(Field(&MoveRecord::id, "m2"), Field(&MoveRecord::id, "m1")));
  });
}

TEST_P(CatalogContract, DoneAndReverseExcludeEachOther) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kReverse, ""));
    const MoveOutcome late = Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kDone, "{}"));
    EXPECT_FALSE(late.applied);
    EXPECT_TRUE(late.Shows(MoveState::kReverse));
    EXPECT_EQ(Need(catalog.GetMove("m1")).receipt, "");
    EXPECT_EQ(Need(catalog.GetTenant("t")).move, "m1");

    EXPECT_TRUE(Need(catalog.Swap("t", after_, "n1", "m1")).applied);
    EXPECT_TRUE(Need(catalog.SetMoveState("m1", MoveState::kReverse, MoveState::kCancelled, "")).applied);
    EXPECT_EQ(Need(catalog.GetTenant("t")).ownership, (Ownership{"n1", Epoch{3}}));
  });
}

TEST_P(CatalogContract, AMoveIsNotCancelledOnceItsDestinationOwns) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    EXPECT_EQ(CodeOf(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kCancelled, "")),
              "MOVE_STEP_ILLEGAL");
    Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kReverse, ""));
    EXPECT_EQ(CodeOf(catalog.SetMoveState("m1", MoveState::kReverse, MoveState::kCancelled, "")),
              "MOVE_STEP_ILLEGAL");
    EXPECT_EQ(Need(catalog.GetTenant("t")).move, "m1");
  });
}

TEST_P(CatalogContract, AMoveIsNotDoneBeforeItsDestinationOwns) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    for (const MoveState to : {MoveState::kDone, MoveState::kReverse})
      EXPECT_EQ(CodeOf(catalog.SetMoveState("m1", MoveState::kForward, to, "")), "MOVE_STEP_ILLEGAL");
    EXPECT_EQ(CodeOf(catalog.SetMoveState("m2", MoveState::kForward, MoveState::kDone, "")),
              "MOVE_NOT_FOUND");
  });
}

TEST_P(CatalogContract, AFenceOfAReverseMoveLeavesItReverse) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kReverse, ""));
    const SwapOutcome fence = Need(catalog.Fence("t", after_, "m1"));
    EXPECT_TRUE(fence.Shows({"n2", Epoch{3}}));
    EXPECT_EQ(fence.record.move, "m1");
    EXPECT_EQ(Need(catalog.GetMove("m1")).state, MoveState::kReverse);
    EXPECT_FALSE(Need(catalog.Swap("t", after_, "n1", "m1")).applied);
    EXPECT_TRUE(Need(catalog.Swap("t", {"n2", Epoch{3}}, "n1", "m1")).applied);
  });
}

TEST_P(CatalogContract, AReceiptIsKeptWithItsMove) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    Need(catalog.SaveReceipt("m1", R"({"phase":"init"})"));
    EXPECT_EQ(Need(catalog.GetMove("m1")).receipt, R"({"phase":"init"})");
    EXPECT_TRUE(Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kCancelled, "")).applied);
    EXPECT_EQ(Need(catalog.GetMove("m1")).receipt, R"({"phase":"init"})");
    EXPECT_EQ(CodeOf(catalog.SaveReceipt("m2", "{}")), "MOVE_NOT_FOUND");
  });
}

TEST_P(CatalogContract, ATenantKeepsItsObjectiveUntilItIsChanged) {
  Run([&](Catalog& catalog) {
    EXPECT_THAT(Need(catalog.ListObjectives()), testing::IsEmpty());
    EXPECT_EQ(Need(catalog.SetObjective("t", "p95:5ms")).objective, "p95:5ms");
    EXPECT_EQ(Need(catalog.GetTenant("t")).objective, "p95:5ms");
    ASSERT_EQ(Need(catalog.ListObjectives()).size(), 1u);
    EXPECT_EQ(Need(catalog.ListObjectives())[0].name, "t");
    EXPECT_EQ(Need(catalog.SetObjective("t", "")).objective, "");
    EXPECT_THAT(Need(catalog.ListObjectives()), testing::IsEmpty());
    EXPECT_EQ(CodeOf(catalog.SetObjective("nobody", "p95:5ms")), "TENANT_NOT_FOUND");
  });
}

TEST_P(CatalogContract, ATenantKeepsItsQuotasUntilTheyAreChanged) {
  Run([&](Catalog& catalog) {
    const std::string quotas = R"({"streams":4})";
    EXPECT_THAT(Need(catalog.ListQuotas()), testing::IsEmpty());
    EXPECT_EQ(Need(catalog.SetQuotas("t", quotas)).quotas, quotas);
    EXPECT_EQ(Need(catalog.GetTenant("t")).quotas, quotas);
    ASSERT_EQ(Need(catalog.ListQuotas()).size(), 1u);
    EXPECT_EQ(Need(catalog.ListQuotas())[0].name, "t");
    EXPECT_EQ(Need(catalog.ListQuotas())[0].quotas, quotas);
    EXPECT_EQ(CodeOf(catalog.SetQuotas("t", "[]")), "CATALOG_FIELD_INVALID");
    EXPECT_EQ(Need(catalog.SetQuotas("t", "")).quotas, "");
    EXPECT_THAT(Need(catalog.ListQuotas()), testing::IsEmpty());
    EXPECT_EQ(CodeOf(catalog.SetQuotas("nobody", quotas)), "TENANT_NOT_FOUND");
  });
}

TEST_P(CatalogContract, AMoveKeepsItsOptionsUntilTheyAreChanged) {
  Run([&](Catalog& catalog) {
    MoveRecord move = Move("m1");
    move.options = R"({"rate":7})";
    EXPECT_EQ(Need(catalog.BeginMove(move)).options, R"({"rate":7})");
    Need(catalog.SetMoveOptions("m1", R"({"rate":8})"));
    EXPECT_EQ(Need(catalog.GetMove("m1")).options, R"({"rate":8})");
    EXPECT_EQ(Need(catalog.BeginMove(move)).options, R"({"rate":8})") << "a repeat";
    EXPECT_EQ(CodeOf(catalog.SetMoveOptions("m2", "")), "MOVE_NOT_FOUND");
  });
}

TEST_P(CatalogContract, LiveMovesAreThoseThatAreNotOver) {
  Run([&](Catalog& catalog) {
    Need(catalog.CreateTenant("u", "sqlite", "n2"));
    Need(catalog.BeginMove(Move("m1")));
    MoveRecord other = Move("m2", {"n2", Epoch{1}});
    other.tenant = "u";
    Need(catalog.BeginMove(other));
    const auto ids = [&] {
      std::vector<MoveId> live;
      for (const MoveRecord& move : Need(catalog.ListLiveMoves())) live.push_back(move.id);
      return live;
    };
    EXPECT_THAT(ids(), ElementsAre("m2", "m1"));
    Need(catalog.SetMoveState("m2", MoveState::kForward, MoveState::kCancelled, ""));
    EXPECT_THAT(ids(), ElementsAre("m1"));
    Need(catalog.Swap("t", before_, "n2", "m1"));
    Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kReverse, ""));
    EXPECT_THAT(ids(), ElementsAre("m1"));
    Need(catalog.Swap("t", after_, "n1", "m1"));
    Need(catalog.SetMoveState("m1", MoveState::kReverse, MoveState::kCancelled, ""));
    EXPECT_THAT(ids(), IsEmpty());
  });
}

TEST_P(CatalogContract, OfManySwapsAtOnceOneIsApplied) {
  Run([&](Catalog& catalog) {
    Need(catalog.BeginMove(Move("m1")));
    int applied = 0;
    runtime::TaskGroup group(*core_);
    for (int i = 0; i < 20; ++i)
      group.Spawn("swap", [&] { applied += Need(catalog.Swap("t", before_, "n2", "m1")).applied ? 1 : 0; });
    group.Join();
    EXPECT_EQ(applied, 1);
    EXPECT_EQ(Need(catalog.GetTenant("t")).ownership, after_);
  });
}

TEST(MoveState, HasNamesThatReadBack) {
  for (const MoveState state :
       {MoveState::kForward, MoveState::kReverse, MoveState::kDone, MoveState::kCancelled})
    EXPECT_EQ(ParseMoveState(MoveStateName(state)), state);
  EXPECT_EQ(ParseMoveState("lost"), std::nullopt);
}

TEST(MoveState, NeverLeavesAnEnd) {
  for (const MoveState from : {MoveState::kDone, MoveState::kCancelled})
    for (const MoveState to :
         {MoveState::kForward, MoveState::kReverse, MoveState::kDone, MoveState::kCancelled})
      for (const bool destination_owns : {false, true}) EXPECT_FALSE(IsLegal(from, to, destination_owns));
}

}  // namespace
}  // namespace tradewind::catalog
