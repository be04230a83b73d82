// The header of a database file (https://sqlite.org/fileformat2.html, section 1.3), read from bytes that may be
// anybody's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ids.h"

namespace tradewind::sqlite {

// A number of at most four bytes, the most significant first, as both files of a database have them.
uint32_t NumberAt(Bytes bytes, size_t offset, size_t size);

class FileHeader {
 public:
  static constexpr std::string_view kMagic{"SQLite format 3", 16};  // With the zero behind it.
  static constexpr size_t kBytes = 100;
  static constexpr size_t kPageSizeAt = 16;
  static constexpr size_t kWriteVersionAt = 18;
  static constexpr size_t kReadVersionAt = 19;
  static constexpr size_t kChangeCounterAt = 24;
  static constexpr size_t kPageCountAt = 28;
  static constexpr size_t kSchemaFormatAt = 44;
  static constexpr size_t kCountValidForAt = 92;

  // To be read into.
  MutableBytes bytes() { return bytes_; }
  bool HasMagic() const;
  uint32_t At(size_t offset, size_t size) const { return NumberAt(bytes_, offset, size); }
  // As it stands there; what SQLite does not allow too.
  uint32_t PageSize() const;
  bool HasPageSize() const;
  // None: the count is older than the file's last change.
  std::optional<uint32_t> PageCount() const;

 private:
  std::array<std::byte, kBytes> bytes_{};
};

}  // namespace tradewind::sqlite
