// Any values in the rows of the catalog's file: what is taken for a record must be one that the catalog writes.
#include "catalog/catalog_rows.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "catalog/record_check.h"

namespace {

using namespace tradewind;

// For each value a byte for its type, and what is in it: 8 bytes, or a byte for its length and so many.
std::vector<sql::Value> RowOf(std::string_view bytes) {
  std::vector<sql::Value> row;
  while (!bytes.empty() && row.size() < 16) {
    const int type = bytes[0] & 3;
    bytes.remove_prefix(1);
    if (type == 0) {
      row.emplace_back();
    } else if (type == 1) {
      int64_t number = 0;
      const size_t count = bytes.size() < sizeof number ? bytes.size() : sizeof number;
      std::memcpy(&number, bytes.data(), count);
      bytes.remove_prefix(count);
      row.emplace_back(number);
    } else {
      const size_t wanted = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
      if (!bytes.empty()) bytes.remove_prefix(1);
      const std::string text(bytes.substr(0, wanted));
      bytes.remove_prefix(text.size());
      if (type == 2)
        row.emplace_back(text);
      else
        row.emplace_back(sql::Blob{text});
    }
  }
  return row;
}

template <typename Record>
void Try(Result<Record> record) {
  TW_CHECK(!record || catalog::UnsoundField(*record).empty(), "a record that cannot be is taken");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto row = RowOf({reinterpret_cast<const char*>(bytes), size});
  Try(catalog::TenantOf(row));
  Try(catalog::MoveOf(row));
  Try(catalog::NodeOf(row));
  return 0;
}
