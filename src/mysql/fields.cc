#include "mysql/fields.h"

#include <fmt/format.h>

#include "base/check.h"

namespace tradewind::mysql {

uint64_t FieldReader::Integer(size_t bytes) {
  TW_CHECK(bytes >= 1 && bytes <= 8, "an integer of a packet has 1 to 8 bytes");
  const std::string_view text = Text(bytes);
  uint64_t value = 0;
  for (size_t at = text.size(); at > 0; --at) value = value << 8 | static_cast<uint8_t>(text[at - 1]);
  return value;
}

uint64_t FieldReader::LengthEncoded() {
  const uint8_t first = Byte();
  switch (first) {
    case 0xfb:
    case 0xff: ok_ = false; break;
    case 0xfc: return Integer(2);
    case 0xfd: return Integer(3);
    case 0xfe: return Integer(8);
    default: return first;
  }
  left_ = {};
  return 0;
}

std::string_view FieldReader::Text(uint64_t bytes) {
  if (bytes > left_.size()) {
    ok_ = false;
    left_ = {};
    return {};
  }
  const std::string_view text = left_.substr(0, bytes);
  left_.remove_prefix(bytes);
  return text;
}

std::string_view FieldReader::ZeroEndedText() {
  const size_t end = left_.find('\0');
  if (end == std::string_view::npos) return Text(uint64_t{left_.size()} + 1);
  const std::string_view text = Text(end);
  Skip(1);
  return text;
}

Result<void> FieldReader::Check(std::string_view what) const {
  if (ok_) return {};
  return Malformed(what);
}

void AddInteger(std::string& payload, uint64_t value, size_t bytes) {
  for (size_t at = 0; at < bytes; ++at) payload += static_cast<char>(value >> (8 * at) & 0xff);
}

void AddLengthEncoded(std::string& payload, uint64_t value) {
  if (value < 0xfb) return AddInteger(payload, value, 1);
  if (value <= 0xffff) return AddInteger(payload, value << 8 | 0xfc, 3);
  if (value <= 0xffffff) return AddInteger(payload, value << 8 | 0xfd, 4);
  AddInteger(payload, 0xfe, 1);
  AddInteger(payload, value, 8);
}

void AddLengthEncodedText(std::string& payload, std::string_view text) {
  AddLengthEncoded(payload, text.size());
  payload += text;
}

void AddZeroEndedText(std::string& payload, std::string_view text) {
  TW_CHECK(text.find('\0') == std::string_view::npos, "a zero would end the text");
  payload += text;
  payload += '\0';
}

tl::unexpected<Error> Malformed(std::string_view what) {
  return Fail(ErrorKind::kCorrupt, "MYSQL_PACKET_MALFORMED",
              fmt::format("{} is not as MySQL's protocol has it", what));
}

}  // namespace tradewind::mysql
