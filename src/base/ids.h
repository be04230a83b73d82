// Strong types for the numbers that must not be mixed up.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace tradewind {

// A page of an SQLite file, counted from 1 as SQLite counts them; 0 means none.
struct PageNumber {
  uint32_t value = 0;
  auto operator<=>(const PageNumber&) const = default;
};

// How often the ownership of a tenant has changed; the catalog's owner is the one at the highest epoch.
struct Epoch {
  uint64_t value = 0;
  auto operator<=>(const Epoch&) const = default;
  Epoch Next() const { return Epoch{value + 1}; }
};

// The position of a commit in its tenant's order of commits since the tenant was opened. Not a file offset:
// the WAL restarts, this does not.
struct CommitSequence {
  uint64_t value = 0;
  auto operator<=>(const CommitSequence&) const = default;
};

using TenantName = std::string;  // [a-z0-9][a-z0-9_-]{0,62}
using NodeName = std::string;    // The same alphabet.
using MoveId = std::string;      // "m" and hexadecimal digits.

bool IsValidName(std::string_view name);

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace tradewind

template <>
struct std::hash<tradewind::PageNumber> {
  size_t operator()(tradewind::PageNumber page) const noexcept { return page.value; }
};
