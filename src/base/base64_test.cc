#include "base/base64.h"

#include <gtest/gtest.h>

namespace tradewind {
namespace {

TEST(Base64, IsWrittenWithoutPadding) {
  EXPECT_EQ(EncodeBase64(Base64::kStandard, ""), "");
  EXPECT_EQ(EncodeBase64(Base64::kStandard, "f"), "Zg");
  EXPECT_EQ(EncodeBase64(Base64::kStandard, "fo"), "Zm8");
  EXPECT_EQ(EncodeBase64(Base64::kStandard, "foo"), "Zm9v");
  EXPECT_EQ(EncodeBase64(Base64::kStandard, "foob"), "Zm9vYg");
  EXPECT_EQ(EncodeBase64(Base64::kStandard, std::string_view("\0\xff\x80", 3)), "AP+A");
}

TEST(Base64, IsReadWithAndWithoutPadding) {
  EXPECT_EQ(DecodeBase64(Base64::kStandard, ""), "");
  EXPECT_EQ(DecodeBase64(Base64::kStandard, "Zg"), "f");
  EXPECT_EQ(DecodeBase64(Base64::kStandard, "Zg=="), "f");
  EXPECT_EQ(DecodeBase64(Base64::kStandard, "Zm8"), "fo");
  EXPECT_EQ(DecodeBase64(Base64::kStandard, "Zm8="), "fo");
  EXPECT_EQ(DecodeBase64(Base64::kStandard, "AP+A"), std::string("\0\xff\x80", 3));
}

TEST(Base64, ThatIsBrokenIsRefused) {
  for (const char* text : {"Z", "Zg=", "Zg===", "=", "====", "Z===", "Zm 9", "Zm9v\n", "Zm-_", "Z=g="})
    EXPECT_FALSE(DecodeBase64(Base64::kStandard, text)) << text;
}

TEST(Base64, BringsBackEveryByteAtEveryPlace) {
  for (size_t size = 0; size < 40; ++size) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 37 + size * 11);
    for (const Base64 alphabet : {Base64::kStandard, Base64::kUrl})
      EXPECT_EQ(DecodeBase64(alphabet, EncodeBase64(alphabet, bytes)), bytes);
  }
}

TEST(Base64, ForUrlsHasAnAlphabetOfItsOwn) {
  EXPECT_EQ(EncodeBase64(Base64::kUrl, std::string_view("\xfb\xff", 2)), "-_8");
  EXPECT_EQ(EncodeBase64(Base64::kStandard, std::string_view("\xfb\xff", 2)), "+/8");
  EXPECT_EQ(DecodeBase64(Base64::kUrl, "-_8"), "\xfb\xff");
  EXPECT_FALSE(DecodeBase64(Base64::kUrl, "+/8"));
}

TEST(Base64, ForUrlsHasOneTextForTheSameBytes) {
  for (const char* text : {"Zh", "Zg==", "Zm9", "Zm8="})
    EXPECT_FALSE(DecodeBase64(Base64::kUrl, text)) << text;
  EXPECT_EQ(DecodeBase64(Base64::kUrl, "Zg"), "f");
  EXPECT_EQ(DecodeBase64(Base64::kUrl, "Zm8"), "fo");
}

}  // namespace
}  // namespace tradewind
