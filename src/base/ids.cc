#include "base/ids.h"

#include <algorithm>

#include "base/limits.h"

namespace tradewind {

bool IsValidName(std::string_view name) {
  auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > limits::kNameLength || !is_alphanumeric(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

}  // namespace tradewind
