#include "tenant/quotas.h"

#include <gtest/gtest.h>

namespace tradewind::tenant {
namespace {

using std::chrono::milliseconds;

TEST(Quotas, AreKeptAsTextAndReadBack) {
  const Quotas quotas{.size_bytes = 1'000'000, .streams = 4, .requests_per_s = 0};
  EXPECT_EQ(ToText(quotas), R"({"size_bytes":1000000,"streams":4,"requests_per_s":0})");
  EXPECT_EQ(ParseQuotas(ToText(quotas)).value(), quotas);
  EXPECT_EQ(ToText({}), "");
  EXPECT_TRUE(ParseQuotas("").value().empty());
  EXPECT_EQ(ParseQuotas(R"({"streams":4,"of a later version":true})").value().streams, 4u);
}

TEST(Quotas, ThatAreNoneAreRefused) {
  for (const char* text : {"[]", "x", R"({"streams":-1})", R"({"streams":"4"})", R"({"size_bytes":1.5})"})
    EXPECT_FALSE(ParseQuotas(text)) << text;
  EXPECT_FALSE(Check({.size_bytes = 1000}));
  EXPECT_FALSE(Check({.memory_bytes = 1000}));
  EXPECT_FALSE(Check({.cpu_percent = 101}));
  for (const char* name : {"size_bytes", "memory_bytes", "statement_ms", "streams", "requests_per_s"}) {
    Quotas quotas;
    ASSERT_TRUE(Change(quotas, name, UINT64_MAX));
    EXPECT_FALSE(Check(quotas)) << name;
    // What is computed with a quota is its thousandfold, or in nanoseconds.
    const uint64_t most =
        name == std::string_view("statement_ms") ? 1'000'000'000'000 : 1'000'000'000'000'000;
    ASSERT_TRUE(Change(quotas, name, most));
    EXPECT_TRUE(Check(quotas)) << name;
    ASSERT_TRUE(Change(quotas, name, most + 1));
    const auto refused = Check(quotas);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().message, name + (" can't be " + std::to_string(most + 1)));
  }
  EXPECT_FALSE(Check({.statement_ms = 10'000'000'000'000})) << "in nanoseconds it would not be a number";
  EXPECT_TRUE(Check({.size_bytes = 0, .memory_bytes = 0, .cpu_percent = 100}));
}

TEST(Quotas, AreChangedOneByOne) {
  Quotas quotas;
  ASSERT_TRUE(Change(quotas, "streams", 4));
  ASSERT_TRUE(Change(quotas, "size_bytes", 1'000'000));
  ASSERT_TRUE(Change(quotas, "streams", std::nullopt));
  EXPECT_EQ(ToText(quotas), R"({"size_bytes":1000000})");
  EXPECT_FALSE(Change(quotas, "steams", 4));
}

TEST(QuotaTable, ATenantsOwnGoBeforeTheNodesOneByOne) {
  QuotaTable table({.size_bytes = 1'000'000, .streams = 8});
  table.Set("shop", {.size_bytes = 0, .statement_ms = 500});
  EXPECT_EQ(table.Of("shop").size_bytes, 0u) << "it has none, whatever the node says";
  EXPECT_EQ(table.Of("shop").statement_ms, 500u);
  EXPECT_EQ(table.Of("shop").streams, 8u);
  EXPECT_EQ(table.Of("blog").size_bytes, 1'000'000u);
  EXPECT_EQ(table.Of("blog").requests_per_s, 0u) << "nobody has said anything";
  table.Set("shop", {});
  EXPECT_EQ(table.Of("shop").size_bytes, 1'000'000u);
}

TEST(RequestRates, LetAsManyBeginAsASecondHasAndThenAsTheyComeBack) {
  RequestRates rates;
  runtime::TimePoint now{};
  now += std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rates.Take("shop", 3, now));
  EXPECT_FALSE(rates.Take("shop", 3, now));
  EXPECT_TRUE(rates.Take("blog", 3, now)) << "each tenant has its own";
  EXPECT_FALSE(rates.Take("shop", 3, now + milliseconds(300)));
  EXPECT_TRUE(rates.Take("shop", 3, now + milliseconds(340)));
  EXPECT_FALSE(rates.Take("shop", 3, now + milliseconds(341)));
  now += std::chrono::hours(1);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(rates.Take("shop", 3, now)) << "no more are saved up than a second's";
  EXPECT_FALSE(rates.Take("shop", 3, now));
}

TEST(RequestRates, DoNotRememberTenantsForEver) {
  RequestRates rates;
  runtime::TimePoint now{};
  for (int i = 0; i < 10'000; ++i)
    EXPECT_TRUE(rates.Take("t" + std::to_string(i), 1, now += milliseconds(10)));
  EXPECT_LE(rates.size(), 1'200u);
}

}  // namespace
}  // namespace tradewind::tenant
