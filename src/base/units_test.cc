#include "base/units.h"

#include <gtest/gtest.h>

namespace tradewind {
namespace {

using namespace std::chrono_literals;

TEST(Units, DurationsTakeAUnitAndAFraction) {
  EXPECT_EQ(ParseDuration("5ms").value(), 5ms);
  EXPECT_EQ(ParseDuration("2s").value(), 2s);
  EXPECT_EQ(ParseDuration("1.5 s").value(), 1500ms);
  EXPECT_EQ(ParseDuration("250us").value(), 250us);
  EXPECT_EQ(ParseDuration("2m").value(), 2min);
  EXPECT_EQ(ParseDuration("30d").value(), 720h);
  EXPECT_EQ(ParseDuration("1h").value(), 1h);
  EXPECT_EQ(ParseDuration("0").value(), 0s);
}

TEST(Units, SizesCountInThousandsUnlessTheUnitSaysOtherwise) {
  EXPECT_EQ(ParseSize("64MB").value(), 64'000'000u);
  EXPECT_EQ(ParseSize("64MiB").value(), 64u << 20);
  EXPECT_EQ(ParseSize("4096B").value(), 4096u);
  EXPECT_EQ(ParseSize("1.5gb").value(), 1'500'000'000u);
  EXPECT_EQ(ParseSize("3KB").value(), 3'000u);
}

TEST(Units, RatesAreSizesASecond) {
  EXPECT_EQ(ParseRate("50MB/s").value(), 50'000'000u);
  EXPECT_EQ(ParseRate("512 kB/s").value(), 512'000u);
}

TEST(Units, PercentsAreWholeNumbersUpToAHundred) {
  EXPECT_EQ(ParsePercent("50%").value(), 50u);
  EXPECT_EQ(ParsePercent("100").value(), 100u);
  for (const char* text : {"", "%", "-1%", "101%", "5.5%", "50 %", "50%%", "a"})
    EXPECT_FALSE(ParsePercent(text)) << text;
}

TEST(Units, DurationsInMillisecondsAreWholeAndNoneBecomesNothing) {
  EXPECT_EQ(ParseMilliseconds("250ms").value(), 250u);
  EXPECT_EQ(ParseMilliseconds("2 s").value(), 2'000u);
  EXPECT_EQ(ParseMilliseconds("1.9ms").value(), 1u);
  EXPECT_EQ(ParseMilliseconds("999us").value(), 1u);
  EXPECT_EQ(ParseMilliseconds("0.001us").value(), 1u);
  EXPECT_EQ(ParseMilliseconds("0").value(), 0u);
  EXPECT_EQ(ParseMilliseconds("0s").value(), 0u);
  const auto bare = ParseMilliseconds("250");
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error().message, "\"250\" is not a duration");
}

TEST(Units, WhatIsNoQuantityIsRefusedWithAnExample) {
  for (const char* text : {"", "ms", "5", "5 parsecs", "-5ms", "-0s", "5ms ", "5  ms", "inf s", "nan s",
                           "0x5ms", "1e3ms", "5MS"})
    EXPECT_FALSE(ParseDuration(text)) << text;
  for (const char* text : {"64", "64M", "-1B", "MB", "99999999TB", "5ms"})
    EXPECT_FALSE(ParseSize(text)) << text;
  for (const char* text : {"50MB", "50MB/m", "/s", "0MB/s", "50/s"}) EXPECT_FALSE(ParseRate(text)) << text;

  const Error error = ParseRate("fast").error();
  EXPECT_EQ(error.kind, ErrorKind::kInvalid);
  EXPECT_EQ(error.message, "\"fast\" is not a rate");
  EXPECT_NE(error.action.find("50MB/s"), std::string::npos);
}

TEST(Units, SizesArePrintedInTheLargestUnitThatFits) {
  EXPECT_EQ(FormatSize(0), "0 B");
  EXPECT_EQ(FormatSize(999), "999 B");
  EXPECT_EQ(FormatSize(1000), "1.0 kB");
  EXPECT_EQ(FormatSize(999'999), "1.0 MB");
  EXPECT_EQ(FormatSize(300'000'000), "300.0 MB");
  EXPECT_EQ(FormatRate(50'000'000), "50.0 MB/s");
}

TEST(Units, DurationsArePrintedInTheUnitThatKeepsThemShort) {
  EXPECT_EQ(FormatDuration(850us), "850 us");
  EXPECT_EQ(FormatDuration(4200us), "4.2 ms");
  EXPECT_EQ(FormatDuration(180ms), "180 ms");
  EXPECT_EQ(FormatDuration(1350ms), "1.35 s");
  EXPECT_EQ(FormatDuration(125s), "2 m 05 s");
  EXPECT_EQ(FormatDuration(2h + 3min), "2 h 03 m");
}

}  // namespace
}  // namespace tradewind
