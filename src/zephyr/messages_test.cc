#include "zephyr/messages.h"

#include <gtest/gtest.h>

namespace tradewind::zephyr {
namespace {

Result<Message> RoundTrip(const Message& message) {
  const std::vector<std::byte> frame = move::Encode(Encode(message), 7);
  const Bytes bytes(frame);
  TW_TRY_ASSIGN(auto decoded,
                move::Decode(bytes.first(move::kFrameHeaderBytes), bytes.subspan(move::kFrameHeaderBytes)));
  return Decode(std::get<move::EngineMessage>(std::move(decoded)));
}

Pages TwoPages() {
  Pages pages;
  pages.pushed = true;
  pages.numbers = {PageNumber{1}, PageNumber{7}};
  pages.contents.assign(1024, std::byte{0x5a});
  return pages;
}

TEST(ZephyrMessages, ComeBackAsTheyWereSent) {
  auto hashes = RoundTrip(Hashes{PageNumber{9}, {1, 0, 3}});
  ASSERT_TRUE(hashes);
  EXPECT_EQ(std::get<Hashes>(*hashes).first, PageNumber{9});
  EXPECT_EQ(std::get<Hashes>(*hashes).values, (std::vector<uint64_t>{1, 0, 3}));

  auto pages = RoundTrip(TwoPages());
  ASSERT_TRUE(pages);
  EXPECT_TRUE(std::get<Pages>(*pages).pushed);
  EXPECT_EQ(std::get<Pages>(*pages).numbers, TwoPages().numbers);
  EXPECT_EQ(std::get<Pages>(*pages).contents, TwoPages().contents);
  EXPECT_EQ(EncodePages(TwoPages()).bytes, Encode(TwoPages()).bytes);

  const auto list = DecodePart<ListPart>(EncodePart(ListPart{100, {1, 2, 3}, {4}}));
  ASSERT_TRUE(list);
  EXPECT_EQ(list->page_count, 100u);
  EXPECT_EQ(list->handed, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(list->free, (std::vector<uint64_t>{4}));

  EXPECT_TRUE(std::holds_alternative<Prepared>(RoundTrip(Prepared{}).value()));
  EXPECT_EQ(std::get<Pull>(RoundTrip(Pull{PageNumber{3}}).value()).page, PageNumber{3});
  EXPECT_EQ(std::get<Ack>(RoundTrip(Ack{4096}).value()).bytes, 4096u);
}

TEST(ZephyrMessages, OfAnotherLengthAreRefused) {
  for (const Message& message : {Message(TwoPages()), Message(Prepare{1}), Message(Pull{PageNumber{1}}),
                                 Message(Ack{1}), Message(Hashes{PageNumber{1}, {1, 2}})}) {
    const move::EngineFrame frame = Encode(message);
    const Bytes whole = Bytes(frame.bytes).subspan(move::kFrameHeaderBytes);
    const auto of = [&](Bytes bytes) {
      return Decode(move::EngineMessage{frame.type, {bytes.begin(), bytes.end()}});
    };
    EXPECT_TRUE(of(whole)) << message.index();
    EXPECT_FALSE(of(whole.first(whole.size() - 1))) << message.index();
    EXPECT_FALSE(of({})) << message.index();
  }
  EXPECT_FALSE(Decode(move::EngineMessage{move::kFirstEngineType + 6, {}}));
  EXPECT_FALSE(DecodePart<SumPart>({}));
  EXPECT_FALSE(DecodePart<ListPart>({}));
  EXPECT_TRUE(DecodePart<GreetingPart>({}));
}

TEST(ZephyrMessages, WhatWouldLayOutTooMuchOrNothingIsRefused) {
  for (const uint32_t page_size : {0u, 1u, 511u, 4095u, 131072u})
    EXPECT_FALSE(DecodePart<CopyPart>(EncodePart(CopyPart{page_size}))) << page_size;
  EXPECT_TRUE(DecodePart<CopyPart>(EncodePart(CopyPart{4096})));
  EXPECT_FALSE(RoundTrip(Prepare{UINT32_MAX}));
  EXPECT_FALSE(DecodePart<ListPart>(EncodePart(ListPart{UINT32_MAX, {}, {}})));
  EXPECT_TRUE(RoundTrip(Prepare{60'000'000}));
  EXPECT_FALSE(RoundTrip(Pages{true, {}, {}}));
}

}  // namespace
}  // namespace tradewind::zephyr
