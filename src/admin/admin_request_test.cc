#include "admin/admin_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tradewind::admin {
namespace {

using testing::HasSubstr;

template <typename T>
Error ErrorOf(const Result<T>& result) {
  return result ? Error{ErrorKind::kInternal, "NO_ERROR", {}, {}} : result.error();
}

TEST(AdminRequest, TakesWhatTheApiNames) {
  const auto tenant = ParseCreateTenant(R"({"name":"shop","engine":"sqlite","node":"n2"})");
  ASSERT_TRUE(tenant) << Describe(tenant.error());
  EXPECT_EQ(tenant->name, "shop");
  EXPECT_EQ(tenant->node, "n2");

  const auto import = ParseImport(R"({"tenant":"shop","size_bytes":5000000000})");
  ASSERT_TRUE(import) << Describe(import.error());
  EXPECT_EQ(import->tenant, "shop");
  EXPECT_EQ(import->node, std::nullopt);
  EXPECT_EQ(import->size_bytes, 5'000'000'000u);

  const auto move = ParseMove(
      R"({"tenant":"shop","to":"n2","method":"zephyr","warm_up":"all","rate_bytes_per_s":1e6,"setpoint_ms":null})");
  ASSERT_TRUE(move) << Describe(move.error());
  EXPECT_EQ(move->tenant, "shop");
  EXPECT_EQ(move->to, "n2");
  EXPECT_EQ(move->options.warm_up, move::WarmUp::kAll);
  EXPECT_EQ(move->options.pace.rate_bytes_per_s, 1'000'000u);

  EXPECT_EQ(ParseExport(R"({"tenant":"shop"})").value(), "shop");
}

TEST(AdminRequest, MovesAtOnceAndAtThePaceOfLatencyUnlessToldOtherwise) {
  const auto move = ParseMove(R"({"tenant":"shop","to":"n2"})");
  ASSERT_TRUE(move) << Describe(move.error());
  EXPECT_EQ(move->options.warm_up, move::WarmUp::kNone);
  EXPECT_TRUE(move->options.pace.follows_latency());
  EXPECT_FALSE(move->options.pace.setpoint);
  EXPECT_EQ(ParseMove(R"({"tenant":"shop","to":"n2","rate_bytes_per_s":0})")->options.pace.rate_bytes_per_s,
            0u);
}

TEST(AdminRequest, TakesASetpointAndADeadline) {
  const auto move =
      ParseMove(R"({"tenant":"a","to":"b","setpoint_ms":7.5,"signal":"p99","finish_within_s":60})");
  ASSERT_TRUE(move) << Describe(move.error());
  EXPECT_EQ(move->options.pace.setpoint, (pace::Objective{pace::Signal::kP99, 7.5}));
  EXPECT_EQ(move->finish_within, std::chrono::seconds(60));
  EXPECT_EQ(ParseMove(R"({"tenant":"a","to":"b","setpoint_ms":5})")->options.pace.setpoint,
            (pace::Objective{pace::Signal::kP95, 5}));
  for (const char* wrong :
       {R"("setpoint_ms":0)", R"("setpoint_ms":"5ms")", R"("setpoint_ms":5,"signal":"p42")",
        R"("signal":"p95")", R"("setpoint_ms":5,"rate_bytes_per_s":1000)", R"("finish_within_s":0)",
        R"("finish_within_s":9,"rate_bytes_per_s":1000)", R"("keep_source_s":-1)", R"("keep_source_s":1e9)",
        R"("compress":"gzip")"})
    EXPECT_EQ(ErrorOf(ParseMove(std::string(R"({"tenant":"a","to":"b",)") + wrong + "}")).kind,
              ErrorKind::kInvalid)
        << wrong;
}

TEST(AdminRequest, TakesHowLongASourceIsKept) {
  EXPECT_EQ(ParseMove(R"({"tenant":"a","to":"b","keep_source_s":1.5})")->options.keep_source,
            std::chrono::milliseconds(1500));
  EXPECT_EQ(ParseMove(R"({"tenant":"a","to":"b"})")->options.keep_source, std::chrono::milliseconds(0));
  EXPECT_TRUE(ParseMove(R"({"tenant":"a","to":"b","compress":"zstd"})")->options.compress);
}

TEST(AdminRequest, GivesATenantAnObjectiveOrTakesItAway) {
  EXPECT_EQ(ParseSetTenant(R"({"latency":"p95:5ms"})").value().latency,
            (pace::Objective{pace::Signal::kP95, 5}));
  const SetTenantRequest none = ParseSetTenant(R"({"latency":null})").value();
  EXPECT_TRUE(none.sets_latency);
  EXPECT_FALSE(none.latency);
  EXPECT_FALSE(none.core);
  const SetTenantRequest core = ParseSetTenant(R"({"core":1})").value();
  EXPECT_FALSE(core.sets_latency);
  EXPECT_EQ(core.core, 1u);
  EXPECT_EQ(ErrorOf(ParseSetTenant(R"({"core":-1})")).code, "FIELD_INVALID");
  EXPECT_EQ(ErrorOf(ParseSetTenant("{}")).code, "FIELD_MISSING");
  EXPECT_EQ(ErrorOf(ParseSetTenant(R"({"latency":"soon"})")).code, "OBJECTIVE_INVALID");
}

TEST(AdminRequest, KnowsEveryMethodAndWarmUp) {
  for (const std::string_view name : move::kWarmUpNames) {
    const auto move = ParseMove(R"({"tenant":"a","to":"b","warm_up":")" + std::string(name) + "\"}");
    ASSERT_TRUE(move) << Describe(move.error());
    EXPECT_EQ(NameOf(move->options.warm_up), name);
  }
  const auto copy = ParseMove(R"({"tenant":"a","to":"b","method":"stop-and-copy"})");
  ASSERT_TRUE(copy) << Describe(copy.error());
  EXPECT_EQ(copy->options.method, move::Method::kStopAndCopy);
  EXPECT_EQ(ErrorOf(ParseMove(R"({"tenant":"a","to":"b","method":"stop-and-copy","warm_up":"all"})")).code,
            "FIELD_INVALID");
  EXPECT_EQ(ErrorOf(ParseMove(R"({"tenant":"a","to":"b","method":"carrier pigeon"})")).code, "FIELD_INVALID");
}

TEST(AdminRequest, ChangesARateOrTheSetpointOrTakesThemAway) {
  EXPECT_EQ(ParseSetMove(R"({"rate_bytes_per_s":5000})")->pace.rate_bytes_per_s, 5000u);
  EXPECT_EQ(ParseSetMove(R"({"rate_bytes_per_s":null})")->pace.rate_bytes_per_s, 0u);
  EXPECT_EQ(ParseSetMove(R"({"rate_bytes_per_s":0})")->pace.rate_bytes_per_s, 0u);
  EXPECT_EQ(ParseSetMove(R"({"setpoint_ms":5})")->pace.setpoint, (pace::Objective{pace::Signal::kP95, 5}));
  const auto back_to_default = ParseSetMove(R"({"setpoint_ms":null})");
  EXPECT_TRUE(back_to_default->pace.follows_latency());
  EXPECT_FALSE(back_to_default->pace.setpoint);
  EXPECT_EQ(ErrorOf(ParseSetMove("{}")).code, "FIELD_MISSING");
  EXPECT_TRUE(ParseSetMove(R"({"verify_again":true})")->verify_again);
  EXPECT_FALSE(ParseSetMove(R"({"setpoint_ms":5})")->verify_again);
  for (const char* wrong : {R"({"verify_again":false})", R"({"verify_again":1})", R"({"verify_again":null})",
                            R"({"verify_again":true,"rate_bytes_per_s":1})"})
    EXPECT_EQ(ErrorOf(ParseSetMove(wrong)).code, "FIELD_INVALID") << wrong;
}

TEST(AdminRequest, DrainsToAnyNodeUnlessToldOtherwise) {
  EXPECT_TRUE(ParseDrain("").value().to.empty());
  EXPECT_TRUE(ParseDrain("{}").value().to.empty());
  const auto drain = ParseDrain(R"({"to":["n2","n3"],"rate_bytes_per_s":7})");
  ASSERT_TRUE(drain) << Describe(drain.error());
  EXPECT_THAT(drain->to, testing::ElementsAre("n2", "n3"));
  EXPECT_EQ(drain->pace.rate_bytes_per_s, 7u);
  EXPECT_EQ(ErrorOf(ParseDrain(R"({"to":"n2"})")).code, "FIELD_INVALID");
  EXPECT_EQ(ErrorOf(ParseDrain(R"({"to":[7]})")).code, "NAME_INVALID");
  EXPECT_EQ(ParseDrain(R"({"setpoint_ms":9})")->pace.setpoint, (pace::Objective{pace::Signal::kP95, 9}));
  EXPECT_EQ(ErrorOf(ParseDrain(R"({"rate_bytes_per_s":-1})")).code, "FIELD_INVALID");
}

TEST(AdminRequest, NamesTheFieldThatItDoesNotKnow) {
  const Error error = ErrorOf(ParseMove(R"({"tenant":"shop","to":"n2","warmup":"all"})"));
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_EQ(error.code, "FIELD_UNKNOWN");
  EXPECT_THAT(error.message, HasSubstr("\"warmup\""));
  EXPECT_THAT(error.action, HasSubstr("warm_up"));
  EXPECT_EQ(ErrorOf(ParseNothing(R"({"force":true})")).code, "FIELD_UNKNOWN");
}

TEST(AdminRequest, NamesTheFieldThatIsMissing) {
  EXPECT_THAT(ErrorOf(ParseCreateTenant("{}")).message, HasSubstr("\"name\""));
  EXPECT_THAT(ErrorOf(ParseImport(R"({"tenant":"shop"})")).message, HasSubstr("\"size_bytes\""));
  EXPECT_THAT(ErrorOf(ParseMove(R"({"tenant":"shop","to":null})")).message, HasSubstr("\"to\""));
}

TEST(AdminRequest, RefusesFieldsOfAnotherType) {
  EXPECT_EQ(ErrorOf(ParseCreateTenant(R"({"name":7})")).code, "FIELD_INVALID");
  for (const char* size : {"-1", "1.5", "\"10\"", "1e30"}) {
    const Error error = ErrorOf(ParseImport(std::string(R"({"tenant":"a","size_bytes":)") + size + "}"));
    EXPECT_EQ(error.code, "FIELD_INVALID") << size;
    EXPECT_THAT(error.message, HasSubstr("\"size_bytes\""));
  }
  EXPECT_EQ(ErrorOf(ParseMove(R"({"tenant":"a","to":"b","rate_bytes_per_s":-1})")).code, "FIELD_INVALID");
  EXPECT_EQ(ErrorOf(ParseMove(R"({"tenant":"a","to":"b","warm_up":"warm"})")).code, "FIELD_INVALID");
  EXPECT_EQ(ErrorOf(ParseCreateTenant(R"({"name":"a","engine":"duckdb"})")).code, "FIELD_INVALID");
}

TEST(AdminRequest, RefusesNamesThatAreNone) {
  for (const char* name : {"", "A", "-a", "a b", "a/b", "../a"})
    EXPECT_EQ(ErrorOf(ParseCreateTenant(std::string(R"({"name":")") + name + "\"}")).code, "NAME_INVALID");
  EXPECT_EQ(ErrorOf(ParseMove(R"({"tenant":"a","to":"N2"})")).code, "NAME_INVALID");
}

TEST(AdminRequest, RefusesWhatIsNoObject) {
  for (const char* body : {"", "[]", "7", "{", "{} {}"})
    EXPECT_EQ(ErrorOf(ParseCreateTenant(body)).code, "BODY_INVALID") << body;
  EXPECT_TRUE(ParseNothing(""));
  EXPECT_TRUE(ParseNothing("{}"));
}

// It would hold the core for as long as a second.
TEST(AdminRequest, RefusesABodyThatIsTooLongToBeTakenApart) {
  const Error refused = ErrorOf(ParseCreateTenant(R"({"name":"shop"})" + std::string(1 << 20, ' ')));
  EXPECT_EQ(refused.code, "BODY_TOO_LARGE");
  EXPECT_EQ(refused.kind, ErrorKind::kTooLarge);
}

TEST(AdminRequest, TakesTheTwoEnginesAndSqliteByDefault) {
  EXPECT_EQ(ParseCreateTenant(R"({"name":"a"})")->engine, "sqlite");
  EXPECT_EQ(ParseCreateTenant(R"({"name":"a","engine":"sqlite"})")->engine, "sqlite");
  EXPECT_EQ(ParseCreateTenant(R"({"name":"a","engine":"mariadb"})")->engine, "mariadb");
}

TEST(AdminRequest, ReadsNumbersOfTheAddress) {
  net::HttpRequest request;
  request.query = {{"offset", "4096"}, {"length", "-1"}, {"huge", "99999999999999999999"}, {"empty", ""}};
  EXPECT_EQ(QueryNumber(request, "offset").value(), 4096u);
  EXPECT_EQ(QueryNumber(request, "absent", 7).value(), 7u);
  EXPECT_EQ(ErrorOf(QueryNumber(request, "absent")).code, "FIELD_MISSING");
  for (const char* name : {"length", "huge", "empty"})
    EXPECT_EQ(ErrorOf(QueryNumber(request, name, 7)).code, "FIELD_INVALID") << name;
}

}  // namespace
}  // namespace tradewind::admin
