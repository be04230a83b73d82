#include "gateway/health.h"

#include <gtest/gtest.h>

namespace tradewind::gateway {
namespace {

TEST(HealthTest, WhatANodeSaysIsUnderstood) {
  const auto health = DecodeHealth(Encode({"n1", 4}));
  ASSERT_TRUE(health);
  EXPECT_EQ(health->node, "n1");
  EXPECT_EQ(health->cores, 4u);
}

TEST(HealthTest, ANodeOfAnEarlierVersionDoesNotSayItsCores) {
  const auto health = DecodeHealth(R"({"status":"ok","node":"n1"})");
  ASSERT_TRUE(health);
  EXPECT_EQ(health->cores, 0u);
}

TEST(HealthTest, WhatNoNodeThatServesSaysIsNoHealth) {
  for (const char* text :
       {"", "ok", "[]", R"({"status":"draining"})", R"({"status":"ok"})", R"({"node":"n1"})"})
    EXPECT_FALSE(DecodeHealth(text)) << text;
}

}  // namespace
}  // namespace tradewind::gateway
