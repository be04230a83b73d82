// Takes the rows of a statement one by one, as they are found, for whoever does not want them all at once.
#pragma once

#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "runtime/core.h"
#include "sql/value.h"

namespace tradewind::sql {

struct BlobView {
  std::string_view bytes;
};
// A Value that somebody else has.
using ValueView = std::variant<std::monostate, int64_t, double, std::string_view, BlobView>;

inline ValueView ViewOf(const Value& value) {
  return std::visit(
      [](const auto& held) -> ValueView {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>)
          return std::string_view(held);
        else if constexpr (std::is_same_v<Held, Blob>)
          return BlobView{held.bytes};
        else
          return held;
      },
      value);
}

// Both calls may suspend; an error ends the statement with it.
class RowSink {
 public:
  virtual ~RowSink() = default;
  // Once, before the first row: the statement has its snapshot, and what it says of its rows is that of this one.
  virtual Result<void> Begin(const std::vector<Column>& columns) = 0;
  // The values hold until it returns.
  virtual Result<void> Take(std::span<const ValueView> row) = 0;
  // How long calls have waited for whoever reads the rows, since this was asked last: no time of the statement's.
  virtual runtime::Duration TakeWaited() = 0;
};

}  // namespace tradewind::sql
