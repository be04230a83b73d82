// The packets by which a server says how something ended: OK, ERR, EOF.
//
//   OK   0x00 | affected rows | last insert id (length-encoded) | status, 2 | warnings, 2 | info | changes of the session
//   ERR  0xff | number, 2 | '#' and the SQL state, 5 | message
//   EOF  0xfe | warnings, 2 | status, 2       instead, with kDeprecateEof: an OK that begins with 0xfe
//
// With kSessionTrack, info has its length before it, and changes follow if the status says so: each a type, a length,
// and what has changed. Source: MariaDB KB, "OK_Packet", "ERR_Packet", "EOF_Packet"; MySQL Internals, 14.1.3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mysql/protocol.h"

namespace tradewind::mysql {

struct ErrorPacket {
  uint16_t number = 0;          // ER_*.
  std::string state = "HY000";  // SQL state, five letters or digits.
  std::string message = {};
};

// SESSION_TRACK_*. Others are left out.
struct SessionChange {
  enum class What : uint8_t { kSystemVariable = 0, kSchema = 1, kState = 2 };
  What what = What::kState;
  std::string name = {};   // Of the system variable.
  std::string value = {};  // Its new value, as text; or the new schema.
};

struct OkPacket {
  uint64_t affected_rows = 0;
  uint64_t last_insert_id = 0;
  uint16_t status = 0;
  uint16_t warnings = 0;
  std::string info = {};
  std::vector<SessionChange> changes = {};
};

inline constexpr uint8_t kOkHeader = 0x00;
inline constexpr uint8_t kErrorHeader = 0xff;
inline constexpr uint8_t kEofHeader = 0xfe;
inline constexpr uint8_t kLocalInfileHeader = 0xfb;

// All of them take a packet's whole payload, its header included. kCorrupt, MYSQL_PACKET_MALFORMED.
Result<ErrorPacket> ParseError(std::string_view payload);
Result<OkPacket> ParseOk(std::string_view payload, Capabilities capabilities);
// An EOF, or the OK that stands for it.
Result<OkPacket> ParseEof(std::string_view payload, Capabilities capabilities);

std::string EncodeError(const ErrorPacket& error);
// Without its changes.
std::string EncodeOk(const OkPacket& ok, Capabilities capabilities);

// What a server has refused, as an error of ours: kUnauthorized for a login, else kRefused; code MYSQL_<number>.
Error ToError(const ErrorPacket& error);
// And back, but for the SQL state; the number is 0 for an error that no server said.
ErrorPacket ToErrorPacket(const Error& error);

}  // namespace tradewind::mysql
