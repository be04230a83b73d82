#include "move/core_answer.h"

#include <gtest/gtest.h>

namespace tradewind::move {
namespace {

TEST(CoreAnswerTest, WhatIsEncodedIsDecoded) {
  const auto decoded = DecodeCoreAnswer(Encode({2, 4}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->core, 2u);
  EXPECT_EQ(decoded->cores, 4u);
}

TEST(CoreAnswerTest, ACoreThatTheNodeDoesNotHaveIsNoAnswer) {
  for (const char* text : {"", "{}", "[]", R"({"core":4,"cores":4})", R"({"core":0,"cores":0})",
                           R"({"core":-1,"cores":2})", R"({"core":1})", R"({"core":"1","cores":"2"})"}) {
    const auto decoded = DecodeCoreAnswer(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, "CORE_MESSAGE");
  }
}

}  // namespace
}  // namespace tradewind::move
