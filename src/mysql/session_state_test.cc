#include "mysql/session_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mysql/test_bytes.h"

namespace tradewind::mysql {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Boundary = SessionState::Boundary;

constexpr Capabilities kCapabilities =
    capability::kProtocol41 | capability::kDeprecateEof | capability::kSessionTrack;
const std::string kOk = FromHex("00000002000000");
const std::string kInTransaction = FromHex("00000003000000");
const std::string kError = FromHex("ff2804233432303030") + "no";

class SessionStateTest : public testing::Test {
 protected:
  // A request, and the server's answer to it: one packet.
  void Ask(std::string_view request, std::string_view answer) {
    Request& passing = state_.BeginRequest();
    std::string bytes;
    uint8_t sequence = 0;
    AppendPacket(bytes, request, sequence);
    ASSERT_EQ(passing.Take(bytes), bytes.size());
    ASSERT_EQ(passing.fate(), Request::Fate::kRelayed);
    Answer following(passing.answer_kind(), kCapabilities);
    std::string answer_bytes;
    AppendPacket(answer_bytes, answer, sequence);
    if (!following.over()) {
      ASSERT_TRUE(following.Take(answer_bytes));
    }
    ASSERT_TRUE(following.over());
    state_.Answered(following);
  }
  void Query(const std::string& sql, std::string_view answer = kOk) { Ask("\3" + sql, answer); }
  // Answers that there are no parameters.
  void Prepare(const std::string& sql) { Ask("\x16" + sql, FromHex("00 09000000 0000 0000 00 0000")); }

  SessionState state_{0x0002, "shop"};
};

TEST_F(SessionStateTest, BoundaryIsWhatTheLastStatusSays) {
  EXPECT_EQ(state_.boundary(), Boundary::kBetween);
  Query("BEGIN", kInTransaction);
  EXPECT_EQ(state_.boundary(), Boundary::kInTransaction);
  Query("COMMIT");
  EXPECT_EQ(state_.boundary(), Boundary::kBetween);
  Query("START TRANSACTION READ ONLY", FromHex("00000003200000"));
  EXPECT_EQ(state_.boundary(), Boundary::kInTransaction);
  // One flag of the two is enough.
  state_.NoteStatus(0x2000);
  EXPECT_EQ(state_.boundary(), Boundary::kInTransaction);
}

TEST_F(SessionStateTest, BoundaryIsUnknownAfterAnErrorUntilTheServerIsAsked) {
  Query("BEGIN", kInTransaction);
  Query("INSERT INTO t VALUES (1)", kError);
  EXPECT_EQ(state_.boundary(), Boundary::kUnknown);
  state_.NoteStatus(0x0003);
  EXPECT_EQ(state_.boundary(), Boundary::kInTransaction);
  Query("INSERT INTO t VALUES (1)", kError);
  Query("SELECT 1", kOk);
  EXPECT_EQ(state_.boundary(), Boundary::kBetween);
}

TEST_F(SessionStateTest, PreparationsAndPartsOfValuesLeaveTheBoundaryAsItIs) {
  Query("BEGIN", kInTransaction);
  Prepare("SELECT 1");
  EXPECT_EQ(state_.boundary(), Boundary::kInTransaction);
  Ask(FromHex("18 01000000 0000 61"), "");
  EXPECT_EQ(state_.boundary(), Boundary::kInTransaction);
}

TEST_F(SessionStateTest, TiesGoWithWhatReleasesThem) {
  Query("CREATE TEMPORARY TABLE a (id INT)");
  Query("SELECT GET_LOCK('job', 1)");
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kTemporaryTable, Tie::kUserLock));
  Query("DROP TABLE a", kError);
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kTemporaryTable, Tie::kUserLock));
  Query("DROP TABLE a");
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kUserLock));
  Query("SELECT RELEASE_LOCK('other')");
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kUserLock));
  Query("SELECT RELEASE_LOCK('job')");
  EXPECT_THAT(state_.ties(), IsEmpty());
}

TEST_F(SessionStateTest, LockTakenTwiceIsReleasedTwice) {
  Query("SELECT GET_LOCK('job', 1)");
  Query("SELECT GET_LOCK('job', 1)");
  Query("SELECT RELEASE_LOCK('job')");
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kUserLock));
  Query("SELECT RELEASE_LOCK('job')");
  EXPECT_THAT(state_.ties(), IsEmpty());
}

TEST_F(SessionStateTest, WhatHasNoNameStays) {
  Query("SELECT GET_LOCK(@a, 1)");
  Query("SELECT GET_LOCK('job', 1)");
  Query("SELECT RELEASE_LOCK('job')");
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kUserLock));
  Query("SELECT RELEASE_ALL_LOCKS()");
  EXPECT_THAT(state_.ties(), IsEmpty());
}

TEST_F(SessionStateTest, FailedStatementTakesAllTheSame) {
  Query("SELECT 1; CREATE TEMPORARY TABLE a (id INT); NONSENSE", kError);
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kTemporaryTable));
}

TEST_F(SessionStateTest, ExecutionDoesWhatWasPrepared) {
  Prepare("CREATE TEMPORARY TABLE a (id INT)");
  EXPECT_THAT(state_.ties(), IsEmpty());
  Ask(FromHex("17 01000000 00 01000000"), kOk);
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kTemporaryTable));
}

TEST_F(SessionStateTest, CursorTiesUntilItsLastRow) {
  Prepare("SELECT 1");
  // Of the answer, what ends it: an OK whose status has kCursorExists.
  Ask(FromHex("17 01000000 01 01000000"), FromHex("00000042000000"));
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kCursor));
  Ask(FromHex("1c 01000000 01000000"), FromHex("fe000042000000"));
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kCursor));
  Ask(FromHex("1c 01000000 01000000"), FromHex("fe000082000000"));
  EXPECT_THAT(state_.ties(), IsEmpty());
}

TEST_F(SessionStateTest, PartsOfAValueTieUntilTheExecution) {
  Prepare("SELECT 1");
  Ask(FromHex("18 01000000 0000 61"), "");
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kLongValue));
  Ask(FromHex("17 01000000 00 01000000"), kOk);
  EXPECT_THAT(state_.ties(), IsEmpty());
}

TEST_F(SessionStateTest, FoundRowsTieUntilTheNextStatement) {
  Query("SELECT SQL_CALC_FOUND_ROWS 1");
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kFoundRows));
  Query("SELECT FOUND_ROWS()");
  EXPECT_THAT(state_.ties(), IsEmpty());
}

TEST_F(SessionStateTest, TransactionSetAheadTiesUntilItBegins) {
  Query("SET TRANSACTION READ ONLY");
  Query("SELECT 1");
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kNextTransaction));
  Query("INSERT INTO t VALUES (1)", kInTransaction);
  EXPECT_THAT(state_.ties(), IsEmpty());
}

TEST_F(SessionStateTest, DatabaseFollowsTextsPacketsAndWhatTheServerSays) {
  Query("USE one");
  EXPECT_EQ(state_.database(), "one");
  Query("USE missing", kError);
  EXPECT_EQ(state_.database(), "one");
  Ask("\2two", kOk);
  EXPECT_EQ(state_.database(), "two");
  Query("EXECUTE s", FromHex("00000002c0000000080106056d7973716c"));
  EXPECT_EQ(state_.database(), "mysql");
  Prepare("SELECT 1");
  EXPECT_EQ(state_.statements().Find(1)->database, "mysql");
}

TEST_F(SessionStateTest, ResetConnectionLeavesNothing) {
  Query("CREATE TEMPORARY TABLE a (id INT)");
  Prepare("SELECT 1");
  Ask("\x1f", kOk);
  EXPECT_THAT(state_.ties(), IsEmpty());
  EXPECT_TRUE(state_.statements().all().empty());
}

TEST_F(SessionStateTest, CountersOfTheServerSettleWhatTextsDoNotShow) {
  Query("CREATE TEMPORARY TABLE a (id INT)", kError);
  Query("SELECT GET_LOCK('job', 0)");
  state_.Agree({});
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kUserLock)) << "nobody has asked for locks";
  SessionState::ServerView view;
  view.user_locks = 0;
  state_.Agree(view);
  EXPECT_THAT(state_.ties(), IsEmpty());
  // Of a routine.
  view.temporary_tables = 2;
  view.user_locks = 1;
  view.client_character_set = "gbk";
  state_.Agree(view);
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kTemporaryTable, Tie::kUserLock, Tie::kUnclearText));
}

TEST_F(SessionStateTest, CountersThatBeganAnewReleaseNothing) {
  Query("CREATE TEMPORARY TABLE a (id INT)");
  Query("FLUSH STATUS");
  state_.Agree({});
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kTemporaryTable));
}

// What was counted before is not what hides a routine's table afterwards.
TEST_F(SessionStateTest, CountersBeginAnewAtAnotherServerAndWithANewSession) {
  const auto make_and_drop = [&] {
    Query("CREATE TEMPORARY TABLE a (id INT)");
    Query("DROP TEMPORARY TABLE a");
  };
  SessionState::ServerView view;
  view.temporary_tables = 1;
  make_and_drop();
  state_.Agree(view);
  EXPECT_THAT(state_.ties(), IsEmpty());
  state_.NoteMoved(0x0002);
  state_.Agree(view);
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kTemporaryTable));

  Ask("\x1f", kOk);
  make_and_drop();
  state_.Agree(view);
  EXPECT_THAT(state_.ties(), IsEmpty());
  Ask("\x1f", kOk);
  state_.Agree(view);
  EXPECT_THAT(state_.ties(), ElementsAre(Tie::kTemporaryTable));
}

TEST_F(SessionStateTest, MultiStatementsAreAsTheClientSetThem) {
  EXPECT_FALSE(state_.multi_statements());
  Ask(FromHex("1b0100"), FromHex("fe000002000000"));
  EXPECT_EQ(state_.multi_statements(), false);
  Ask(FromHex("1b0000"), FromHex("fe000002000000"));
  EXPECT_EQ(state_.multi_statements(), true);
}

}  // namespace
}  // namespace tradewind::mysql
