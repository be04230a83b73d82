#include "slacker/messages.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "move/message_codec.h"

namespace tradewind::slacker {
namespace {

using Writer = move::MessageWriter;

move::EngineMessage MessageOf(uint8_t type, const std::function<void(Writer&)>& put) {
  Writer writer(Writer::Of::kPart);
  put(writer);
  return {static_cast<uint8_t>(move::kFirstEngineType + type), writer.Take()};
}

TEST(SlackerMessagesTest, AMessageIsReadWhole) {
  const auto begin = Decode(MessageOf(0, [](Writer& to) {
    to.Text("replica");
    to.Text("0123abc");
    to.Text("10.11.19");
    to.Number(uint8_t{1});
  }));
  ASSERT_TRUE(begin) << Describe(begin.error());
  EXPECT_EQ(std::get<Begin>(*begin).version, "10.11.19");
  EXPECT_TRUE(std::get<Begin>(*begin).compressed);
  EXPECT_EQ(std::get<Begin>(*begin).login.password, "0123abc");
  EXPECT_TRUE(Decode(MessageOf(4, [](Writer& to) { to.Number(uint8_t{2}); })));
  const auto reach = Decode(MessageOf(3, [](Writer& to) {
    to.Number(uint32_t{7});
    to.Number(uint8_t{1});
    to.Text("0-1-100");
  }));
  ASSERT_TRUE(reach) << Describe(reach.error());
  EXPECT_EQ(std::get<Reach>(*reach).round, 7u);
  EXPECT_TRUE(std::get<Reach>(*reach).durable);
  EXPECT_EQ(std::get<Reach>(*reach).position.ToString(), "0-1-100");
}

// A login goes into a statement.
TEST(SlackerMessagesTest, WhatMakesNoSenseIsRefused) {
  const std::vector<move::EngineMessage> messages{MessageOf(0,
                                                            [](Writer& to) {
                                                              to.Text("replica");
                                                              to.Text("x' OR '1");
                                                              to.Text("10.11.19");
                                                              to.Number(uint8_t{0});
                                                            }),
                                                  MessageOf(0,
                                                            [](Writer& to) {
                                                              to.Text("");
                                                              to.Text("a");
                                                              to.Text("10.11.19");
                                                              to.Number(uint8_t{0});
                                                            }),
                                                  MessageOf(1, [](Writer& to) { to.Number(uint32_t{7}); }),
                                                  MessageOf(3,
                                                            [](Writer& to) {
                                                              to.Number(uint32_t{7});
                                                              to.Number(uint8_t{0});
                                                              to.Text("0-1");
                                                            }),
                                                  MessageOf(3,
                                                            [](Writer& to) {
                                                              to.Number(uint32_t{7});
                                                              to.Number(uint8_t{2});
                                                              to.Text("0-1-100");
                                                            }),
                                                  // Sums of another version.
                                                  MessageOf(4, [](Writer&) {}),
                                                  MessageOf(4, [](Writer& to) { to.Number(uint8_t{1}); }),
                                                  MessageOf(11, [](Writer&) {})};
  for (const auto& message : messages) {
    const auto read = Decode(message);
    ASSERT_FALSE(read) << static_cast<int>(message.type);
    EXPECT_EQ(read.error().kind, ErrorKind::kCorrupt);
  }
}

TEST(SlackerMessagesTest, PartsAreReadAsTheyWereWrittenAndNotBeyondTheirEnd) {
  const TableSums sums{{"`a`.`b`", 7}, {"`a`.`c`", UINT64_MAX}, {"`a`.`d`", std::nullopt}};
  EXPECT_EQ(DecodePart<SumsPart>(EncodePart(SumsPart{sums}))->sums, sums);
  const Position position = Position::Parse("0-1-5,2-3-4").value();
  EXPECT_EQ(DecodePart<ListPart>(EncodePart(ListPart{position}))->position, position);
  for (move::Part part : {EncodePart(SumsPart{sums}), EncodePart(ListPart{position})}) {
    part.pop_back();
    EXPECT_FALSE(DecodePart<SumsPart>(part));
    EXPECT_FALSE(DecodePart<ListPart>(part));
  }
}

}  // namespace
}  // namespace tradewind::slacker
