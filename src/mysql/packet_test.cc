#include "mysql/packet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mysql/test_bytes.h"

namespace tradewind::mysql {
namespace {

// The packets of a stream that comes in parts of `part` bytes.
std::vector<std::string> Cut(std::string_view stream, size_t part) {
  PacketCutter cutter;
  std::vector<std::string> packets;
  while (!stream.empty()) {
    std::string_view bytes = stream.substr(0, part);
    stream.remove_prefix(bytes.size());
    while (!bytes.empty()) {
      const auto piece = cutter.Next(bytes);
      EXPECT_GT(piece.taken, 0u);
      if (piece.begins) packets.emplace_back();
      if (!piece.payload.empty() || piece.ends) packets.back() += piece.payload;
      EXPECT_EQ(cutter.between_packets(), piece.ends);
      bytes.remove_prefix(piece.taken);
    }
  }
  return packets;
}

TEST(PacketTest, AnswerOfAServerIsCutTheSameWhateverItsParts) {
  // SELECT id, name FROM t, without rows; MariaDB.
  const std::string stream = FromHex("0100000102 05000002fe00002200 00000003 0900000400000002000000aabb");
  for (size_t part = 1; part <= stream.size(); ++part) {
    const auto packets = Cut(stream, part);
    ASSERT_EQ(packets.size(), 4u) << part;
    EXPECT_EQ(packets[1], FromHex("fe00002200"));
    EXPECT_EQ(packets[2], "");
    EXPECT_EQ(packets[3], FromHex("00000002000000aabb"));
  }
}

TEST(PacketTest, LargePacketsTakeSeveralFramesAndAnEmptyLastOneIfNeeded) {
  for (const size_t size : {kLongestFrame - 1, kLongestFrame, kLongestFrame + 1, 2 * kLongestFrame}) {
    std::string payload(size, 'x');
    payload.back() = 'y';
    std::string stream;
    uint8_t sequence = 255;
    AppendPacket(stream, payload, sequence);
    const size_t frames = size / kLongestFrame + 1;
    EXPECT_EQ(stream.size(), size + frames * kFrameHeaderBytes);
    EXPECT_EQ(sequence, static_cast<uint8_t>(255 + frames));

    AppendPacket(stream, "next", sequence);
    const auto packets = Cut(stream, 1'000'003);
    ASSERT_EQ(packets.size(), 2u);
    EXPECT_TRUE(packets[0] == payload);
    EXPECT_EQ(packets[1], "next");
  }
}

TEST(PacketTest, PieceSaysHowLongThePacketsFirstFrameIs) {
  PacketCutter cutter;
  EXPECT_EQ(cutter.Next(FromHex("050000")).payload, "");
  const auto piece = cutter.Next(FromHex("07 6162"));
  EXPECT_TRUE(piece.begins);
  EXPECT_FALSE(piece.ends);
  EXPECT_EQ(piece.first_frame_bytes, 5u);
  EXPECT_EQ(piece.sequence, 7);
  EXPECT_EQ(cutter.Next("cde").first_frame_bytes, 5u);
}

}  // namespace
}  // namespace tradewind::mysql
