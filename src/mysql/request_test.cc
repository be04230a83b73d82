#include "mysql/request.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "mysql/test_bytes.h"

namespace tradewind::mysql {
namespace {

std::string Framed(std::string_view payload) {
  std::string bytes;
  uint8_t sequence = 0;
  AppendPacket(bytes, payload, sequence);
  return bytes;
}

class RequestTest : public testing::Test {
 protected:
  // Gives the request in parts, and returns what the server gets.
  std::string Pass(Request& request, std::string_view bytes, size_t part) {
    std::string for_server;
    while (!bytes.empty()) {
      const size_t taken = request.Take(bytes.substr(0, part));
      if (taken == 0) break;
      bytes.remove_prefix(taken);
      if (request.fate() == Request::Fate::kRelayed) for_server += request.TakeFrames();
    }
    EXPECT_TRUE(request.complete());
    return for_server;
  }

  PreparedStatements statements_;
};

TEST_F(RequestTest, QueryPassesAsItCame) {
  const std::string bytes = Framed("\3SELECT 1");
  for (size_t part = 1; part <= bytes.size(); ++part) {
    Request request(statements_);
    EXPECT_EQ(Pass(request, bytes + "next", part), bytes);
    EXPECT_EQ(request.command(), Command::kQuery);
    EXPECT_EQ(request.answer_kind(), AnswerKind::kResults);
  }
}

TEST_F(RequestTest, LongQueryPassesWithoutBeingHeld) {
  const std::string bytes = Framed("\3" + std::string(40u << 20, 'x'));
  Request request(statements_);
  size_t at = 0;
  while (!request.complete()) {
    at += request.Take(std::string_view(bytes).substr(at, 10'000));
    EXPECT_EQ(request.fate(), Request::Fate::kRelayed);
    EXPECT_LE(request.TakeFrames().size(), 10'000u);
  }
  EXPECT_EQ(at, bytes.size());
}

TEST_F(RequestTest, TextIsSeenInPieces) {
  struct Seen : Request::TextReader {
    void OnText(std::string_view piece) override { text += piece; }
    std::string text;
  };
  const std::string bytes = Framed("\3SELECT 1");
  for (size_t part = 1; part <= bytes.size(); ++part) {
    Request request(statements_);
    Seen seen;
    request.SetTextReader(&seen);
    Pass(request, bytes, part);
    EXPECT_EQ(seen.text, "SELECT 1");
  }
}

TEST_F(RequestTest, ExecutionNamesTheServersStatement) {
  statements_.Add("SELECT ?", 0x01020304, 1);
  // Types, and the value 2.
  const std::string bytes = Framed(FromHex("17 01000000 00 01000000 00 01 0300 02000000"));
  for (size_t part = 1; part <= bytes.size(); ++part) {
    Request request(statements_);
    EXPECT_EQ(Pass(request, bytes, part), Framed(FromHex("17 04030201 00 01000000 00 01 0300 02000000")));
    EXPECT_EQ(request.statement(), 1u);
    EXPECT_EQ(statements_.Find(1)->types, FromHex("0300"));
  }
}

TEST_F(RequestTest, FirstExecutionAtAnotherServerBringsTheTypes) {
  statements_.Add("SELECT ?", 7, 9);
  statements_.Find(1)->types = std::string(18, 't');
  statements_.MoveTo(1, 8);
  const std::string again = Framed(FromHex("17 01000000 00 01000000 0001 00") + "values");
  for (const size_t part : {size_t{1}, size_t{5}, size_t{1'000}}) {
    statements_.MoveTo(1, 8);
    Request first(statements_);
    EXPECT_EQ(Pass(first, again, part),
              Framed(FromHex("17 08000000 00 01000000 0001 01") + std::string(18, 't') + "values"));
    Request second(statements_);
    EXPECT_EQ(Pass(second, again, part), Framed(FromHex("17 08000000 00 01000000 0001 00") + "values"));
  }
}

TEST_F(RequestTest, ExecutionThatBringsItsTypesIsGivenNoOthers) {
  statements_.Add("SELECT ?", 7, 1);
  statements_.Find(1)->types = "tt";
  statements_.MoveTo(1, 8);
  Request request(statements_);
  EXPECT_EQ(Pass(request, Framed(FromHex("17 01000000 00 01000000 00 01 fe00 0161")), 100),
            Framed(FromHex("17 08000000 00 01000000 00 01 fe00 0161")));
  EXPECT_EQ(statements_.Find(1)->types, FromHex("fe00"));
}

TEST_F(RequestTest, BulkExecutionBringsTheTypesToo) {
  statements_.Add("INSERT INTO t VALUES (?)", 7, 1);
  Request first(statements_);
  Pass(first, Framed(FromHex("fa 01000000 8000 fe00 000161")), 1);
  EXPECT_EQ(statements_.Find(1)->types, FromHex("fe00"));
  statements_.MoveTo(1, 8);
  Request second(statements_);
  EXPECT_EQ(Pass(second, Framed(FromHex("fa 01000000 0000 000161")), 1),
            Framed(FromHex("fa 08000000 8000 fe00 000161")));
}

TEST_F(RequestTest, CursorsAndLongValuesAreNoted) {
  statements_.Add("SELECT ?", 7, 0);
  Request part_of_value(statements_);
  Pass(part_of_value, Framed(FromHex("18 01000000 0000 616263")), 100);
  EXPECT_EQ(part_of_value.answer_kind(), AnswerKind::kNone);
  EXPECT_TRUE(statements_.Find(1)->has_long_data);
  Request execution(statements_);
  Pass(execution, Framed(FromHex("17 01000000 01 01000000")), 100);
  EXPECT_TRUE(execution.wants_cursor());
  EXPECT_FALSE(statements_.Find(1)->has_long_data);
}

TEST_F(RequestTest, ClosedStatementIsUnknownAfterwards) {
  statements_.Add("SELECT 1", 7, 0);
  Request close(statements_);
  EXPECT_EQ(Pass(close, Framed(FromHex("19 01000000")), 100), Framed(FromHex("19 07000000")));
  EXPECT_EQ(statements_.Find(1), nullptr);
  Request again(statements_);
  again.Take(Framed(FromHex("19 01000000")));
  EXPECT_EQ(again.fate(), Request::Fate::kDropped);
  Request fetch(statements_);
  fetch.Take(Framed(FromHex("1c 01000000 01000000")));
  EXPECT_EQ(fetch.fate(), Request::Fate::kRefused);
  EXPECT_EQ(fetch.refusal().number, error_number::kUnknownStatement);
}

TEST_F(RequestTest, StatementPreparedLastIsExecutedBeforeItsIdIsKnown) {
  statements_.Add("SELECT 1", 7, 0);
  statements_.Add("SELECT 2", 9, 0);
  statements_.MoveTo(1, 20);
  statements_.MoveTo(2, 21);
  Request request(statements_);
  EXPECT_EQ(Pass(request, Framed(FromHex("17 ffffffff 00 01000000")), 100),
            Framed(FromHex("17 15000000 00 01000000")));
}

TEST_F(RequestTest, StatementThatItsServerRefusedIsAnsweredWithWhatThatSaid) {
  statements_.Add("SELECT * FROM gone", 7, 3);
  statements_.RefuseAt(1, {1146, "42S02", "Table 'shop.gone' doesn't exist"});
  Request execution(statements_);
  execution.Take(Framed(FromHex("17 01000000 00 01000000 00 00")));
  ASSERT_EQ(execution.fate(), Request::Fate::kRefused);
  EXPECT_EQ(execution.refusal().number, 1146);
  Request close(statements_);
  close.Take(Framed(FromHex("19 01000000")));
  EXPECT_EQ(close.fate(), Request::Fate::kDropped);
  EXPECT_EQ(statements_.Find(1), nullptr);
}

TEST_F(RequestTest, WhatIsNotPassedOnIsRefused) {
  for (const char* hex : {"", "12", "08", "15", "60", "00"}) {
    Request request(statements_);
    request.Take(Framed(FromHex(hex)));
    EXPECT_EQ(request.fate(), Request::Fate::kRefused) << hex;
    EXPECT_EQ(request.next_sequence(), 1);
  }
}

TEST_F(RequestTest, ShortNamesOfStatementsAreRefused) {
  for (const char* hex : {"17", "18010000", "19", "1a00", "1c", "fa"}) {
    Request request(statements_);
    request.Take(Framed(FromHex(hex)));
    EXPECT_EQ(request.fate(), Request::Fate::kRefused) << hex;
  }
}

TEST_F(RequestTest, PreparationTooLargeToBeKeptIsRefusedAndReadToItsEnd) {
  const std::string bytes = Framed("\x16" + std::string(20u << 20, 'x'));
  Request request(statements_);
  size_t at = 0;
  while (!request.complete()) at += request.Take(std::string_view(bytes).substr(at, 100'000));
  EXPECT_EQ(at, bytes.size());
  EXPECT_EQ(request.fate(), Request::Fate::kRefused);
  EXPECT_EQ(request.refusal().number, error_number::kPacketTooLarge);
}

TEST_F(RequestTest, PreparationIsHeldWhole) {
  const std::string bytes = Framed("\x16SELECT 1");
  for (size_t part = 1; part <= bytes.size(); ++part) {
    Request request(statements_);
    EXPECT_EQ(Pass(request, bytes, part), bytes);
    EXPECT_EQ(request.whole(), "\x16SELECT 1");
  }
}

TEST(PreparedStatementsTest, MoreThanIsKeptMakesTheSessionIncomplete) {
  PreparedStatements statements;
  statements.Add(std::string(10u << 20, 'x'), 1, 0);
  EXPECT_TRUE(statements.complete());
  statements.Add(std::string(10u << 20, 'x'), 2, 0);
  EXPECT_FALSE(statements.complete());
  statements.Remove(2);
  EXPECT_TRUE(statements.complete());
  statements.Add(std::string(10u << 20, 'x'), 3, 0);
  EXPECT_FALSE(statements.complete());
  statements.Clear();
  EXPECT_TRUE(statements.complete());
}

}  // namespace
}  // namespace tradewind::mysql
