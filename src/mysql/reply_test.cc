#include "mysql/reply.h"

#include <gtest/gtest.h>

#include <string>

#include "mysql/test_bytes.h"

namespace tradewind::mysql {
namespace {

constexpr Capabilities kPlain = capability::kProtocol41;
constexpr Capabilities kTracking = kPlain | capability::kSessionTrack | capability::kDeprecateEof;

TEST(ReplyTest, OkSaysWhatAnInsertDid) {
  const auto ok = ParseOk(FromHex("00 01 04 0380 0000"), kPlain);
  ASSERT_TRUE(ok);
  EXPECT_EQ(ok->affected_rows, 1u);
  EXPECT_EQ(ok->last_insert_id, 4u);
  EXPECT_TRUE(ok->status & status::kInTransaction);
  EXPECT_TRUE(ok->changes.empty());
}

TEST(ReplyTest, OkOfUseNamesTheSchema) {
  const auto ok = ParseOk(FromHex("00000002c0000000080106056d7973716c"), kTracking);
  ASSERT_TRUE(ok);
  ASSERT_EQ(ok->changes.size(), 1u);
  EXPECT_EQ(ok->changes[0].what, SessionChange::What::kSchema);
  EXPECT_EQ(ok->changes[0].value, "mysql");
}

TEST(ReplyTest, OkOfSetNamesListsEachVariable) {
  const auto ok = ParseOk(FromHex("000000024000000062001c146368617261637465725f7365745f636c69656e74066c617469"
                                  "6e31002018636861726163746572"
                                  "5f7365745f636f6e6e656374696f6e066c6174696e31001d156368617261637465725f7365"
                                  "745f726573756c7473066c617469"
                                  "6e31020131"),
                          kTracking);
  ASSERT_TRUE(ok) << Describe(ok.error());
  ASSERT_EQ(ok->changes.size(), 4u);
  EXPECT_EQ(ok->changes[1].name, "character_set_connection");
  EXPECT_EQ(ok->changes[1].value, "latin1");
  EXPECT_EQ(ok->changes[3].what, SessionChange::What::kState);
}

TEST(ReplyTest, InfoOfABulkInsertIsText) {
  const auto ok = ParseOk(
      FromHex("00020803000000265265636f7264733a203220204475706c6963617465733a203020205761726e696e67733a2030"),
      kTracking);
  ASSERT_TRUE(ok);
  EXPECT_EQ(ok->info, "Records: 2  Duplicates: 0  Warnings: 0");
}

TEST(ReplyTest, EofIsAnOkOnceBothSidesWantThat) {
  EXPECT_EQ(ParseEof(FromHex("fe00002200"), kPlain)->status, 0x0022);
  EXPECT_EQ(ParseEof(FromHex("fe000022000000"), kTracking)->status, 0x0022);
  EXPECT_FALSE(ParseEof(FromHex("fe0000"), kPlain));
}

TEST(ReplyTest, ErrorHasNumberStateAndMessage) {
  const auto error = ParseError(FromHex("ff1704233038533031556e6b6e6f776e20636f6d6d616e64"));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->number, 1047);
  EXPECT_EQ(error->state, "08S01");
  EXPECT_EQ(error->message, "Unknown command");
  EXPECT_EQ(EncodeError(*error), FromHex("ff1704233038533031556e6b6e6f776e20636f6d6d616e64"));
  EXPECT_EQ(ToError(*error).code, "MYSQL_1047");
  EXPECT_EQ(ToErrorPacket(ToError(*error)).number, 1047);
  EXPECT_EQ(ToErrorPacket({ErrorKind::kIo, "MYSQL_CONNECTION_ENDED", "", ""}).number, 0);
  EXPECT_EQ(ToErrorPacket({ErrorKind::kIo, "READ_TIMEOUT", "", ""}).number, 0);
}

TEST(ReplyTest, OkIsReadAsItWasWritten) {
  OkPacket ok{300, 70'000, status::kInTransaction, 2, "a text"};
  for (const Capabilities capabilities : {kPlain, kTracking}) {
    const auto read = ParseOk(EncodeOk(ok, capabilities), capabilities);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->affected_rows, 300u);
    EXPECT_EQ(read->last_insert_id, 70'000u);
    EXPECT_EQ(read->warnings, 2);
    EXPECT_EQ(read->info, "a text");
  }
}

TEST(ReplyTest, TruncatedPacketsAreErrors) {
  const std::string whole = FromHex("00000002c0000000080106056d7973716c");
  // The seven bytes of an OK alone have nothing behind them, but this one says that it has.
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(ParseOk(whole.substr(0, size), kTracking).has_value(), size == 7) << size;
  for (size_t size = 0; size < 3; ++size) EXPECT_FALSE(ParseError(FromHex("ff1704").substr(0, size)));
}

}  // namespace
}  // namespace tradewind::mysql
