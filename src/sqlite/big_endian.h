// Big-endian numbers, as SQLite's file formats hold them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tradewind::sqlite {

inline uint16_t ReadBigEndian16(const std::byte* at) {
  return static_cast<uint16_t>((std::to_integer<uint16_t>(at[0]) << 8) | std::to_integer<uint16_t>(at[1]));
}

inline uint32_t ReadBigEndian32(const std::byte* at) {
  return (std::to_integer<uint32_t>(at[0]) << 24) | (std::to_integer<uint32_t>(at[1]) << 16) |
         (std::to_integer<uint32_t>(at[2]) << 8) | std::to_integer<uint32_t>(at[3]);
}

}  // namespace tradewind::sqlite
