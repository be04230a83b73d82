// Where a call about a move goes. What the calls do is in admin_api_test.cc.
#include "admin/move_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "net/api_error.h"
#include "runtime/test_core.h"

namespace tradewind::admin {
namespace {

using catalog::MoveState;
using testing::ElementsAre;
using testing::Gt;
using testing::SizeIs;

class AskSenderTest : public testing::Test {
 protected:
  AskSenderTest() {
    record_.id = "m1";
    record_.source = "n1";
    record_.destination = "n2";
  }

  // The code of the answer; "ok" when it is one. What a node answers the first n times is taken from `codes`,
  // and its last one from then on; "gone" is a node that cannot be reached.
  std::string Ask(std::map<NodeName, std::vector<std::string>> codes) {
    std::string result;
    core_.Run([&] {
      const net::Answer answer = AskSender(
          core_, "m1", [&]() -> Result<catalog::MoveRecord> { return record_; },
          [&](const NodeName& node) -> net::Answer {
            asked_.push_back(node);
            std::vector<std::string>& left = codes.at(node);
            const std::string code = left.front();
            if (left.size() > 1) left.erase(left.begin());
            if (code == "ok") return net::HttpResponse::Json(202, "{}");
            if (code == "gone")
              return Fail(ErrorKind::kUnavailable, std::string(gateway::kPeerUnreachableCode),
                          node + " is away");
            if (node == "n1") return Fail(ErrorKind::kRefused, code, node + " says " + code);
            return net::ErrorResponse({ErrorKind::kRefused, code, node + " says " + code, ""});
          },
          core_.Now() + limits::kSwappingWait);
      result = !answer                 ? answer.error().code
               : answer->status >= 400 ? net::ParseErrorResponse(*answer).code
                                       : "ok";
    });
    return result;
  }

  catalog::MoveRecord record_;
  std::vector<NodeName> asked_;
  runtime::TestCore core_;
};

TEST_F(AskSenderTest, GoesToTheSource) {
  EXPECT_EQ(Ask({{"n1", {"ok"}}}), "ok");
  EXPECT_THAT(asked_, ElementsAre("n1"));
}

TEST_F(AskSenderTest, GoesToTheDestinationOfAMoveThatWasReversed) {
  record_.state = MoveState::kReverse;
  EXPECT_EQ(Ask({{"n2", {"ok"}}}), "ok");
  EXPECT_THAT(asked_, ElementsAre("n2"));
}

TEST_F(AskSenderTest, GoesOnToTheDestinationThatOwns) {
  EXPECT_EQ(Ask({{"n1", {"MOVE_OWNED_BY_DESTINATION"}}, {"n2", {"ok"}}}), "ok");
  EXPECT_THAT(asked_, ElementsAre("n1", "n2"));
}

TEST_F(AskSenderTest, TriesTheDestinationWhenTheSourceIsAway) {
  EXPECT_EQ(Ask({{"n1", {"gone"}}, {"n2", {"ok"}}}), "ok");
}

TEST_F(AskSenderTest, SaysThatTheSourceIsAwayWhenTheDestinationCannotHelp) {
  EXPECT_EQ(Ask({{"n1", {"gone"}}, {"n2", {"MOVE_NOT_HERE"}}}), gateway::kPeerUnreachableCode);
}

TEST_F(AskSenderTest, WaitsUntilTheHandOverIsDecided) {
  EXPECT_EQ(Ask({{"n1", {"MOVE_SWAPPING", "MOVE_SWAPPING", "MOVE_OWNED_BY_DESTINATION"}},
                 {"n2", {"MOVE_NOT_HERE", "ok"}}}),
            "ok");
  EXPECT_THAT(asked_, ElementsAre("n1", "n1", "n1", "n2", "n1", "n2"));
}

TEST_F(AskSenderTest, GivesUpInTheEnd) {
  EXPECT_EQ(Ask({{"n1", {"MOVE_SWAPPING"}}}), "MOVE_SWAPPING");
  EXPECT_THAT(asked_, SizeIs(Gt(10u)));
  EXPECT_EQ(Ask({{"n1", {"MOVE_NOT_HERE"}}}), "MOVE_NOT_HERE");
}

TEST_F(AskSenderTest, RefusesWhatIsOver) {
  record_.state = MoveState::kDone;
  EXPECT_EQ(Ask({}), "MOVE_OVER");
  EXPECT_THAT(asked_, SizeIs(0));
}

TEST_F(AskSenderTest, LeavesOtherErrorsToTheCaller) {
  EXPECT_EQ(Ask({{"n1", {"DISK_FULL"}}}), "DISK_FULL");
  EXPECT_THAT(asked_, SizeIs(1));
}

}  // namespace
}  // namespace tradewind::admin
