#include "hrana/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hrana/decode.h"
#include "hrana/encode.h"

namespace tradewind::hrana {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Keeps a list of what it has run. "fail..." fails, "begin" and "commit" switch autocommit, and once as many
// statements have run as moves_after says, statements outside a transaction find the tenant gone.
class FakeSession : public Session {
 public:
  Result<sql::StatementResult> Execute(const sql::Statement& statement, sql::RowSink* = nullptr) override {
    TW_TRY(RunText(statement.sql));
    sql::StatementResult result;
    result.columns = {{"sql", std::nullopt}};
    result.rows = {{sql::Value(statement.sql)}};
    return result;
  }
  Result<size_t> ExecuteFirst(std::string_view sql) override {
    size_t end = std::min(sql.find(';'), sql.size() - 1) + 1;
    TW_TRY(RunText(std::string(sql.substr(0, end))));
    return end;
  }
  Result<sql::Description> Describe(const std::string& sql) override {
    TW_TRY(RunText(sql));
    return sql::Description{.parameters = {{":a"}, {std::nullopt}},
                            .columns = {{"c", "TEXT"}},
                            .is_explain = false,
                            .is_readonly = true};
  }
  bool autocommit() override { return autocommit_; }

  std::vector<std::string> ran;
  size_t moves_after = SIZE_MAX;

 private:
  Result<void> RunText(const std::string& sql) {
    if (autocommit_ && ran.size() >= moves_after)
      return Fail(ErrorKind::kUnavailable, std::string(kTenantMoved), "the tenant has moved");
    ran.push_back(sql);
    if (sql.starts_with("fail")) return Fail(ErrorKind::kInvalid, "SQLITE_CONSTRAINT", sql);
    if (sql == "begin") autocommit_ = false;
    if (sql == "commit") autocommit_ = true;
    return {};
  }
  bool autocommit_ = true;
};

BatchStep Step(std::string sql, std::optional<Condition> condition = {}) {
  return {std::move(condition), {{.sql = std::move(sql)}, {}}};
}
Condition Ok(uint32_t step) {
  return {Condition::Kind::kOk, step, {}};
}
Condition Failed(uint32_t step) {
  return {Condition::Kind::kError, step, {}};
}
Condition Not(Condition inner) {
  return {Condition::Kind::kNot, 0, {std::move(inner)}};
}

RunOutcome RunFresh(const StreamRequest& request, Session& session) {
  Progress progress;
  return Run(request, session, progress);
}

TEST(Run, AnswersAnExecuteWithItsRows) {
  FakeSession session;
  RunOutcome outcome = RunFresh(Execute{{{.sql = "select"}, {}}}, session);
  EXPECT_FALSE(outcome.moved);
  EXPECT_THAT(outcome.result,
              testing::StartsWith(R"({"type":"ok","response":{"type":"execute","result":{"cols":[)"));
  EXPECT_THAT(outcome.result, HasSubstr(R"("rows":[[{"type":"text","value":"select"}]])"));
}

TEST(Run, AnswersAFailedStatementWithItsError) {
  FakeSession session;
  EXPECT_EQ(RunFresh(Execute{{{.sql = "fail"}, {}}}, session).result,
            R"({"type":"error","error":{"message":"fail","code":"SQLITE_CONSTRAINT"}})");
}

TEST(Run, AnswersTheSmallRequests) {
  FakeSession session;
  EXPECT_EQ(RunFresh(Close{}, session).result, R"({"type":"ok","response":{"type":"close"}})");
  EXPECT_EQ(RunFresh(GetAutocommit{}, session).result,
            R"({"type":"ok","response":{"type":"get_autocommit","is_autocommit":true}})");
  EXPECT_EQ(RunFresh(DescribeSql{{"select", {}}}, session).result,
            R"({"type":"ok","response":{"type":"describe","result":{"params":[{"name":":a"},{"name":null}],)"
            R"("cols":[{"name":"c","decltype":"TEXT"}],"is_explain":false,"is_readonly":true}}})");
  EXPECT_THAT(RunFresh(StoreSql{1, "x"}, session).result, HasSubstr("PROTOCOL_ERROR"));
}

TEST(Run, RunsStepsByTheirConditions) {
  FakeSession session;
  Batch batch{{Step("begin"), Step("fail", Ok(0)), Step("after ok", Ok(1)), Step("after error", Failed(1)),
               Step("skipped is no error", Failed(2)), Step("skipped is not ok", Not(Ok(2))),
               Step("both", Condition{Condition::Kind::kAnd, 0, {Ok(0), Failed(1)}}),
               Step("neither", Condition{Condition::Kind::kOr, 0, {Ok(1), Ok(2)}}),
               Step("in transaction", Not({Condition::Kind::kIsAutocommit, 0, {}})),
               Step("commit", Condition{Condition::Kind::kOr, 0, {Ok(1), Ok(0)}}),
               Step("out of it", Condition{Condition::Kind::kIsAutocommit, 0, {}}),
               Step("all of nothing", Condition{Condition::Kind::kAnd, 0, {}}),
               Step("any of nothing", Condition{Condition::Kind::kOr, 0, {}})}};
  RunOutcome outcome = RunFresh(batch, session);
  EXPECT_FALSE(outcome.moved);
  EXPECT_THAT(session.ran, ElementsAre("begin", "fail", "after error", "skipped is not ok", "both",
                                       "in transaction", "commit", "out of it", "all of nothing"));
}

TEST(Run, AnswersABatchWithAResultOrAnErrorForEachStep) {
  FakeSession session;
  RunOutcome outcome = RunFresh(Batch{{Step("a"), Step("fail"), Step("c", Ok(1))}}, session);
  std::string row;
  ASSERT_TRUE(AppendStatementResult(row, *FakeSession().Execute({.sql = "a"}), 10'000));
  EXPECT_EQ(outcome.result,
            R"({"type":"ok","response":{"type":"batch","result":{"step_results":[)" + row +
                R"(,null,null],"step_errors":[null,{"message":"fail","code":"SQLITE_CONSTRAINT"},null]}}})");
}

TEST(Run, EndsASequenceAtItsFirstError) {
  FakeSession session;
  EXPECT_THAT(RunFresh(Sequence{{"a;fail;c", {}}}, session).result, HasSubstr("SQLITE_CONSTRAINT"));
  EXPECT_THAT(session.ran, ElementsAre("a;", "fail;"));
  EXPECT_EQ(RunFresh(Sequence{{"", {}}}, session).result, EncodeEmptyResult("sequence"));
}

TEST(Run, LeavesAStatementThatFoundTheTenantGoneToTheNewOwner) {
  FakeSession session;
  session.moves_after = 0;
  for (const StreamRequest& request :
       {StreamRequest(Execute{{{.sql = "x"}, {}}}), StreamRequest(DescribeSql{{"x", {}}})}) {
    RunOutcome outcome = RunFresh(request, session);
    EXPECT_TRUE(outcome.moved);
    EXPECT_EQ(outcome.result, "");
  }
  EXPECT_TRUE(session.ran.empty());
}

// Runs a request whose tenant moves after `moves_after` statements, the progress going over as it does
// between nodes.
std::vector<std::string> RunAcrossAMove(const StreamRequest& request, size_t moves_after,
                                        RunOutcome& outcome) {
  FakeSession source, destination;
  source.moves_after = moves_after;
  Progress progress;
  outcome = Run(request, source, progress);
  std::vector<std::string> ran = source.ran;
  if (!outcome.moved) return ran;
  auto arrived = DecodeProgress(EncodeProgress(progress));
  EXPECT_TRUE(arrived);
  outcome = Run(*DecodeRequest(EncodeRequest(request)), destination, *arrived);
  ran.insert(ran.end(), destination.ran.begin(), destination.ran.end());
  return ran;
}

TEST(Run, GoesOnWithABatchAtTheNewOwnerWithoutRunningAStepTwice) {
  Batch batch{
      {Step("a \"1\""), Step("fail \xff"), Step("skipped", Ok(1)), Step("b", Ok(0)), Step("c", Failed(1))}};
  FakeSession undisturbed;
  std::string expected = RunFresh(batch, undisturbed).result;
  for (size_t moves_after = 0; moves_after <= 4; ++moves_after) {
    RunOutcome outcome;
    auto ran = RunAcrossAMove(batch, moves_after, outcome);
    EXPECT_FALSE(outcome.moved);
    EXPECT_EQ(ran.size(), 4u) << moves_after;
    EXPECT_EQ(outcome.result, expected) << moves_after;
  }
}

TEST(Run, DoesNotLeaveInTheMiddleOfATransaction) {
  FakeSession session;
  session.moves_after = 1;
  Progress progress;
  RunOutcome outcome =
      hrana::Run(Batch{{Step("begin"), Step("a"), Step("commit"), Step("b")}}, session, progress);
  EXPECT_TRUE(outcome.moved);
  EXPECT_THAT(session.ran, ElementsAre("begin", "a", "commit"));
  EXPECT_EQ(progress.steps.size(), 3u);
}

TEST(Run, GoesOnWithASequenceAtTheNewOwnerWithoutRunningAStatementTwice) {
  for (size_t moves_after = 0; moves_after <= 4; ++moves_after) {
    RunOutcome outcome;
    auto ran = RunAcrossAMove(Sequence{{"a;b; c;d", {}}}, moves_after, outcome);
    EXPECT_THAT(ran, ElementsAre("a;", "b;", " c;", "d"));
    EXPECT_EQ(outcome.result, EncodeEmptyResult("sequence"));
  }
}

TEST(Run, RefusesAResultThatIsTooLarge) {
  FakeSession session;
  Progress progress;
  EXPECT_THAT(hrana::Run(Execute{{{.sql = "x"}, {}}}, session, progress, 20).result,
              HasSubstr("RESPONSE_TOO_LARGE"));
}

TEST(Run, TreatsAStepThatDoesNotFitAnyMoreAsFailed) {
  FakeSession session;
  Progress progress;
  std::string large(400, 'x');
  RunOutcome outcome =
      hrana::Run(Batch{{Step(large), Step(large), Step("commit", Ok(1)), Step("rollback", Failed(1))}},
                 session, progress, 900);
  EXPECT_THAT(session.ran, ElementsAre(large, large, "rollback"));
  EXPECT_THAT(outcome.result, HasSubstr(R"("step_errors":[null,{"message":"the statement ran)"));
}

TEST(Progress, ThatIsMalformedIsRefused) {
  for (const char* json :
       {"", "[]", "{}", R"({"steps":[],"sequence_bytes":-1})", R"({"steps":[1],"sequence_bytes":0})",
        R"({"steps":[{"ok":{}}],"sequence_bytes":0})", R"({"steps":{},"sequence_bytes":0})"}) {
    auto progress = DecodeProgress(json);
    ASSERT_FALSE(progress) << json;
    EXPECT_EQ(progress.error().code, "PROTOCOL_ERROR");
  }
}

}  // namespace
}  // namespace tradewind::hrana
