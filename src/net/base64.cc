#include "net/base64.h"

#include <array>
#include <cstdint>

#include "runtime/turns.h"

namespace tradewind::net {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNone = 0xff;

constexpr std::array<uint8_t, 256> MakeReverse() {
  std::array<uint8_t, 256> reverse{};
  reverse.fill(kNone);
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    reverse[static_cast<unsigned char>(kAlphabet[i])] = static_cast<uint8_t>(i);
  return reverse;
}
constexpr std::array<uint8_t, 256> kReverse = MakeReverse();

// Of whole groups, in which others run meanwhile: a blob may have megabytes.
constexpr size_t kBytesBetweenLooks = 48u << 10;

void AppendPiece(std::string& out, std::string_view bytes) {
  size_t at = out.size();
  out.resize(at + (bytes.size() * 4 + 2) / 3);
  char* to = out.data() + at;
  auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *to++ = kAlphabet[group >> 18];
    *to++ = kAlphabet[group >> 12 & 63];
    *to++ = kAlphabet[group >> 6 & 63];
    *to++ = kAlphabet[group & 63];
  }
  if (i == bytes.size()) return;
  uint32_t group = byte(i) << 16 | (i + 1 < bytes.size() ? byte(i + 1) << 8 : 0);
  *to++ = kAlphabet[group >> 18];
  *to++ = kAlphabet[group >> 12 & 63];
  if (i + 1 < bytes.size()) *to = kAlphabet[group >> 6 & 63];
}

}  // namespace

void AppendBase64(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + (bytes.size() * 4 + 2) / 3);
  while (bytes.size() > kBytesBetweenLooks) {
    AppendPiece(out, bytes.substr(0, kBytesBetweenLooks));
    bytes.remove_prefix(kBytesBetweenLooks);
    runtime::YieldIfTurnIsOver();
  }
  AppendPiece(out, bytes);
}

std::string EncodeBase64(std::string_view bytes) {
  std::string out;
  AppendBase64(out, bytes);
  return out;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 == 0 && text.ends_with('=')) {
    text.remove_suffix(1);
    if (text.ends_with('=')) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes(text.size() * 3 / 4, '\0');
  char* to = bytes.data();
  uint32_t group = 0;
  unsigned bits = 0;
  for (char c : text) {
    uint8_t digit = kReverse[static_cast<unsigned char>(c)];
    if (digit == kNone) return std::nullopt;
    group = group << 6 | digit;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      *to++ = static_cast<char>(group >> bits & 0xff);
    }
  }
  return bytes;
}

}  // namespace tradewind::net
