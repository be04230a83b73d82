// For tests: bytes as they were captured from MariaDB 10.11.19, written in hexadecimal.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/check.h"

namespace tradewind::mysql {

// Blanks between digits are for the reader.
inline std::string FromHex(std::string_view digits) {
  std::string bytes;
  std::string pair;
  for (const char c : digits) {
    if (c == ' ') continue;
    pair += c;
    if (pair.size() < 2) continue;
    char* end = nullptr;
    bytes += static_cast<char>(std::strtoul(pair.c_str(), &end, 16));
    TW_CHECK(*end == '\0', "hexadecimal digits");
    pair.clear();
  }
  TW_CHECK(pair.empty(), "two digits a byte");
  return bytes;
}

}  // namespace tradewind::mysql
