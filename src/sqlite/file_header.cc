#include "sqlite/file_header.h"

#include <algorithm>
#include <bit>

namespace tradewind::sqlite {

uint32_t NumberAt(Bytes bytes, size_t offset, size_t size) {
  uint32_t number = 0;
  for (size_t i = 0; i < size; ++i) number = (number << 8) | std::to_integer<uint32_t>(bytes[offset + i]);
  return number;
}

bool FileHeader::HasMagic() const {
  return std::equal(kMagic.begin(), kMagic.end(), bytes_.begin(),
                    [](char wanted, std::byte found) { return static_cast<std::byte>(wanted) == found; });
}

uint32_t FileHeader::PageSize() const {
  const uint32_t size = At(kPageSizeAt, 2);
  return size == 1 ? 65536 : size;
}

bool FileHeader::HasPageSize() const {
  return PageSize() >= 512 && std::has_single_bit(PageSize());
}

std::optional<uint32_t> FileHeader::PageCount() const {
  if (At(kChangeCounterAt, 4) != At(kCountValidForAt, 4)) return std::nullopt;
  return At(kPageCountAt, 4);
}

}  // namespace tradewind::sqlite
