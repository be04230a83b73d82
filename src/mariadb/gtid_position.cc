#include "mariadb/gtid_position.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

namespace tradewind::mariadb {
namespace {

// Digits up to `end`, or to the end of the text where that is 0; they and it are taken off.
template <typename Number>
std::optional<Number> TakeNumber(std::string_view& text, char end) {
  Number number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(read.ptr - text.data()));
  if (end == 0) return number;
  if (text.empty() || text.front() != end) return std::nullopt;
  text.remove_prefix(1);
  return number;
}

}  // namespace

std::optional<GtidPosition> GtidPosition::Parse(std::string_view text) {
  GtidPosition position;
  while (!text.empty()) {
    const auto domain = TakeNumber<uint32_t>(text, '-');
    const auto server = domain ? TakeNumber<uint32_t>(text, '-') : std::nullopt;
    const auto sequence = server ? TakeNumber<uint64_t>(text, 0) : std::nullopt;
    if (!sequence || !position.last_.emplace(*domain, Last{*server, *sequence}).second) return std::nullopt;
    if (text.empty()) break;
    if (text.front() != ',') return std::nullopt;
    text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
  }
  return position;
}

std::string GtidPosition::ToString() const {
  std::string text;
  for (const auto& [domain, last] : last_)
    text += fmt::format("{}{}-{}-{}", text.empty() ? "" : ",", domain, last.server, last.sequence);
  return text;
}

uint64_t GtidPosition::Beyond(const GtidPosition& other) const {
  uint64_t count = 0;
  for (const auto& [domain, last] : last_) {
    const auto found = other.last_.find(domain);
    const uint64_t has = found == other.last_.end() ? 0 : found->second.sequence;
    if (last.sequence > has) count += last.sequence - has;
  }
  return count;
}

GtidPosition GtidPosition::MergedWith(const GtidPosition& other) const {
  GtidPosition merged = *this;
  for (const auto& [domain, last] : other.last_) {
    Last& has = merged.last_[domain];
    if (last.sequence > has.sequence) has = last;
  }
  return merged;
}

}  // namespace tradewind::mariadb
