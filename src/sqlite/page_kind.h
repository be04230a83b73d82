// What can be told of a page from its own bytes (file format, sections 1.6 and 1.7). A page of another kind
// may look the same, so these are hints.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "sqlite/big_endian.h"

namespace tradewind::sqlite {

// Page types, the first byte of a B-tree page.
inline constexpr uint8_t kInteriorIndexPage = 2;
inline constexpr uint8_t kInteriorTablePage = 5;
inline constexpr uint8_t kLeafIndexPage = 10;
inline constexpr uint8_t kLeafTablePage = 13;

inline bool IsInteriorPage(Bytes content) {
  const auto type = std::to_integer<uint8_t>(content[0]);
  return type == kInteriorIndexPage || type == kInteriorTablePage;
}
inline bool IsTreePage(Bytes content) {
  const auto type = std::to_integer<uint8_t>(content[0]);
  return IsInteriorPage(content) || type == kLeafIndexPage || type == kLeafTablePage;
}
// Of an overflow page; 0 at the end of its chain.
inline PageNumber NextOverflowPage(Bytes content) {
  return PageNumber{ReadBigEndian32(content.data())};
}

}  // namespace tradewind::sqlite
