#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "hrana/json_parse.h"
#include "net/json_text.h"

namespace tradewind::hrana {
namespace {

std::string Quote(std::string_view text) {
  std::string out;
  net::AppendJsonString(out, text);
  return out;
}

std::string Number(double number) {
  std::string out;
  net::AppendJsonNumber(out, number);
  return out;
}

TEST(JsonText, EscapesWhatJsonDemands) {
  EXPECT_EQ(Quote(""), R"("")");
  EXPECT_EQ(Quote("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(Quote(std::string_view("\n\r\t\0\x1f\x7f", 6)), "\"\\n\\r\\t\\u0000\\u001f\x7f\"");
}

TEST(JsonText, LeavesUtf8AsItIs) {
  for (const char* text : {"é", "日本", "😀", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xc2\x80"})
    EXPECT_EQ(Quote(text), "\"" + std::string(text) + "\"");
}

TEST(JsonText, ReplacesWhatIsNotUtf8) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(Quote("a\xff"
                  "b"),
            "\"a" + r + "b\"");
  EXPECT_EQ(Quote("\xc3"), "\"" + r + "\"");                          // Cut off.
  EXPECT_EQ(Quote("\xe2\x82"), "\"" + r + "\"");                      // Cut off, one character.
  EXPECT_EQ(Quote("\xe2\x82x"), "\"" + r + "x\"");                    // The next one is kept.
  EXPECT_EQ(Quote("\xc0\x80"), "\"" + r + r + "\"");                  // Overlong.
  EXPECT_EQ(Quote("\xed\xa0\x80"), "\"" + r + r + r + "\"");          // A surrogate.
  EXPECT_EQ(Quote("\xf4\x90\x80\x80"), "\"" + r + r + r + r + "\"");  // Past the last character.
  EXPECT_EQ(Quote("\x80\xc3\""), "\"" + r + r + "\\\"\"");
}

TEST(JsonText, WritesFloatsSoThatTheyStayFloats) {
  EXPECT_EQ(Number(1), "1.0");
  EXPECT_EQ(Number(-0.0), "-0.0");
  EXPECT_EQ(Number(0.1), "0.1");
  EXPECT_EQ(Number(1e300), "1e+300");
}

TEST(Json, BringsBackEveryDoubleExactly) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    uint64_t bits = random();
    double number;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) continue;
    auto parsed = ParseJson(Number(number), {});
    ASSERT_TRUE(parsed);
    ASSERT_TRUE(parsed->is_double()) << Number(number);
    EXPECT_EQ(std::memcmp(&parsed->get_double(), &number, sizeof number), 0) << Number(number);
  }
  EXPECT_EQ(ParseJson("[5e-324]", {})->at(0).get_double(), std::numeric_limits<double>::denorm_min());
}

TEST(Json, KeepsTheKindsOfValues) {
  auto parsed = ParseJson(R"({"a":[1,-2,18446744073709551615,true,null,"\u0000\ud83d\ude00"],"":{}})", {});
  ASSERT_TRUE(parsed) << Describe(parsed.error());
  const auto& list = parsed->at("a").get_array();
  EXPECT_EQ(list[1].get_int64(), -2);
  EXPECT_EQ(list[2].get_uint64(), std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(list[3].get_bool());
  EXPECT_TRUE(list[4].is_null());
  EXPECT_EQ(list[5].get_string(), std::string("\0😀", 5));
}

TEST(Json, ThatIsBrokenIsRefused) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":1}x", "nul", "\"\xff\"", "\"\\ud800\"", "01", "'a'", "// x\n1"})
    EXPECT_FALSE(ParseJson(text, {})) << text;
  EXPECT_FALSE(ParseJson(std::string(100'000, '['), {}));
}

}  // namespace
}  // namespace tradewind::hrana
