// Writing JSON straight into a string: the path of every row that leaves, so it builds no tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tradewind::net {

// Quoted and escaped. What is not UTF-8 (SQLite does not check its TEXT) becomes U+FFFD, so the output always
// is. Suspends now and then where it is large.
void AppendJsonString(std::string& out, std::string_view text);

void AppendJsonNumber(std::string& out, int64_t number);
void AppendJsonNumber(std::string& out, uint64_t number);
// The shortest text that reads back as the same double, always with a fraction or an exponent. Requires:
// finite.
void AppendJsonNumber(std::string& out, double number);

inline void AppendJsonBool(std::string& out, bool value) {
  out += value ? "true" : "false";
}

}  // namespace tradewind::net
