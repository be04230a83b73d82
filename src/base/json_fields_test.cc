#include "base/json_fields.h"

#include <gtest/gtest.h>

#include <string>

namespace tradewind {
namespace {

TEST(JsonFields, AreThoseOfAnObject) {
  const auto object = ParseJsonObject(R"({"name":"shop","on":true,"list":[1],"inner":{"a":1}})");
  ASSERT_TRUE(object);
  EXPECT_EQ(FindText(*object, "name"), "shop");
  EXPECT_EQ(FindFlag(*object, "on"), true);
  ASSERT_NE(FindArray(*object, "list"), nullptr);
  EXPECT_EQ(FindArray(*object, "list")->size(), 1u);
  ASSERT_NE(FindObject(*object, "inner"), nullptr);
  EXPECT_EQ(FindInteger(*FindObject(*object, "inner"), "a"), 1);
  for (const char* text : {"", "[]", "1", "null", "{", "{}x"}) EXPECT_FALSE(ParseJsonObject(text)) << text;
}

TEST(JsonFields, ThatAreMissingOrNullOrOfAnotherTypeAreNothing) {
  for (const char* text : {"{}", R"({"x":null})", R"({"x":[[]]})"}) {
    const auto object = ParseJsonObject(text);
    ASSERT_TRUE(object) << text;
    EXPECT_FALSE(FindText(*object, "x")) << text;
    EXPECT_FALSE(FindFlag(*object, "x")) << text;
    EXPECT_FALSE(FindObject(*object, "x")) << text;
    EXPECT_FALSE(FindInteger(*object, "x")) << text;
    EXPECT_FALSE(FindUnsigned(*object, "x")) << text;
    EXPECT_FALSE(FindReal(*object, "x")) << text;
  }
  EXPECT_FALSE(FindArray(*ParseJsonObject(R"({"x":"text"})"), "x"));
  EXPECT_FALSE(FindField(*ParseJsonObject(R"({"x":null})"), "x"));
  EXPECT_TRUE(FindField(*ParseJsonObject(R"({"x":false})"), "x"));
}

TEST(JsonFields, AreWholeNumbersOnlyWhereTheyAreWrittenSo) {
  const auto object = ParseJsonObject(R"({"less":-1,"one":1,"real":1.0,"most":18446744073709551615})");
  ASSERT_TRUE(object);
  EXPECT_EQ(FindInteger(*object, "less"), -1);
  EXPECT_EQ(FindUnsigned(*object, "less"), std::nullopt);
  EXPECT_EQ(FindUnsigned(*object, "one"), 1u);
  EXPECT_EQ(FindUnsigned(*object, "most"), UINT64_MAX);
  EXPECT_EQ(FindInteger(*object, "most"), std::nullopt);
  EXPECT_EQ(FindInteger(*object, "real"), std::nullopt);
  EXPECT_EQ(FindUnsigned(*object, "real"), std::nullopt);
  EXPECT_EQ(FindReal(*object, "real"), 1.0);
  EXPECT_EQ(FindReal(*object, "one"), 1.0);
}

}  // namespace
}  // namespace tradewind
