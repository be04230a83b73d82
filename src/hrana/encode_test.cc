#include "hrana/encode.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <vector>

#include "base/base64.h"
#include "base/limits.h"
#include "base/memory_pool.h"
#include "hrana/error_codes.h"
#include "hrana/sql_store.h"
#include "runtime/test_core.h"

namespace tradewind::hrana {
namespace {

using sql::Value;

sql::StatementResult TwoRows() {
  sql::StatementResult result;
  result.columns = {{"a", "INTEGER"}, {"b\"", std::nullopt}};
  result.rows = {{Value(int64_t{1}), Value(std::string("x"))},
                 {Value(), Value(std::numeric_limits<double>::infinity())}};
  result.affected_row_count = 2;
  result.last_insert_rowid = 9'007'199'254'740'993;
  result.duration_ms = 0.5;
  return result;
}

TEST(StatementResult, LetsOthersRunWhileALargeBlobIsEncoded) {
  runtime::TestCore core;
  core.tick = limits::kTimeSlice / 2;
  core.Run([&] {
    sql::StatementResult result;
    result.columns = {{"a", std::nullopt}};
    std::string bytes;
    for (int i = 0; i < 1'000'000; ++i) bytes += static_cast<char>(i * 7 + i / 256);
    result.rows = {{Value(sql::Blob{bytes})}};
    size_t turns = 0;
    bool done = false;
    runtime::TaskGroup others(core);
    others.Spawn("another", [&] {
      for (; !done; ++turns) runtime::Yield();
    });
    runtime::Yield();
    std::string out;
    const size_t before = turns;
    EXPECT_TRUE(AppendStatementResult(out, result, 10'000'000));
    EXPECT_GT(turns, before);
    done = true;
    others.Join();
    EXPECT_NE(out.find("\"base64\":\"" + EncodeBase64(Base64::kStandard, bytes) + "\""), std::string::npos);
  });
}

TEST(StatementResult, IsEncodedAsHranaHasIt) {
  std::string out;
  ASSERT_TRUE(AppendStatementResult(out, TwoRows(), 10'000));
  EXPECT_EQ(
      out,
      R"({"cols":[{"name":"a","decltype":"INTEGER"},{"name":"b\"","decltype":null}],)"
      R"("rows":[[{"type":"integer","value":"1"},{"type":"text","value":"x"}],[{"type":"null"},{"type":"null"}]],)"
      R"("affected_row_count":2,"last_insert_rowid":"9007199254740993","rows_read":0,"rows_written":0,)"
      R"("query_duration_ms":0.5})");
}

TEST(StatementResult, HasTheKeyOfTheLastRowidAlsoWithoutOne) {
  std::string out;
  ASSERT_TRUE(AppendStatementResult(out, {}, 10'000));
  EXPECT_NE(out.find(R"("last_insert_rowid":null)"), std::string::npos);
}

TEST(StatementResult, ThatIsTooLargeLeavesNothingBehind) {
  std::string whole;
  ASSERT_TRUE(AppendStatementResult(whole, TwoRows(), 10'000));
  std::string out = "before";
  EXPECT_FALSE(AppendStatementResult(out, TwoRows(), whole.size() - 1));
  EXPECT_EQ(out, "before");
  EXPECT_TRUE(AppendStatementResult(out, TwoRows(), whole.size()));
}

TEST(PipelineResponse, JoinsTheResultsAsTheyAre) {
  std::vector<std::string> results = {EncodeEmptyResult("close"), R"({"any": "text"})"};
  EXPECT_EQ(
      EncodePipelineResponse("b", results),
      R"({"baton":"b","base_url":null,"results":[{"type":"ok","response":{"type":"close"}},{"any": "text"}]})");
  EXPECT_EQ(EncodePipelineResponse(std::nullopt, {}), R"({"baton":null,"base_url":null,"results":[]})");
}

TEST(Errors, HaveTheBaseCodeAndBesideItTheExtendedOne) {
  EXPECT_EQ(
      EncodeErrorResult({ErrorKind::kUnavailable, "SQLITE_BUSY_SNAPSHOT", "moved", "run it again"}),
      R"({"type":"error","error":{"message":"moved; run it again","code":"SQLITE_BUSY","extended_code":"SQLITE_BUSY_SNAPSHOT"}})");
}

TEST(Errors, AlwaysHaveACode) {
  EXPECT_EQ(
      EncodeErrorResult({ErrorKind::kInvalid, "SQLITE_CONSTRAINT", "UNIQUE failed", "use another"}),
      R"({"type":"error","error":{"message":"UNIQUE failed; use another","code":"SQLITE_CONSTRAINT"}})");
  for (auto kind : {ErrorKind::kInvalid, ErrorKind::kNotFound, ErrorKind::kExists, ErrorKind::kRefused,
                    ErrorKind::kUnavailable, ErrorKind::kTimeout, ErrorKind::kUnauthorized,
                    ErrorKind::kTooLarge, ErrorKind::kIo, ErrorKind::kCorrupt, ErrorKind::kInternal}) {
    EXPECT_EQ(EncodeErrorResult({kind, "", "m", ""}).find(R"("code":"")"), std::string::npos);
  }
}

TEST(HttpFailures, HaveTheBodiesThatClientsRead) {
  HttpFailure expired = ToHttpFailure({ErrorKind::kNotFound, "STREAM_EXPIRED", "idle for 10 s", ""});
  EXPECT_EQ(expired.status, 400);
  EXPECT_EQ(expired.body, R"({"message":"idle for 10 s","code":"STREAM_EXPIRED"})");
  HttpFailure baton = ToHttpFailure({ErrorKind::kInvalid, "BATON_INVALID", "unknown baton", ""});
  EXPECT_EQ(baton.status, 400);
  EXPECT_EQ(baton.content_type, "text/plain");
  EXPECT_EQ(baton.body, "unknown baton");
  HttpFailure missing = ToHttpFailure({ErrorKind::kNotFound, "TENANT_NOT_FOUND", "no tenant", ""});
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, R"({"error":"no tenant","code":"TENANT_NOT_FOUND"})");
  EXPECT_EQ(ToHttpFailure({ErrorKind::kRefused, "TOO_MANY_STREAMS", "", ""}).status, 429);
  EXPECT_EQ(ToHttpFailure({ErrorKind::kUnavailable, "NODE_UNREACHABLE", "", ""}).status, 503);
  EXPECT_EQ(ToHttpFailure({ErrorKind::kTimeout, "", "", ""}).status, 504);
  EXPECT_EQ(ToHttpFailure({ErrorKind::kUnauthorized, "", "", ""}).status, 401);
  EXPECT_EQ(ToHttpFailure({ErrorKind::kCorrupt, "", "", ""}).status, 500);
}

TEST(SqlStore, ReplacesIdsByTheirTexts) {
  SqlStore store;
  size_t room = 1'000;
  ASSERT_TRUE(store.Store(1, "select 1"));
  StreamRequest batch =
      Batch{{BatchStep{std::nullopt, {{}, 1}}, BatchStep{std::nullopt, {{.sql = "select 2"}, {}}}}};
  EXPECT_EQ(store.Prepare(batch, room), std::nullopt);
  EXPECT_EQ(std::get<Batch>(batch).steps[0].statement.statement.sql, "select 1");
  EXPECT_FALSE(std::get<Batch>(batch).steps[0].statement.sql_id);
  EXPECT_EQ(std::get<Batch>(batch).steps[1].statement.statement.sql, "select 2");
  StreamRequest sequence = Sequence{{"", 1}};
  EXPECT_EQ(store.Prepare(sequence, room), std::nullopt);
  EXPECT_EQ(std::get<Sequence>(sequence).sql.sql, "select 1");
  StreamRequest describe = DescribeSql{{"", 1}};
  EXPECT_EQ(store.Prepare(describe, room), std::nullopt);
  EXPECT_EQ(std::get<DescribeSql>(describe).sql.sql, "select 1");
  StreamRequest execute = Execute{{{}, 2}};
  auto result = store.Prepare(execute, room);
  ASSERT_TRUE(result);
  EXPECT_NE(result->find("SQL_INPUT_ERROR"), std::string::npos);
}

TEST(SqlStore, TakesNoMoreRoomThanThereIs) {
  SqlStore store;
  size_t room = 19;
  ASSERT_TRUE(store.Store(1, "select 1"));
  StreamRequest batch = Batch{{BatchStep{std::nullopt, {{}, 1}}, BatchStep{std::nullopt, {{}, 1}}}};
  EXPECT_EQ(store.Prepare(batch, room), std::nullopt);
  EXPECT_EQ(room, 3u);
  StreamRequest execute = Execute{{{}, 1}};
  EXPECT_NE(store.Prepare(execute, room)->find("STORED_SQL_TOO_LARGE"), std::string::npos);
}

TEST(SqlStore, BoundsTheBytesOfAStreamAndOfAllOfATenant) {
  const uint64_t before = MemoryOf(MemoryKind::kStoredSql).load();
  const std::string text(1 << 20, 'x');
  const auto of_tenant = std::make_shared<uint64_t>(0);
  {
    std::vector<std::unique_ptr<SqlStore>> stores;
    size_t refused_streams = 0;
    while (refused_streams == 0) {
      stores.push_back(std::make_unique<SqlStore>());
      stores.back()->CountIn(of_tenant);
      Result<void> stored;
      int32_t id = 0;
      while (stored) stored = stores.back()->Store(id++, text);
      EXPECT_EQ(stored.error().code, "SQL_STORE_TOO_LARGE");
      if (id == 1)
        refused_streams = stores.size();
      else
        EXPECT_EQ(static_cast<size_t>(id - 1), limits::kStoredSqlBytesPerStream / text.size());
    }
    EXPECT_EQ(refused_streams - 1, limits::kStoredSqlBytesPerTenant / limits::kStoredSqlBytesPerStream);
    EXPECT_EQ(MemoryOf(MemoryKind::kStoredSql).load(), before + limits::kStoredSqlBytesPerTenant);
    stores.front()->Close(3);
    EXPECT_TRUE(stores.back()->Store(0, text));
    EXPECT_TRUE(stores.back()->Store(1, ""));
  }
  EXPECT_EQ(*of_tenant, 0u);
  EXPECT_EQ(MemoryOf(MemoryKind::kStoredSql).load(), before);
}

TEST(SqlStore, AnswersStoreAndCloseItself) {
  SqlStore store;
  size_t room = 1'000;
  StreamRequest request = StoreSql{1, "select 1"};
  EXPECT_EQ(store.Prepare(request, room), EncodeEmptyResult("store_sql"));
  request = StoreSql{1, "select 2"};
  EXPECT_NE(store.Prepare(request, room)->find("in use"), std::string::npos);
  request = CloseSql{1};
  EXPECT_EQ(store.Prepare(request, room), EncodeEmptyResult("close_sql"));
  EXPECT_EQ(store.Prepare(request, room), EncodeEmptyResult("close_sql"));
  EXPECT_EQ(store.size(), 0u);
}

TEST(SqlStore, IsBounded) {
  SqlStore store;
  for (int32_t id = 0; id < static_cast<int32_t>(limits::kStoredSqlPerStream); ++id)
    ASSERT_TRUE(store.Store(id, "x"));
  auto stored = store.Store(-1, "x");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, "SQL_STORE_TOO_MANY");
  store.Close(0);
  EXPECT_TRUE(store.Store(-1, "x"));
}

}  // namespace
}  // namespace tradewind::hrana
