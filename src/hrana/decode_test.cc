#include "hrana/decode.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/memory_pool.h"
#include "hrana/encode.h"

namespace tradewind::hrana {
namespace {

using sql::Blob;
using sql::Value;

PipelineRequest Pipeline(std::string_view json) {
  auto decoded = DecodePipeline(json);
  if (!decoded) {
    ADD_FAILURE() << Describe(decoded.error());
    return {};
  }
  return std::move(*decoded);
}

std::string WhyNot(std::string_view json) {
  auto decoded = DecodePipeline(json);
  if (decoded) return "it was taken";
  EXPECT_EQ(decoded.error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(decoded.error().code, "PROTOCOL_ERROR");
  return decoded.error().message;
}

std::string InStatement(std::string_view fields) {
  return R"({"requests":[{"type":"execute","stmt":{"sql":"x",)" + std::string(fields) + "}}]}";
}

Value Argument(std::string_view value) {
  PipelineRequest pipeline = Pipeline(InStatement("\"args\":[" + std::string(value) + "]"));
  if (pipeline.requests.empty()) return {};
  return std::get<Execute>(pipeline.requests[0]).statement.statement.arguments.at(0);
}

TEST(Pipeline, MayHaveABaton) {
  EXPECT_EQ(Pipeline(R"({"requests":[]})").baton, std::nullopt);
  EXPECT_EQ(Pipeline(R"({"baton":null,"requests":[]})").baton, std::nullopt);
  EXPECT_EQ(Pipeline(R"({"baton":"b","requests":[]})").baton, "b");
}

TEST(Pipeline, HoldsEveryTypeOfRequest) {
  PipelineRequest pipeline = Pipeline(R"({"requests":[
    {"type":"close"},
    {"type":"execute","stmt":{"sql":"select 1","args":[],"named_args":[],"want_rows":false},"unknown":1},
    {"type":"batch","batch":{"steps":[{"stmt":{"sql":"begin"}}]}},
    {"type":"sequence","sql":"a; b"},
    {"type":"sequence","sql_id":7,"sql":null},
    {"type":"describe","sql":"select 2"},
    {"type":"store_sql","sql_id":-3,"sql":"select 3"},
    {"type":"close_sql","sql_id":4},
    {"type":"get_autocommit"}]})");
  ASSERT_EQ(pipeline.requests.size(), 9u);
  EXPECT_TRUE(std::holds_alternative<Close>(pipeline.requests[0]));
  const auto& statement = std::get<Execute>(pipeline.requests[1]).statement;
  EXPECT_EQ(statement.statement.sql, "select 1");
  EXPECT_FALSE(statement.statement.want_rows);
  EXPECT_FALSE(statement.sql_id);
  const auto& batch = std::get<Batch>(pipeline.requests[2]);
  ASSERT_EQ(batch.steps.size(), 1u);
  EXPECT_FALSE(batch.steps[0].condition);
  EXPECT_TRUE(batch.steps[0].statement.statement.want_rows);
  EXPECT_EQ(std::get<Sequence>(pipeline.requests[3]).sql.sql, "a; b");
  EXPECT_EQ(std::get<Sequence>(pipeline.requests[4]).sql.sql_id, 7);
  EXPECT_EQ(std::get<DescribeSql>(pipeline.requests[5]).sql.sql, "select 2");
  EXPECT_EQ(std::get<StoreSql>(pipeline.requests[6]).sql_id, -3);
  EXPECT_EQ(std::get<StoreSql>(pipeline.requests[6]).sql, "select 3");
  EXPECT_EQ(std::get<CloseSql>(pipeline.requests[7]).sql_id, 4);
  EXPECT_TRUE(std::holds_alternative<GetAutocommit>(pipeline.requests[8]));
}

TEST(Values, AreReadAsTheirTypeSays) {
  EXPECT_EQ(Argument(R"({"type":"null"})"), Value());
  EXPECT_EQ(Argument(R"({"type":"integer","value":"-9223372036854775808"})"),
            Value(std::numeric_limits<int64_t>::min()));
  EXPECT_EQ(Argument(R"({"type":"integer","value":"9223372036854775807"})"),
            Value(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(Argument(R"({"type":"float","value":0.30000000000000004})"), Value(0.1 + 0.2));
  EXPECT_EQ(Argument(R"({"type":"float","value":3})"), Value(3.0));
  EXPECT_EQ(Argument(R"({"type":"text","value":"a\u0000é"})"), Value(std::string("a\0é", 4)));
  EXPECT_EQ(Argument(R"({"type":"blob","base64":"Zm8="})"), Value(Blob{"fo"}));
  EXPECT_EQ(Argument(R"({"type":"blob","base64":"Zm8"})"), Value(Blob{"fo"}));
  EXPECT_EQ(Argument("{}"), Value());  // A hole.
}

TEST(Values, MayBeNamed) {
  PipelineRequest pipeline =
      Pipeline(InStatement(R"("named_args":[{"name":":a","value":{"type":"integer","value":"1"}}])"));
  const auto& named = std::get<Execute>(pipeline.requests.at(0)).statement.statement.named_arguments;
  ASSERT_EQ(named.size(), 1u);
  EXPECT_EQ(named[0].first, ":a");
  EXPECT_EQ(named[0].second, Value(int64_t{1}));
}

TEST(Conditions, AreReadWithTheirNesting) {
  PipelineRequest pipeline = Pipeline(R"({"requests":[{"type":"batch","batch":{"steps":[
    {"stmt":{"sql":"a"}},
    {"condition":{"type":"and","conds":[{"type":"ok","step":0},{"type":"not","cond":{"type":"is_autocommit"}},
      {"type":"or","conds":[{"type":"error","step":0}]}]},"stmt":{"sql":"b"}}]}}]})");
  const auto& condition = std::get<Batch>(pipeline.requests.at(0)).steps.at(1).condition;
  ASSERT_TRUE(condition);
  EXPECT_EQ(condition->kind, Condition::Kind::kAnd);
  ASSERT_EQ(condition->conditions.size(), 3u);
  EXPECT_EQ(condition->conditions[0].kind, Condition::Kind::kOk);
  EXPECT_EQ(condition->conditions[1].kind, Condition::Kind::kNot);
  EXPECT_EQ(condition->conditions[1].conditions.at(0).kind, Condition::Kind::kIsAutocommit);
  EXPECT_EQ(condition->conditions[2].conditions.at(0).kind, Condition::Kind::kError);
}

TEST(MalformedRequests, AreRefusedWithThePlaceOfTheMistake) {
  EXPECT_EQ(WhyNot("[]"), "the body: must be an object");
  EXPECT_EQ(WhyNot("{}"), "requests: is missing");
  EXPECT_EQ(WhyNot(R"({"requests":{}})"), "requests: must be an array");
  EXPECT_EQ(WhyNot(R"({"baton":1,"requests":[]})"), "baton: must be a string");
  EXPECT_EQ(WhyNot(R"({"requests":[{"type":"close"},{"type":"fly"}]})"),
            "requests[1].type: \"fly\" is no request that this server knows");
  EXPECT_EQ(WhyNot(R"({"requests":[{"type":"execute","stmt":{}}]})"),
            "requests[0].stmt: must have either sql or sql_id");
  EXPECT_EQ(WhyNot(R"({"requests":[{"type":"execute","stmt":{"sql":"x","sql_id":1}}]})"),
            "requests[0].stmt: must have either sql or sql_id");
  EXPECT_EQ(WhyNot(R"({"requests":[{"type":"close_sql","sql_id":2147483648}]})"),
            "requests[0].sql_id: must be a whole number in range");
  EXPECT_EQ(WhyNot(InStatement(R"("args":[{"type":"null"},{"type":"integer","value":"1x"}])")),
            "requests[0].stmt.args[1].value: \"1x\" is not a 64-bit integer");
  EXPECT_EQ(WhyNot(InStatement(R"("args":[{"type":"integer","value":"9223372036854775808"}])")),
            "requests[0].stmt.args[0].value: \"9223372036854775808\" is not a 64-bit integer");
  EXPECT_EQ(WhyNot(InStatement(R"("args":[{"type":"float","value":1e999}])")),
            "requests[0].stmt.args[0].value: must be a finite number");
  EXPECT_EQ(WhyNot(InStatement(R"("args":[{"type":"blob","base64":"*"}])")),
            "requests[0].stmt.args[0].base64: is not base64");
  EXPECT_EQ(WhyNot(InStatement(R"("named_args":[{"value":{"type":"null"}}])")),
            "requests[0].stmt.named_args[0].name: is missing");
  EXPECT_EQ(WhyNot(InStatement(R"("want_rows":1)")), "requests[0].stmt.want_rows: must be true or false");
  EXPECT_EQ(WhyNot(R"({"requests":[{"type":"batch","batch":{"steps":[
              {"stmt":{"sql":"a"}},{"condition":{"type":"not","cond":{"type":"ok","step":1}},"stmt":{"sql":"b"}}]}}]})"),
            "requests[0].batch.steps[1].condition.cond.step: must be an earlier step");
  EXPECT_NE(WhyNot("{\"requests\":[}").find("not valid JSON"), std::string::npos);
}

TEST(ForwardedRequests, ComeBackAsTheyWere) {
  for (
      const char* json :
      {R"({"type":"close"})", R"({"type":"get_autocommit"})", R"({"type":"sequence","sql":"a;\n\"b\""})",
       R"({"type":"describe","sql":"select 1"})", R"({"type":"store_sql","sql_id":1,"sql":"x"})",
       R"({"type":"close_sql","sql_id":-1})",
       R"({"type":"execute","stmt":{"sql":"x","args":[{"type":"null"},{"type":"integer","value":"-5"},)"
       R"({"type":"float","value":-0.0},{"type":"float","value":2.0},{"type":"text","value":"é\u0000"},)"
       R"({"type":"blob","base64":"AP8"}],"named_args":[{"name":"@n","value":{"type":"text","value":"v"}}],)"
       R"("want_rows":false}})",
       R"({"type":"batch","batch":{"steps":[{"stmt":{"sql":"a","args":[],"named_args":[],"want_rows":true}},)"
       R"({"condition":{"type":"or","conds":[{"type":"ok","step":0},{"type":"not","cond":{"type":"error","step":0}},)"
       R"({"type":"and","conds":[{"type":"is_autocommit"}]}]},)"
       R"("stmt":{"sql_id":3,"args":[],"named_args":[],"want_rows":true}}]}})"}) {
    auto decoded = DecodeRequest(json);
    ASSERT_TRUE(decoded) << Describe(decoded.error());
    EXPECT_EQ(EncodeRequest(*decoded), json);
  }
}

TEST(Decode, TakesNoMoreMemoryForATreeThanIsLeft) {
  const uint64_t before = MemoryOf(MemoryKind::kBodies).load();
  std::string body = R"({"requests":[],"more":[0)";
  for (int at = 0; at < 1'000'000; ++at) body += ",0";
  body += "]}";
  EXPECT_TRUE(DecodePipeline(body));
  const uint64_t bound = Memory().bound();
  Memory().SetBound(Memory().used() + (16 << 20));
  const auto refused = DecodePipeline(body);
  EXPECT_TRUE(DecodePipeline(R"({"requests":[]})"));
  Memory().SetBound(bound);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "SERVER_MEMORY");
  EXPECT_EQ(MemoryOf(MemoryKind::kBodies).load(), before);
}

}  // namespace
}  // namespace tradewind::hrana
