// Answers as MariaDB 10.11.19 gave them, byte for byte.
#include "mysql/answer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mysql/fields.h"
#include "mysql/packet.h"
#include "mysql/test_bytes.h"

namespace tradewind::mysql {
namespace {

constexpr Capabilities kClassic = capability::kProtocol41 | capability::kMultiResults;
constexpr Capabilities kModern = kClassic | capability::kDeprecateEof | capability::kSessionTrack;
constexpr Capabilities kCaching = kModern | capability::kCacheMetadata | capability::kExtendedMetadata;

// SELECT id, name FROM t: (1, "one"), (2, "two"), (3, NULL).
const std::string kRowsClassic = FromHex(
    "010000010220000002036465660473686f70017401740269640269640c3f000b0000000303420000002400000303646566047368"
    "6f700174"
    "0174046e616d65046e616d650c2d00a0000000fd000000000005000004fe00002200060000050131036f6e650600000601320374"
    "776f0300"
    "00070133fb05000008fe00002200");
const std::string kRowsModern = FromHex(
    "010000010220000002036465660473686f70017401740269640269640c3f000b0000000303420000002400000303646566047368"
    "6f700174"
    "0174046e616d65046e616d650c2d00a0000000fd0000000000060000040131036f6e650600000501320374776f030000060133fb"
    "07000007"
    "fe000022000000");
// SELECT 1; SELECT 2.
const std::string kTwoClassic = FromHex(
    "010000010117000002036465660000000131000c3f000100000003810000000005000003fe00000b8002000004013105000005fe"
    "00000b80"
    "010000060117000007036465660000000132000c3f000100000003810000000005000008fe000003800200000901320500000afe"
    "00000380");
const std::string kTwoModern = FromHex(
    "010000010117000002036465660000000131000c3f000100000003810000000002000003013107000004fe00000b800000010000"
    "05011700"
    "0006036465660000000132000c3f000100000003810000000002000007013207000008fe000003800000");
// BEGIN; SELECT 1; NONSENSE (the message cut short).
const std::string kThenError = FromHex(
    "070000010000000b000000010000020117000003036465660000000131000c3f0001000000038100000000020000040131070000"
    "05fe0000"
    "0b0000000c000006ff2804233432303030596f75");
const std::string kNothingButError = FromHex("0c000001ff2804233432303030596f75");
// Prepare: SELECT id, name FROM t WHERE id<? OR name=?.
const std::string kPreparedClassic = FromHex(
    "0c0000010001000000020002000000001700000203646566000000013f000c3f0000000000068000000000170000030364656600"
    "0000013f"
    "000c3f000000000006800000000005000004fe0000028020000005036465660473686f70017401740269640269640c3f000b0000"
    "00030342"
    "00000024000006036465660473686f7001740174046e616d65046e616d650c2d00a0000000fd000000000005000007fe0000028"
    "0");
const std::string kPreparedModern = FromHex(
    "0c0000010001000000020002000000001700000203646566000000013f000c3f0000000000068000000000170000030364656600"
    "0000013f"
    "000c3f000000000006800000000020000004036465660473686f70017401740269640269640c3f000b0000000303420000002400"
    "00050364"
    "65660473686f7001740174046e616d65046e616d650c2d00a0000000fd0000000000");
const std::string kPreparedNothing = FromHex("0c000001000200000000000000000000");
const std::string kCursorClassic = FromHex(
    "010000010220000002036465660473686f70017401740269640269640c3f000b0000000301000000002400000303646566047368"
    "6f700174"
    "0174046e616d65046e616d650c2d00a0000000fd000000000005000004fe00006280");
const std::string kCursorModern = FromHex(
    "010000010220000002036465660473686f70017401740269640269640c3f000b0000000301000000002400000303646566047368"
    "6f700174"
    "0174046e616d65046e616d650c2d00a0000000fd000000000007000004fe000062800000");
// An execution whose client has the definitions already.
const std::string kCachedModern = FromHex("0200000102000a000002000001000000036f6e6507000003fe000022800000");
const std::string kCachedClassic =
    FromHex("02000001020005000002fe000022000a000003000001000000036f6e6505000004fe00002200");
const std::string kFieldListClassic = FromHex(
    "22000001036465660473686f70017401740269640269640c3f000b000000030342000000013025000002036465660473686f7001"
    "74017404"
    "6e616d65046e616d650c2d00a0000000fd0000000000fb05000003fe00000280");
// A procedure that selects twice and starts a transaction.
const std::string kCall = FromHex(
    "010000010117000002036465660000000131000c3f000100000003810000000002000003013107000004fe00000a000000010000"
    "05011700"
    "0006036465660000000132000c3f000100000003810000000002000007013207000008fe00000b00000007000009000000030000"
    "00");

struct Sample {
  const char* name;
  AnswerKind kind;
  Capabilities capabilities;
  const std::string& bytes;
};
const Sample kSamples[] = {
    {"rows, classic", AnswerKind::kResults, kClassic, kRowsClassic},
    {"rows", AnswerKind::kResults, kModern, kRowsModern},
    {"two results, classic", AnswerKind::kResults, kClassic, kTwoClassic},
    {"two results", AnswerKind::kResults, kModern, kTwoModern},
    {"an error behind results", AnswerKind::kResults, kModern, kThenError},
    {"an error", AnswerKind::kResults, kModern, kNothingButError},
    {"a preparation, classic", AnswerKind::kPreparation, kClassic, kPreparedClassic},
    {"a preparation", AnswerKind::kPreparation, kModern, kPreparedModern},
    {"a preparation of what has no result", AnswerKind::kPreparation, kModern, kPreparedNothing},
    {"a preparation that failed", AnswerKind::kPreparation, kModern, kNothingButError},
    {"a cursor, classic", AnswerKind::kResults, kClassic, kCursorClassic},
    {"a cursor", AnswerKind::kResults, kModern, kCursorModern},
    {"rows without definitions", AnswerKind::kResults, kCaching, kCachedModern},
    {"rows without definitions, classic", AnswerKind::kResults, kClassic | capability::kCacheMetadata,
     kCachedClassic},
    {"fields, classic", AnswerKind::kDefinitions, kClassic, kFieldListClassic},
    {"a call", AnswerKind::kResults, kModern, kCall},
};

Answer Follow(AnswerKind kind, Capabilities capabilities, std::string_view bytes, size_t part = 1'000'000) {
  Answer answer(kind, capabilities);
  std::string copy(bytes);
  std::span<char> left(copy);
  while (!left.empty() && !answer.over()) {
    const auto taken = answer.Take(left.first(std::min(part, left.size())));
    EXPECT_TRUE(taken) << Describe(taken.error());
    if (!taken) break;
    left = left.subspan(*taken);
  }
  return answer;
}

TEST(AnswerTest, EndsWhereTheServerEndedWhateverThePartsItComesIn) {
  for (const Sample& sample : kSamples) {
    for (const size_t part : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{64}, sample.bytes.size()}) {
      SCOPED_TRACE(sample.name);
      Answer answer(sample.kind, sample.capabilities);
      std::string bytes = sample.bytes + "of the next";
      size_t at = 0;
      while (!answer.over() && at < bytes.size()) {
        const auto taken = answer.Take(std::span(bytes).subspan(at, std::min(part, bytes.size() - at)));
        ASSERT_TRUE(taken) << Describe(taken.error());
        at += *taken;
        ASSERT_EQ(answer.over(), at >= sample.bytes.size()) << "after " << at << " bytes";
      }
      EXPECT_TRUE(answer.over());
      EXPECT_EQ(at, sample.bytes.size());
      EXPECT_EQ(bytes, sample.bytes + "of the next");
    }
  }
}

class RowTexts final : public Answer::RowPieces {
 public:
  void OnRowPiece(std::string_view piece, bool ends) override {
    text_ += piece;
    if (ends) rows.push_back(std::exchange(text_, ""));
  }
  std::vector<std::string> rows;

 private:
  std::string text_;
};

TEST(AnswerTest, RowsComeInPiecesOfWhateverHasCome) {
  for (const auto& [capabilities, sent] : {std::pair(kClassic, kRowsClassic), {kModern, kRowsModern}})
    for (const size_t part : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, sent.size()}) {
      Answer answer(AnswerKind::kResults, capabilities);
      RowTexts read;
      answer.SetRowPieces(&read);
      std::string bytes = sent;
      for (size_t at = 0; at < bytes.size();) {
        const auto taken = answer.Take(std::span(bytes).subspan(at, std::min(part, bytes.size() - at)));
        ASSERT_TRUE(taken);
        at += *taken;
      }
      EXPECT_EQ(read.rows, (std::vector<std::string>{"\0011\003one", "\0012\003two", "\0013\xfb"}));
    }
}

// What ends them begins as a row may.
TEST(AnswerTest, ARowOfManyFramesComesWholeAndAnErrorIsNoRow) {
  std::string bytes = kRowsModern.substr(0, kRowsModern.find(FromHex("0600000401")));
  uint8_t sequence = 4;
  const std::string row = "\xfe" + std::string(kLongestFrame - 1, 'x');  // The frame behind it is empty.
  AppendPacket(bytes, row, sequence);
  AppendPacket(bytes, FromHex("ff2804233432303030596f75"), sequence);
  Answer answer(AnswerKind::kResults, kModern);
  RowTexts read;
  answer.SetRowPieces(&read);
  const auto taken = answer.Take(bytes);
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, bytes.size());
  ASSERT_EQ(read.rows.size(), 1u);
  EXPECT_TRUE(read.rows[0] == row);
  EXPECT_EQ(answer.error().value().number, 1064);
}

TEST(AnswerTest, StatusSaysWhetherATransactionIsOpen) {
  EXPECT_EQ(Follow(AnswerKind::kResults, kModern, FromHex("0700000100000003800000")).status(), 0x8003);
  EXPECT_EQ(Follow(AnswerKind::kResults, kModern, kCall).status(), 0x0003);
  EXPECT_EQ(Follow(AnswerKind::kResults, kClassic, kRowsClassic).status(), 0x0022);
  EXPECT_EQ(Follow(AnswerKind::kResults, kModern, kCursorModern).status(), 0x8062);
}

TEST(AnswerTest, StatusIsUnknownAfterAnError) {
  const Answer answer = Follow(AnswerKind::kResults, kModern, kThenError);
  EXPECT_FALSE(answer.status());
  ASSERT_TRUE(answer.error());
  EXPECT_EQ(answer.error()->number, 1064);
  EXPECT_EQ(answer.error()->state, "42000");
}

TEST(AnswerTest, OkSaysWhatAnInsertDid) {
  const Answer answer = Follow(AnswerKind::kResults, kModern, FromHex("0700000100010503800000"));
  EXPECT_EQ(answer.affected_rows(), 1u);
  EXPECT_EQ(answer.last_insert_id(), 5u);
}

TEST(AnswerTest, ChangesOfTheSessionAreListed) {
  const Answer answer = Follow(AnswerKind::kOk, kModern, FromHex("1000000100000002c00000000701050473686f70"));
  ASSERT_EQ(answer.changes().size(), 1u);
  EXPECT_EQ(answer.changes()[0].what, SessionChange::What::kSchema);
  EXPECT_EQ(answer.changes()[0].value, "shop");
}

TEST(AnswerTest, ClientIsShownAnotherIdOfAPreparedStatement) {
  for (const size_t part : {size_t{1}, size_t{6}, size_t{1'000}}) {
    Answer answer(AnswerKind::kPreparation, kModern, 0x0a0b0c0d);
    std::string bytes = kPreparedModern;
    for (size_t at = 0; at < bytes.size();)
      at += answer.Take(std::span(bytes).subspan(at, std::min(part, bytes.size() - at))).value();
    ASSERT_TRUE(answer.over() && answer.prepared());
    EXPECT_EQ(answer.prepared()->statement, 1u);
    EXPECT_EQ(answer.prepared()->columns, 2);
    EXPECT_EQ(answer.prepared()->parameters, 2);
    EXPECT_EQ(bytes.substr(5, 4), FromHex("0d0c0b0a"));
    EXPECT_EQ(bytes.substr(9), kPreparedModern.substr(9));
    EXPECT_EQ(bytes.substr(0, 5), kPreparedModern.substr(0, 5));
  }
}

TEST(AnswerTest, RowsOfAFetchEndWithTheirEof) {
  const Answer more =
      Follow(AnswerKind::kRows, kClassic, FromHex("0a000001000001000000036f6e6505000002fe00004280"));
  EXPECT_TRUE(more.over());
  EXPECT_FALSE(*more.status() & status::kLastRowSent);
  const Answer last =
      Follow(AnswerKind::kRows, kModern,
             FromHex("0a0000010000020000000374776f0600000200080300000007000003fe000082800000"));
  EXPECT_TRUE(last.over());
  EXPECT_TRUE(*last.status() & status::kLastRowSent);
}

TEST(AnswerTest, AnswersOfOnePacketEndWithIt) {
  for (const auto& [capabilities, bytes] : {std::pair{kClassic, FromHex("05000001fe00000280")},
                                            {kModern, FromHex("07000001fe000002800000")},
                                            {kModern, FromHex("0700000100000002000000")}}) {
    const Answer answer = Follow(AnswerKind::kOk, capabilities, bytes);
    EXPECT_TRUE(answer.over());
    EXPECT_TRUE(answer.status());
  }
  EXPECT_TRUE(Follow(AnswerKind::kText, kModern, FromHex("08000001557074696d653a20")).over());
  EXPECT_TRUE(Answer(AnswerKind::kNone, kModern).over());
}

// A text of 16 MiB or more in the first column begins with 0xfe, too.
TEST(AnswerTest, LongFirstColumnIsNoEndOfRows) {
  for (const Capabilities capabilities : {kClassic, kModern}) {
    std::string text;
    AddLengthEncodedText(text, std::string(17u << 20, 'x'));
    std::string bytes = FromHex("0100000101 17000002036465660000000131000c3f0001000000038100000000");
    uint8_t sequence = 3;
    if (capabilities == kClassic) AppendPacket(bytes, FromHex("fe00000200"), sequence);
    AppendPacket(bytes, text, sequence);
    const size_t before_end = bytes.size();
    AppendPacket(bytes, capabilities == kClassic ? FromHex("fe00000200") : FromHex("fe000002000000"),
                 sequence);
    Answer answer(AnswerKind::kResults, capabilities);
    EXPECT_EQ(answer.Take(std::span(bytes).first(before_end)).value(), before_end);
    EXPECT_FALSE(answer.over());
    EXPECT_EQ(answer.Take(std::span(bytes).subspan(before_end)).value(), bytes.size() - before_end);
    EXPECT_TRUE(answer.over());
    EXPECT_EQ(answer.next_sequence(), sequence);
  }
}

TEST(AnswerTest, RequestForAFileOfTheClientIsRefused) {
  std::string bytes = FromHex("0c000001fb2f6574632f706173737764");
  Answer answer(AnswerKind::kResults, kClassic);
  EXPECT_EQ(answer.Take(bytes).error().code, "MYSQL_LOCAL_INFILE");
}

TEST(AnswerTest, BytesThatAreNoAnswerAreAnError) {
  for (const char* hex :
       {"00000001", "0100000100", "02000001fe00", "0100000100", "03000001fc0000", "04000001 ff280423"}) {
    std::string bytes = FromHex(hex);
    Answer answer(AnswerKind::kResults, kModern);
    EXPECT_FALSE(answer.Take(bytes)) << hex;
  }
}

// An OK with more of what has changed than is kept still says how the session stands.
TEST(AnswerTest, LongOkHasItsStatus) {
  std::string change;
  AddLengthEncodedText(change, "x");
  AddLengthEncodedText(change, std::string(100'000, 'v'));
  std::string changes(1, '\0');
  AddLengthEncodedText(changes, change);
  std::string payload = FromHex("0000000340000000");
  AddLengthEncodedText(payload, changes);
  std::string bytes;
  uint8_t sequence = 1;
  AppendPacket(bytes, payload, sequence);
  const Answer answer = Follow(AnswerKind::kOk, kModern, bytes, 1'000);
  EXPECT_TRUE(answer.over());
  EXPECT_EQ(answer.status(), 0x4003);
  EXPECT_FALSE(answer.changes_complete());
}

TEST(AnswerTest, OfManyChangesNoMoreIsKeptThanOfOne) {
  std::string change;
  AddLengthEncodedText(change, "name");
  AddLengthEncodedText(change, std::string(10'000, 'v'));
  std::string changes(1, '\0');
  AddLengthEncodedText(changes, change);
  std::string payload = FromHex("000000");
  AddInteger(payload, status::kMoreResults | status::kSessionStateChanged, 2);
  payload += FromHex("000000");
  AddLengthEncodedText(payload, changes);
  Answer answer(AnswerKind::kResults, kModern);
  uint8_t sequence = 1;
  for (int results = 0; results < 100; ++results) {
    std::string bytes;
    AppendPacket(bytes, payload, sequence);
    ASSERT_TRUE(answer.Take(bytes));
  }
  EXPECT_FALSE(answer.changes_complete());
  EXPECT_LT(answer.changes().size(), 10u);
  EXPECT_FALSE(answer.over());
}

}  // namespace
}  // namespace tradewind::mysql
