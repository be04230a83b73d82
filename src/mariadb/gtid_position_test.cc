#include "mariadb/gtid_position.h"

#include <gtest/gtest.h>

namespace tradewind::mariadb {
namespace {

GtidPosition At(std::string_view text) {
  const auto position = GtidPosition::Parse(text);
  EXPECT_TRUE(position) << text;
  return position.value_or(GtidPosition());
}

TEST(GtidPositionTest, WhatAServerSaysIsReadAndSaidAgain) {
  EXPECT_TRUE(At("").empty());
  EXPECT_EQ(At("0-1-100").ToString(), "0-1-100");
  EXPECT_EQ(At("7-2-5,0-4294967295-18446744073709551615").ToString(),
            "0-4294967295-18446744073709551615,7-2-5");
}

TEST(GtidPositionTest, AnyOtherTextIsNone) {
  for (const char* text : {"0", "0-1", "0-1-", "0-1-1,", ",0-1-1", "0-1-1,0-1-2", "0-1-1 ", " 0-1-1", "a-1-1",
                           "-0-1-1", "0-1--1", "0-1-18446744073709551616", "4294967296-1-1", "0-1-1;"})
    EXPECT_FALSE(GtidPosition::Parse(text)) << text;
}

TEST(GtidPositionTest, WhoIsFurtherInEachDomainCoversTheOther) {
  EXPECT_TRUE(At("0-1-100").Covers(At("0-2-100"))) << "whichever server wrote it";
  EXPECT_TRUE(At("0-1-100").Covers(At("")));
  EXPECT_FALSE(At("").Covers(At("0-1-1")));
  EXPECT_FALSE(At("0-1-100").Covers(At("0-1-101")));
  EXPECT_FALSE(At("0-1-100").Covers(At("0-1-9,1-1-1")));
  EXPECT_EQ(At("0-1-100,1-1-7").Beyond(At("0-1-98")), 9u);
  EXPECT_EQ(At("0-1-98").Beyond(At("0-1-100,1-1-7")), 0u);
}

TEST(GtidPositionTest, TwoPositionsTogetherHaveTheLaterOfEachDomain) {
  EXPECT_EQ(At("0-1-100,1-1-7").MergedWith(At("0-2-101,1-1-3,2-9-9")), At("0-2-101,1-1-7,2-9-9"));
}

}  // namespace
}  // namespace tradewind::mariadb
