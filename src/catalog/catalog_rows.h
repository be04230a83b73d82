// Rows of the embedded catalog as records. Nothing that a file holds is taken on trust.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "sql/value.h"

namespace tradewind::catalog {

inline constexpr std::string_view kCatalogCorruptCode = "CATALOG_CORRUPT";

tl::unexpected<Error> RowIsCorrupt(std::string_view what);

// A row of the catalog's tables, in which every column has one type: another one shows that the file is damaged.
class Columns {
 public:
  explicit Columns(const std::vector<sql::Value>& row) : row_(row) {}
  // Empty or 0 when the column holds something else, which Check() says.
  std::string Text(size_t column);
  int64_t Integer(size_t column);
  Epoch EpochAt(size_t column);
  int64_t TimeAt(size_t column);
  NodeName NameAt(size_t column);
  MoveState StateAt(size_t column);
  // Fails with CATALOG_CORRUPT when one of them was not what was asked for.
  Result<void> Check() const;

 private:
  const std::vector<sql::Value>& row_;
  bool right_ = true;
};

// Of the columns that embedded_catalog.cc selects. Fail as Columns::Check() does, also when a field holds what no
// record can (record_check.h).
Result<TenantRecord> TenantOf(const std::vector<sql::Value>& row);
Result<MoveRecord> MoveOf(const std::vector<sql::Value>& row);
Result<NodeRecord> NodeOf(const std::vector<sql::Value>& row);

template <typename T>
Result<std::vector<T>> AllOf(const std::vector<std::vector<sql::Value>>& rows,
                             Result<T> (*one)(const std::vector<sql::Value>&)) {
  std::vector<T> all;
  for (const auto& row : rows) {
    TW_TRY_ASSIGN(T record, one(row));
    all.push_back(std::move(record));
  }
  return all;
}

}  // namespace tradewind::catalog
