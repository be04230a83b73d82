#include "base/base64.h"

#include <array>
#include <cstdint>

namespace tradewind {
namespace {

constexpr uint8_t kNone = 0xff;

struct Table {
  std::array<char, 64> digits{};
  std::array<uint8_t, 256> values{};
};

constexpr Table MakeTable(char digit_62, char digit_63) {
  constexpr std::string_view kCommon = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  Table table;
  for (size_t i = 0; i < kCommon.size(); ++i) table.digits[i] = kCommon[i];
  table.digits[62] = digit_62;
  table.digits[63] = digit_63;
  table.values.fill(kNone);
  for (size_t i = 0; i < table.digits.size(); ++i)
    table.values[static_cast<unsigned char>(table.digits[i])] = static_cast<uint8_t>(i);
  return table;
}

constexpr Table kStandardTable = MakeTable('+', '/');
constexpr Table kUrlTable = MakeTable('-', '_');

const Table& TableOf(Base64 alphabet) {
  return alphabet == Base64::kUrl ? kUrlTable : kStandardTable;
}

}  // namespace

void AppendBase64(Base64 alphabet, std::string& out, std::string_view bytes) {
  const auto& digits = TableOf(alphabet).digits;
  size_t at = out.size();
  out.resize(at + (bytes.size() * 4 + 2) / 3);
  char* to = out.data() + at;
  auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *to++ = digits[group >> 18];
    *to++ = digits[group >> 12 & 63];
    *to++ = digits[group >> 6 & 63];
    *to++ = digits[group & 63];
  }
  if (i == bytes.size()) return;
  uint32_t group = byte(i) << 16 | (i + 1 < bytes.size() ? byte(i + 1) << 8 : 0);
  *to++ = digits[group >> 18];
  *to++ = digits[group >> 12 & 63];
  if (i + 1 < bytes.size()) *to = digits[group >> 6 & 63];
}

std::string EncodeBase64(Base64 alphabet, std::string_view bytes) {
  std::string out;
  AppendBase64(alphabet, out, bytes);
  return out;
}

std::optional<std::string> DecodeBase64(Base64 alphabet, std::string_view text) {
  const auto& values = TableOf(alphabet).values;
  if (alphabet == Base64::kStandard && text.size() % 4 == 0 && text.ends_with('=')) {
    text.remove_suffix(1);
    if (text.ends_with('=')) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes(text.size() * 3 / 4, '\0');
  char* to = bytes.data();
  uint32_t group = 0;
  unsigned bits = 0;
  for (char c : text) {
    uint8_t value = values[static_cast<unsigned char>(c)];
    if (value == kNone) return std::nullopt;
    group = group << 6 | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      *to++ = static_cast<char>(group >> bits & 0xff);
    }
  }
  if (alphabet == Base64::kUrl && (group & ((1u << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace tradewind
