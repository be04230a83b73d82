#include "mysql/fields.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "mysql/test_bytes.h"

namespace tradewind::mysql {
namespace {

TEST(FieldsTest, LengthEncodedIntegersAreReadAsTheyWereWritten) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{250}, uint64_t{251}, uint64_t{0xffff}, uint64_t{0x10000},
                               uint64_t{0xffffff}, uint64_t{0x1000000}, ~uint64_t{0}}) {
    std::string payload;
    AddLengthEncoded(payload, value);
    FieldReader reader(payload);
    EXPECT_EQ(reader.LengthEncoded(), value);
    EXPECT_TRUE(reader.ok() && reader.empty()) << value;
  }
}

TEST(FieldsTest, LengthEncodedIntegersHaveTheSizesOfTheProtocol) {
  const auto encoded = [](uint64_t value) {
    std::string payload;
    AddLengthEncoded(payload, value);
    return payload;
  };
  EXPECT_EQ(encoded(250), FromHex("fa"));
  EXPECT_EQ(encoded(251), FromHex("fc fb00"));
  EXPECT_EQ(encoded(0x10000), FromHex("fd 000001"));
  EXPECT_EQ(encoded(0x1000000), FromHex("fe 0000000100000000"));
}

TEST(FieldsTest, ReadPastTheEndFailsAndEverythingAfterItIsEmpty) {
  FieldReader reader(
      "\x05"
      "abc");
  EXPECT_EQ(reader.LengthEncodedText(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.Word(), 0u);
  EXPECT_EQ(reader.Rest(), "");
  EXPECT_EQ(reader.Check("a test").error().code, "MYSQL_PACKET_MALFORMED");
}

TEST(FieldsTest, NullAndErrorAreNoLengths) {
  for (const std::string payload : {"\xfb"
                                    "12345678",
                                    "\xff"
                                    "12345678"}) {
    FieldReader reader(payload);
    reader.LengthEncoded();
    EXPECT_FALSE(reader.ok());
  }
}

TEST(FieldsTest, TextWithoutItsZeroFails) {
  FieldReader reader("abc");
  EXPECT_EQ(reader.ZeroEndedText(), "");
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace tradewind::mysql
