#include "load/hrana_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tradewind::load {
namespace {

namespace json = boost::json;

TEST(HranaJson, ValuesTravelInHranasTypes) {
  sql::Statement statement;
  statement.sql = "select ?";
  statement.arguments = {sql::Value(), int64_t{9007199254740993}, 0.5, std::string("ö"),
                         sql::Blob{"\x01\x02"}};
  statement.want_rows = false;
  EXPECT_EQ(json::value(ExecuteRequest(statement)), json::parse(R"({"type":"execute","stmt":{
      "sql":"select ?","want_rows":false,"args":[{"type":"null"},{"type":"integer","value":"9007199254740993"},
      {"type":"float","value":0.5},{"type":"text","value":"ö"},{"type":"blob","base64":"AQI"}]}})"));
}

TEST(HranaJson, ATransactionCommitsOnlyAfterEveryStepAndElseRollsBack) {
  sql::Statement one{.sql = "one", .arguments = {}, .named_arguments = {}, .want_rows = true};
  const json::value request = TransactionRequest({one, one});
  const json::array& steps = request.at("batch").at("steps").as_array();
  ASSERT_EQ(steps.size(), 5u);
  EXPECT_EQ(steps[2].at("condition"), json::parse(R"({"type":"ok","step":1})"));
  EXPECT_EQ(steps[3].at("stmt").at("sql"), "COMMIT");
  EXPECT_EQ(steps[3].at("condition"), json::parse(R"({"type":"ok","step":2})"));
  EXPECT_EQ(steps[4].at("condition"), json::parse(R"({"type":"not","cond":{"type":"ok","step":3}})"));
}

TEST(HranaJson, AnAnswerIsABatonAndAResultOrErrorForEachRequest) {
  const auto answer = ParsePipelineAnswer(R"({"baton":"b2","base_url":null,"results":[
      {"type":"ok","response":{"type":"execute","result":{"cols":[{"name":"a","decltype":"INTEGER"}],
         "rows":[[{"type":"integer","value":"-3"}],[{"type":"blob","base64":"AQI="}]],
         "affected_row_count":2,"last_insert_rowid":"77"}}},
      {"type":"error","error":{"message":"no","code":"SQLITE_BUSY"}},
      {"type":"error","error":{"message":"no","code":"SQLITE_BUSY","extended_code":"SQLITE_BUSY_SNAPSHOT"}},
      {"type":"ok","response":{"type":"close"}}]})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->baton, "b2");
  ASSERT_EQ(answer->results.size(), 4u);
  EXPECT_EQ(answer->results[1].error().code, "SQLITE_BUSY");
  EXPECT_EQ(answer->results[2].error().code, "SQLITE_BUSY_SNAPSHOT");
  const auto result = ParseStatementResult(answer->results[0].value());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->columns[0].declared_type, "INTEGER");
  EXPECT_EQ(std::get<int64_t>(result->rows[0][0]), -3);
  EXPECT_EQ(std::get<sql::Blob>(result->rows[1][0]).bytes, "\x01\x02");
  EXPECT_EQ(result->affected_row_count, 2u);
  EXPECT_EQ(result->last_insert_rowid, 77);
}

TEST(HranaJson, StepsOfABatchAreAResultAnErrorOrSkipped) {
  const auto steps = ParseBatchResult(json::parse(R"({"step_results":[{"cols":[],"rows":[]},null,null],
      "step_errors":[null,{"message":"full","code":"SQLITE_FULL"},null]})"));
  ASSERT_TRUE(steps);
  EXPECT_TRUE((*steps)[0]->has_value());
  EXPECT_EQ((*steps)[1]->error().code, "SQLITE_FULL");
  EXPECT_FALSE((*steps)[2].has_value());
}

TEST(HranaJson, WhatIsNotHranaIsAnErrorAndNotACrash) {
  for (const char* body :
       {"", "[]", "{}", R"({"results":{}})", R"({"results":[3]})", R"({"results":[{"type":"error"}]})"})
    EXPECT_EQ(ParsePipelineAnswer(body).error().code, "ANSWER_NOT_HRANA") << body;
  for (const char* result : {"null", R"({"cols":[],"rows":[3]})", R"({"cols":[{"name":"a"}],"rows":[[]]})",
                             R"({"cols":[{"name":"a"}],"rows":[[{"type":"integer","value":"x"}]]})"})
    EXPECT_EQ(ParseStatementResult(json::parse(result)).error().code, "ANSWER_NOT_HRANA") << result;
}

}  // namespace
}  // namespace tradewind::load
