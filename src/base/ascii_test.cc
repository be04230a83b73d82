#include "base/ascii.h"

#include <gtest/gtest.h>

namespace tradewind {
namespace {

TEST(Ascii, ComparesLettersWithoutCase) {
  EXPECT_TRUE(EqualsIgnoringCase("VaCuUm", "VACUUM"));
  EXPECT_TRUE(EqualsIgnoringCase("", ""));
  EXPECT_FALSE(EqualsIgnoringCase("VACUUMS", "VACUUM"));
  EXPECT_FALSE(EqualsIgnoringCase("VACUUM", "VACUUMS"));
}

TEST(Ascii, LeavesEverythingButLettersAlone) {
  EXPECT_EQ(LowerCase("AZaz@[`{09\xc3\x84"), "azaz@[`{09\xc3\x84");
  EXPECT_FALSE(EqualsIgnoringCase("@", "`"));
}

TEST(Ascii, HasNoBlanksAtItsEndsOnceTrimmed) {
  EXPECT_EQ(Trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(Trimmed(" \n"), "");
  EXPECT_EQ(Trimmed(""), "");
}

}  // namespace
}  // namespace tradewind
