// What the remote catalog makes of calls whose answers are lost. What it answers otherwise is in
// catalog_test.cc.
#include "catalog/remote_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "catalog/catalog_service.h"
#include "catalog/test_catalog.h"

namespace tradewind::catalog {
namespace {

// A road to a catalog on which the next answers, or requests, get lost.
class Road {
 public:
  explicit Road(Catalog& catalog) : catalog_(catalog) {}

  Result<std::string> Call(std::string_view operation, const std::string& request) {
    ++calls;
    if (refuse > 0) {
      --refuse;
      return Fail(ErrorKind::kUnavailable, "CONNECTION_REFUSED", "nobody listens there");
    }
    std::string answer = AnswerCatalogCall(catalog_, operation, request);
    if (lose_answers > 0) {
      --lose_answers;
      return Fail(ErrorKind::kIo, "CONNECTION_LOST", "the connection broke");
    }
    if (garble > 0) {
      --garble;
      answer.resize(answer.size() / 2);
    }
    return answer;
  }

  int refuse = 0;
  int lose_answers = 0;
  int garble = 0;
  int calls = 0;

 private:
  Catalog& catalog_;
};

class LostAnswers : public testing::Test {
 protected:
  void Run(const std::function<void(RemoteCatalog&, Road&)>& body) {
    WithCatalog(*core_, folder_.File("catalog"), [&](EmbeddedCatalog& embedded) {
      Need(embedded.RegisterNode({"n1", "http://127.0.0.1:1"}));
      Need(embedded.RegisterNode({"n2", "http://127.0.0.1:2"}));
      Need(embedded.CreateTenant("t", "sqlite", "n1"));
      MoveRecord move;
      move.id = "m1";
      move.tenant = "t";
      move.source = "n1";
      move.destination = "n2";
      move.epoch_before = Epoch{1};
      Need(embedded.BeginMove(move));
      Road road(embedded);
      RemoteCatalog remote([&](std::string_view operation, const std::string& request) {
        return road.Call(operation, request);
      });
      body(remote, road);
    });
  }

  TestFolder folder_;
  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
};

TEST_F(LostAnswers, OfReadsAreAskedForAgain) {
  Run([](RemoteCatalog& catalog, Road& road) {
    road.lose_answers = 1;
    road.refuse = 1;
    EXPECT_EQ(Need(catalog.GetTenant("t")).name, "t");
    EXPECT_EQ(road.calls, 3);
    road.lose_answers = limits::kCatalogTries;
    EXPECT_EQ(CodeOf(catalog.GetTenant("t")), kAnswerLostCode);
  });
}

TEST_F(LostAnswers, OfASwapAreTheCallersToResolve) {
  Run([](RemoteCatalog& catalog, Road& road) {
    const Ownership from{"n1", Epoch{1}};
    road.lose_answers = 1;
    const Result<SwapOutcome> lost = catalog.Swap("t", from, "n2", "m1");
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, kAnswerLostCode);
    EXPECT_EQ(lost.error().kind, ErrorKind::kTimeout);
    EXPECT_TRUE(OutcomeIsUnknown(lost.error()));
    EXPECT_EQ(road.calls, 1);

    const SwapOutcome repeat = Need(catalog.Swap("t", from, "n2", "m1"));
    EXPECT_FALSE(repeat.applied);
    EXPECT_TRUE(repeat.Shows({"n2", Epoch{2}}));
  });
}

TEST_F(LostAnswers, OfAFenceAndAStateShowOnTheRepeat) {
  Run([](RemoteCatalog& catalog, Road& road) {
    const Ownership from{"n1", Epoch{1}};
    road.lose_answers = 1;
    EXPECT_EQ(CodeOf(catalog.Fence("t", from, "m1")), kAnswerLostCode);
    EXPECT_TRUE(Need(catalog.Fence("t", from, "m1")).Shows({"n1", Epoch{2}}));
    EXPECT_TRUE(Need(catalog.SetMoveState("m1", MoveState::kForward, MoveState::kCancelled, ""))
                    .Shows(MoveState::kCancelled));
  });
}

TEST_F(LostAnswers, ThatArriveInPiecesCountAsLost) {
  Run([](RemoteCatalog& catalog, Road& road) {
    road.garble = 1;
    EXPECT_EQ(CodeOf(catalog.DeleteTenant("t", {"n1", Epoch{1}})), kAnswerLostCode);
    EXPECT_EQ(road.calls, 1);
  });
}

TEST_F(LostAnswers, AreToldFromRequestsThatNeverArrived) {
  Run([](RemoteCatalog& catalog, Road& road) {
    road.refuse = 1;
    const Result<SwapOutcome> refused = catalog.Swap("t", {"n1", Epoch{1}}, "n2", "m1");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
    EXPECT_FALSE(OutcomeIsUnknown(refused.error()));
    EXPECT_EQ(road.calls, 1);
  });
}

TEST_F(LostAnswers, DoNotHideWhatTheCatalogItselfRefuses) {
  Run([](RemoteCatalog& catalog, Road& road) {
    EXPECT_EQ(CodeOf(catalog.GetTenant("nobody")), "TENANT_NOT_FOUND");
    EXPECT_EQ(road.calls, 1);
  });
}

TEST_F(LostAnswers, OfUnknownOperationsAndBadRequestsSayWhatIsWrong) {
  Run([](RemoteCatalog&, Road& road) {
    EXPECT_THAT(Need(road.Call("abolish", "{}")), testing::HasSubstr("OPERATION_UNKNOWN"));
    EXPECT_THAT(Need(road.Call("tenant", "{}")), testing::HasSubstr("CATALOG_MESSAGE"));
    EXPECT_THAT(Need(road.Call("tenant", "nonsense")), testing::HasSubstr("CATALOG_MESSAGE"));
    EXPECT_THAT(Need(road.Call("swap", R"({"name":"t","to":"n2","move":"m1","owner":"n1","epoch":-1})")),
                testing::HasSubstr("CATALOG_MESSAGE"));
  });
}

}  // namespace
}  // namespace tradewind::catalog
