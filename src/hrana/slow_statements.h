// Which statements took long, for the log: their tenant, how long, and what they do without the values in them
// (sql/sql_shape.h).
#pragma once

#include <cstddef>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::hrana {

class SlowStatements {
 public:
  // Of a statement's shape the log has no more bytes.
  static constexpr size_t kShapeBytes = 500;

  // Zero: none is logged.
  SlowStatements(runtime::Core& core, runtime::Duration least) : core_(core), least_(least) {}

  runtime::TimePoint Begin() const {
    return least_ > runtime::Duration::zero() ? core_.Now() : runtime::TimePoint{};
  }
  // `began`: from Begin(). What it waited for counts: for the tenant's gate, its turn to write, pages on their way.
  void Note(const TenantName& tenant, runtime::TimePoint began, std::string_view sql,
            const Error* error) const;

 private:
  runtime::Core& core_;
  const runtime::Duration least_;
};

}  // namespace tradewind::hrana
