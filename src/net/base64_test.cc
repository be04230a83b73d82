#include "net/base64.h"

#include <gtest/gtest.h>

namespace tradewind::net {
namespace {

TEST(Base64, IsWrittenWithoutPadding) {
  EXPECT_EQ(EncodeBase64(""), "");
  EXPECT_EQ(EncodeBase64("f"), "Zg");
  EXPECT_EQ(EncodeBase64("fo"), "Zm8");
  EXPECT_EQ(EncodeBase64("foo"), "Zm9v");
  EXPECT_EQ(EncodeBase64("foob"), "Zm9vYg");
  EXPECT_EQ(EncodeBase64(std::string_view("\0\xff\x80", 3)), "AP+A");
}

TEST(Base64, IsReadWithAndWithoutPadding) {
  EXPECT_EQ(DecodeBase64(""), "");
  EXPECT_EQ(DecodeBase64("Zg"), "f");
  EXPECT_EQ(DecodeBase64("Zg=="), "f");
  EXPECT_EQ(DecodeBase64("Zm8"), "fo");
  EXPECT_EQ(DecodeBase64("Zm8="), "fo");
  EXPECT_EQ(DecodeBase64("AP+A"), std::string("\0\xff\x80", 3));
}

TEST(Base64, ThatIsBrokenIsRefused) {
  for (const char* text : {"Z", "Zg=", "Zg===", "=", "====", "Z===", "Zm 9", "Zm9v\n", "Zm-_", "Z=g="})
    EXPECT_FALSE(DecodeBase64(text)) << text;
}

TEST(Base64, BringsBackEveryByteAtEveryPlace) {
  for (size_t size = 0; size < 40; ++size) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 37 + size * 11);
    EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
  }
}

}  // namespace
}  // namespace tradewind::net
