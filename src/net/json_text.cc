#include "net/json_text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/check.h"
#include "runtime/turns.h"

namespace tradewind::net {
namespace {

// In which others run meanwhile: a text may have megabytes.
constexpr size_t kBytesBetweenLooks = 64u << 10;

constexpr std::string_view kHexadecimal = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// How many bytes the well-formed UTF-8 character at the start of `text` has, or 0 (Unicode 15, table 3-7).
// `broken` is how many bytes of an ill-formed one make one replacement character: its longest well-formed
// beginning.
size_t CharacterSize(std::string_view text, size_t& broken) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  broken = 1;
  size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                : first >= 0xe0 && first <= 0xef ? 3
                : first >= 0xf0 && first <= 0xf4 ? 4
                                                 : 0;
  if (size == 0) return 0;
  unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;  // No overlong forms.
  unsigned char high = first == 0xed   ? 0x9f
                       : first == 0xf4 ? 0x8f
                                       : 0xbf;  // No surrogates, nothing past U+10FFFF.
  for (size_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return 0;
    broken = i + 1;
    low = 0x80;
    high = 0xbf;
  }
  return size;
}

void AppendEscaped(std::string& out, unsigned char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default:
      out += "\\u00";
      out += kHexadecimal[c >> 4];
      out += kHexadecimal[c & 15];
  }
}

template <typename Number>
void AppendNumber(std::string& out, Number number) {
  std::array<char, 32> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  size_t begin = 0;  // What is not copied yet.
  size_t look_at = kBytesBetweenLooks;
  for (size_t i = 0; i < text.size();) {
    if (i >= look_at) {
      look_at = i + kBytesBetweenLooks;
      out += text.substr(begin, i - begin);
      begin = i;
      runtime::YieldIfTurnIsOver();
    }
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      size_t broken = 0;
      if (size_t size = CharacterSize(text.substr(i), broken)) {
        i += size;
        continue;
      }
      out += text.substr(begin, i - begin);
      out += kReplacement;
      i += broken;
    } else {
      out += text.substr(begin, i - begin);
      AppendEscaped(out, c);
      ++i;
    }
    begin = i;
  }
  out += text.substr(begin);
  out += '"';
}

void AppendJsonNumber(std::string& out, int64_t number) {
  AppendNumber(out, number);
}
void AppendJsonNumber(std::string& out, uint64_t number) {
  AppendNumber(out, number);
}

void AppendJsonNumber(std::string& out, double number) {
  TW_CHECK(std::isfinite(number), "JSON has no infinity and no NaN");
  size_t at = out.size();
  AppendNumber(out, number);
  if (out.find_first_of(".e", at) == std::string::npos) out += ".0";
}

}  // namespace tradewind::net
