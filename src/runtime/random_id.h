// Identifiers that are never used again and that nobody can guess: 128 random bits as 32 hexadecimal digits.
// For everything that leaves the process and comes back: streams, batons, transfers, page links, moves.
#pragma once

#include <string>
#include <string_view>

#include "runtime/core.h"

namespace tradewind::runtime {

inline constexpr size_t kRandomIdDigits = 32;

std::string RandomId(Core& core);
bool IsRandomId(std::string_view text);

}  // namespace tradewind::runtime
