#include "slacker/compression.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tradewind::slacker {
namespace {

std::vector<std::byte> SomeBytes(size_t size) {
  std::mt19937_64 random(1);
  std::vector<std::byte> bytes(size);
  // Half of it repeats, as pages do.
  for (size_t at = 0; at < size; ++at)
    bytes[at] = at / 4096 % 2 == 0 ? std::byte{'x'} : static_cast<std::byte>(random());
  return bytes;
}

std::vector<std::byte> Packed(Bytes bytes, size_t piece) {
  Compressor compressor;
  std::vector<std::byte> all;
  std::vector<std::byte> out;
  for (size_t at = 0; at <= bytes.size(); at += piece) {
    const bool last = at + piece > bytes.size();
    compressor.Pack(bytes.subspan(at, last ? bytes.size() - at : piece), last, out);
    all.insert(all.end(), out.begin(), out.end());
  }
  return all;
}

Result<std::vector<std::byte>> Unpacked(Decompressor& decompressor, Bytes packed, size_t piece) {
  std::vector<std::byte> all;
  for (size_t at = 0; at < packed.size(); at += piece)
    TW_TRY(decompressor.Unpack(packed.subspan(at, std::min(piece, packed.size() - at)), [&](Bytes bytes) {
      all.insert(all.end(), bytes.begin(), bytes.end());
      return Result<void>();
    }));
  return all;
}

TEST(CompressionTest, WhatIsPackedInAnyPiecesComesOutAsItWas) {
  const auto bytes = SomeBytes(3'000'000);
  for (const size_t piece : {size_t{1000}, size_t{65536}, size_t{5'000'000}}) {
    const auto packed = Packed(bytes, piece);
    EXPECT_LT(packed.size(), bytes.size() * 6 / 10);
    Decompressor decompressor;
    const auto unpacked = Unpacked(decompressor, packed, piece);
    ASSERT_TRUE(unpacked) << Describe(unpacked.error());
    EXPECT_TRUE(*unpacked == bytes);
    EXPECT_TRUE(decompressor.complete());
  }
}

TEST(CompressionTest, NothingAtAllIsAStreamToo) {
  Decompressor decompressor;
  EXPECT_EQ(Unpacked(decompressor, Packed({}, 10), 100)->size(), 0u);
  EXPECT_TRUE(decompressor.complete());
}

TEST(CompressionTest, AStreamThatIsCutIsNotComplete) {
  auto packed = Packed(SomeBytes(100'000), 10'000);
  packed.pop_back();
  Decompressor decompressor;
  EXPECT_TRUE(Unpacked(decompressor, packed, 1000));
  EXPECT_FALSE(decompressor.complete());
}

TEST(CompressionTest, AStreamThatIsDamagedOrGoesOnIsRefused) {
  const auto whole = Packed(SomeBytes(100'000), 10'000);
  for (const size_t at : {size_t{0}, whole.size() / 2, whole.size() - 1}) {
    auto damaged = whole;
    damaged[at] ^= std::byte{1};
    Decompressor decompressor;
    EXPECT_FALSE(Unpacked(decompressor, damaged, 1000) && decompressor.complete()) << at;
  }
  auto longer = whole;
  longer.push_back(std::byte{0});
  Decompressor decompressor;
  const auto refused = Unpacked(decompressor, longer, longer.size());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "SNAPSHOT_CORRUPT");
}

}  // namespace
}  // namespace tradewind::slacker
