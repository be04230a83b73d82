#include "hrana/cursor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tradewind::hrana {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// "rows N" has so many; "write" gives one when it is done; "fail" fails, "fail late" after a row. The tenant is gone once as
// many statements have run as moves_after says.
class FakeSession final : public Session {
 public:
  Result<sql::StatementResult> Execute(const sql::Statement& statement, sql::RowSink* rows) override {
    if (ran.size() >= moves_after)
      return Fail(ErrorKind::kUnavailable, std::string(kTenantMoved), "the tenant has moved");
    ran.push_back(statement.sql);
    sql::StatementResult result;
    result.columns = {{"n", "INTEGER"}};
    if (statement.sql == "fail") return Fail(ErrorKind::kInvalid, "SQLITE_CONSTRAINT", "failed");
    if (statement.sql == "write") {
      result.rows = {{sql::Value(int64_t{7})}};
      result.affected_row_count = 1;
      result.last_insert_rowid = 3;
      return result;
    }
    const bool fails_late = statement.sql == "fail late";
    const int64_t count = fails_late ? 1 : std::stoll(statement.sql.substr(5));
    TW_TRY(rows->Begin(result.columns));
    for (int64_t n = 1; n <= count; ++n) {
      const sql::ValueView value = n;
      TW_TRY(rows->Take(std::span(&value, 1)));
    }
    if (fails_late) return Fail(ErrorKind::kTimeout, "STATEMENT_TIMEOUT", "failed late");
    return result;
  }
  Result<size_t> ExecuteFirst(std::string_view) override { return size_t{0}; }
  Result<sql::Description> Describe(const std::string&) override { return sql::Description{}; }
  bool autocommit() override { return true; }

  std::vector<std::string> ran;
  size_t moves_after = SIZE_MAX;
};

class TextSink final : public EntrySink {
 public:
  std::string& entries() override { return text; }
  Result<void> AwaitRoom() override {
    if (++entries_seen <= most_entries) return {};
    return Fail(ErrorKind::kUnavailable, "STREAM_EXPIRED", "nobody reads");
  }
  void NoteSnapshot() override { text += "<snapshot>\n"; }
  runtime::Duration TakeWaited() override { return {}; }

  std::string text;
  size_t entries_seen = 0;
  size_t most_entries = SIZE_MAX;
};

Batch Steps(const std::vector<std::string>& sqls) {
  Batch batch;
  for (const std::string& sql : sqls) batch.steps.push_back({{}, {{.sql = sql}, {}}});
  return batch;
}

TEST(Cursor, GivesEachStepsRowsBetweenItsBeginAndItsEnd) {
  FakeSession session;
  TextSink sink;
  Progress progress;
  EXPECT_TRUE(RunCursor(Steps({"rows 2", "write"}), session, progress, sink));
  EXPECT_EQ(sink.text,
            "<snapshot>\n"
            R"({"type":"step_begin","step":0,"cols":[{"name":"n","decltype":"INTEGER"}]})"
            "\n"
            R"({"type":"row","row":[{"type":"integer","value":"1"}]})"
            "\n"
            R"({"type":"row","row":[{"type":"integer","value":"2"}]})"
            "\n<snapshot>\n"
            R"({"type":"step_end","affected_row_count":0,"last_insert_rowid":null})"
            "\n<snapshot>\n"
            R"({"type":"step_begin","step":1,"cols":[{"name":"n","decltype":"INTEGER"}]})"
            "\n"
            R"({"type":"row","row":[{"type":"integer","value":"7"}]})"
            "\n<snapshot>\n"
            R"({"type":"step_end","affected_row_count":1,"last_insert_rowid":"3"})"
            "\n");
}

TEST(Cursor, SaysWhichStepFailedAndGoesOnByTheConditions) {
  FakeSession session;
  TextSink sink;
  Progress progress;
  Batch batch = Steps({"fail", "rows 0", "rows 0", "fail late"});
  batch.steps[1].condition = Condition{Condition::Kind::kOk, 0, {}};
  batch.steps[2].condition = Condition{Condition::Kind::kError, 0, {}};
  EXPECT_TRUE(RunCursor(batch, session, progress, sink));
  EXPECT_THAT(session.ran, ElementsAre("fail", "rows 0", "fail late"));
  EXPECT_THAT(sink.text, HasSubstr(R"({"type":"step_error","step":0,"error":{"message":"failed",)"));
  EXPECT_THAT(sink.text, testing::Not(HasSubstr(R"("step":1)")));
  EXPECT_THAT(sink.text, HasSubstr(R"({"type":"step_error","step":3,"error":{"message":"failed late",)"));
}

TEST(Cursor, GoesOnWhereTheTenantHasGoneWithTheStepThatDidNotRun) {
  FakeSession here;
  TextSink sink;
  Progress progress;
  here.moves_after = 1;
  const Batch batch = Steps({"rows 1", "rows 1", "rows 1"});
  EXPECT_FALSE(RunCursor(batch, here, progress, sink));
  EXPECT_EQ(progress.steps.size(), 1u);
  EXPECT_THAT(sink.text, testing::Not(HasSubstr(R"("step":1)")));
  const Progress carried = DecodeProgress(EncodeProgress(progress)).value();
  Progress there_progress = carried;
  FakeSession there;
  EXPECT_TRUE(RunCursor(batch, there, there_progress, sink));
  EXPECT_EQ(there.ran.size(), 2u);
  EXPECT_THAT(sink.text, HasSubstr(R"("step":2)"));
}

TEST(Cursor, EndsWhenNobodyReadsOn) {
  FakeSession session;
  TextSink sink;
  Progress progress;
  sink.most_entries = 3;
  EXPECT_TRUE(RunCursor(Steps({"rows 1000000", "rows 1"}), session, progress, sink));
  EXPECT_THAT(session.ran, ElementsAre("rows 1000000"));
  EXPECT_THAT(sink.text, HasSubstr(R"({"type":"error","error":{"message":"nobody reads",)"));
}

}  // namespace
}  // namespace tradewind::hrana
