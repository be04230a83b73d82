#include "move/messages.h"

#include <gtest/gtest.h>

namespace tradewind::move {
namespace {

Part PartOf(size_t bytes) {
  return Part(bytes, std::byte{0x5a});
}

Result<Message> DecodeFrame(Bytes frame) {
  const auto header = ParseFrameHeader(frame.first(kFrameHeaderBytes));
  EXPECT_EQ(header.value().payload_bytes, frame.size() - kFrameHeaderBytes);
  EXPECT_EQ(header.value().channel, 7u);
  return Decode(frame.first(kFrameHeaderBytes), frame.subspan(kFrameHeaderBytes));
}
Result<Message> RoundTrip(const Message& message) {
  return DecodeFrame(Encode(message, 7));
}

TEST(Messages, ComeBackAsTheyWereSent) {
  auto offer = RoundTrip(Offer{OfferKind::kDual, 3, Epoch{9}, "m12", "shop", "n1", "sqlite", PartOf(4)});
  ASSERT_TRUE(offer);
  EXPECT_EQ(std::get<Offer>(*offer).tenant, "shop");
  EXPECT_EQ(std::get<Offer>(*offer).epoch, Epoch{9});
  EXPECT_EQ(std::get<Offer>(*offer).engine, "sqlite");
  EXPECT_EQ(std::get<Offer>(*offer).part, PartOf(4));

  auto list = RoundTrip(List{3, Epoch{4}, PartOf(100)});
  ASSERT_TRUE(list);
  EXPECT_EQ(std::get<List>(*list).number, 3u);
  EXPECT_EQ(std::get<List>(*list).part, PartOf(100));

  auto bytes = RoundTrip(StreamBytes{PartOf(1024)});
  ASSERT_TRUE(bytes);
  EXPECT_EQ(std::get<StreamBytes>(*bytes).bytes, PartOf(1024));
}

TEST(Messages, OfAnEngineAreItsTypeAndItsBytes) {
  MessageWriter writer;
  writer.Text("of the engine");
  auto framed = DecodeFrame(Encode(EngineFrame{kFirstEngineType + 5, writer.Take()}, 7));
  ASSERT_TRUE(framed);
  const auto& message = std::get<EngineMessage>(*framed);
  EXPECT_EQ(message.type, kFirstEngineType + 5);
  MessageReader reader(message.bytes);
  EXPECT_EQ(reader.Text(), "of the engine");
  EXPECT_TRUE(reader.at_end());
  const auto again = RoundTrip(message);
  ASSERT_TRUE(again);
  EXPECT_EQ(std::get<EngineMessage>(*again).bytes, message.bytes);
}

TEST(Messages, AReaderThatRunsOutSaysSo) {
  MessageWriter writer(MessageWriter::Of::kPart);
  writer.Number(uint32_t{1'000'000});  // So many words are to come.
  writer.Number(uint64_t{1});
  const std::vector<std::byte> bytes = writer.Take();
  MessageReader reader(bytes);
  EXPECT_TRUE(reader.Words().empty());
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(reader.Number<uint64_t>(), 0u);
}

TEST(Messages, OneFlippedBitAnywhereIsFound) {
  const std::vector<std::byte> frame = Encode(EngineMessage{kFirstEngineType, PartOf(1037)}, 7);
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
  const std::vector<std::byte> frame = Encode(Hello{true, 5, PartOf(24)}, 7);
  const Bytes bytes(frame);
  EXPECT_FALSE(Decode(bytes.first(kFrameHeaderBytes), bytes.subspan(kFrameHeaderBytes, 9)));
}

TEST(Messages, OfNoKnownTypeOrKindAreRefused) {
  EXPECT_FALSE(DecodePayload(std::variant_size_v<Message> - 1, {}));
  EXPECT_FALSE(DecodePayload(kFirstEngineType - 1, {}));
  EXPECT_TRUE(DecodePayload(255, {}));
  EXPECT_FALSE(RoundTrip(Offer{static_cast<OfferKind>(4), 1, Epoch{9}, "m12", "shop", "n1", "sqlite", {}}));
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
