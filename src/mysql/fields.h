// The fields of a packet: integers little-endian; texts that end with a zero, or have their length before them, or go
// to the end. "Length-encoded": one byte below 0xfb, or 0xfc, 0xfd, 0xfe and an integer of two, three, eight bytes.
// Source: MariaDB KB, "Protocol Data Types".
//
// What is read comes from outside: after a read past the end everything is zero or empty, and Check() fails. Texts
// are views of the packet, which must outlive them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tradewind::mysql {

class FieldReader {
 public:
  explicit FieldReader(std::string_view packet) : left_(packet) {}

  // Of `bytes` bytes, 1 to 8.
  uint64_t Integer(size_t bytes);
  uint8_t Byte() { return static_cast<uint8_t>(Integer(1)); }
  uint16_t Short() { return static_cast<uint16_t>(Integer(2)); }
  uint32_t Word() { return static_cast<uint32_t>(Integer(4)); }
  // 0xfb (NULL) and 0xff (an error) are no lengths: reading one fails.
  uint64_t LengthEncoded();
  std::string_view Text(uint64_t bytes);
  std::string_view LengthEncodedText() { return Text(LengthEncoded()); }
  // Without its zero, which must be there.
  std::string_view ZeroEndedText();
  std::string_view Rest() { return Text(left_.size()); }
  void Skip(uint64_t bytes) { Text(bytes); }

  bool empty() const { return left_.empty(); }
  // The next byte, which stays; 0 when there is none.
  uint8_t Peek() const { return left_.empty() ? 0 : static_cast<uint8_t>(left_.front()); }
  bool ok() const { return ok_; }
  // kCorrupt, MYSQL_PACKET_MALFORMED, naming `what`, once a read went past the end.
  Result<void> Check(std::string_view what) const;

 private:
  std::string_view left_;
  bool ok_ = true;
};

// Appends fields to a packet's payload.
void AddInteger(std::string& payload, uint64_t value, size_t bytes);
void AddLengthEncoded(std::string& payload, uint64_t value);
void AddLengthEncodedText(std::string& payload, std::string_view text);
// The text may hold no zero.
void AddZeroEndedText(std::string& payload, std::string_view text);

tl::unexpected<Error> Malformed(std::string_view what);

}  // namespace tradewind::mysql
