#include "move/messages.h"

#include <gtest/gtest.h>

namespace tradewind::move {
namespace {

Result<Message> RoundTrip(const Message& message) {
  const std::vector<std::byte> frame = Encode(message, 7);
  const Bytes bytes(frame);
  const auto header = ParseFrameHeader(bytes.first(kFrameHeaderBytes));
  EXPECT_EQ(header.value().payload_bytes, frame.size() - kFrameHeaderBytes);
  EXPECT_EQ(header.value().channel, 7u);
  return Decode(bytes.first(kFrameHeaderBytes), bytes.subspan(kFrameHeaderBytes));
}

Pages TwoPages() {
  Pages pages;
  pages.numbers = {PageNumber{1}, PageNumber{7}};
  pages.contents.assign(1024, std::byte{0x5a});
  return pages;
}

TEST(Messages, ComeBackAsTheyWereSent) {
  auto offer = RoundTrip(Offer{OfferKind::kDual, 3, Epoch{9}, 4096, "m12", "shop", "n1"});
  ASSERT_TRUE(offer);
  EXPECT_EQ(std::get<Offer>(*offer).tenant, "shop");
  EXPECT_EQ(std::get<Offer>(*offer).epoch, Epoch{9});

  auto list = RoundTrip(List{3, Epoch{4}, 100, {1, 2, 3}, {4}});
  ASSERT_TRUE(list);
  EXPECT_EQ(std::get<List>(*list).handed, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(std::get<List>(*list).free, (std::vector<uint64_t>{4}));

  auto hashes = RoundTrip(Hashes{PageNumber{9}, {1, 0, 3}});
  ASSERT_TRUE(hashes);
  EXPECT_EQ(std::get<Hashes>(*hashes).first, PageNumber{9});
  EXPECT_EQ(std::get<Hashes>(*hashes).values, (std::vector<uint64_t>{1, 0, 3}));

  auto pages = RoundTrip(TwoPages());
  ASSERT_TRUE(pages);
  EXPECT_EQ(std::get<Pages>(*pages).numbers.back(), PageNumber{7});
  EXPECT_EQ(std::get<Pages>(*pages).contents.size(), 1024u);
}

TEST(Messages, OneFlippedBitAnywhereIsFound) {
  const std::vector<std::byte> frame = Encode(TwoPages(), 7);
  for (size_t at = 0; at < frame.size(); ++at) {
    std::vector<std::byte> damaged = frame;
    damaged[at] ^= std::byte{0x10};
    const Bytes bytes(damaged);
    if (!ParseFrameHeader(bytes.first(kFrameHeaderBytes))) continue;  // Found by the header alone.
    EXPECT_GE(at, 16u) << "a damaged header went through";
    EXPECT_FALSE(Decode(bytes.first(kFrameHeaderBytes), bytes.subspan(kFrameHeaderBytes))) << "byte " << at;
  }
}

TEST(Messages, APayloadCutShortIsRefused) {
  const std::vector<std::byte> frame = Encode(Hello{true, 5, {1, 2}, {3}}, 7);
  const Bytes bytes(frame);
  EXPECT_FALSE(Decode(bytes.first(kFrameHeaderBytes), bytes.subspan(kFrameHeaderBytes, 9)));
}

TEST(Messages, WhatWouldLayOutTooMuchOrNothingIsRefused) {
  for (const uint32_t page_size : {0u, 1u, 511u, 4095u, 131072u})
    EXPECT_FALSE(RoundTrip(Offer{OfferKind::kReverse, 1, Epoch{9}, page_size, "m12", "shop", "n1"}))
        << page_size;
  EXPECT_FALSE(RoundTrip(Prepare{UINT32_MAX}));
  EXPECT_FALSE(RoundTrip(List{3, Epoch{4}, UINT32_MAX, {}, {}}));
  EXPECT_TRUE(RoundTrip(Prepare{60'000'000}));
}

TEST(Messages, ALongErrorIsCutAndSent) {
  const auto failed = RoundTrip(Failed{"CODE", std::string(1'000'000, 'x')});
  ASSERT_TRUE(failed);
  EXPECT_EQ(std::get<Failed>(*failed).message.size(), 65535u);
}

TEST(Messages, AnotherVersionIsNamedAsSuch) {
  std::vector<std::byte> frame = Encode(Own{Epoch{1}}, 7);
  frame[4] = std::byte{9};
  const auto header = ParseFrameHeader(Bytes(frame).first(kFrameHeaderBytes));
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code, "CHANNEL_VERSION");
}

}  // namespace
}  // namespace tradewind::move
