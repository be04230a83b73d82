// The packets of a login. The server greets, the client answers with who it is and a reply to the greeting's scramble;
// a server that wants another plugin's reply asks once more, and says OK or ERR (reply.h). COM_CHANGE_USER does the same
// on a connection that is in use, with the scramble that the server sent last.
//
//   greeting   10 | version, 0 | connection id, 4 | scramble, 8 | 0 | capabilities, 2 | collation, 1 | status, 2
//              | capabilities >> 16, 2 | length of the scramble, 1 | zeros, 6 | capabilities >> 32, 4 (MariaDB)
//              | scramble, 12 | 0 | plugin, 0
//   response   capabilities, 4 | largest packet, 4 | collation, 1 | zeros, 19 | capabilities >> 32, 4 (MariaDB)
//              | user, 0 | reply with its length | database, 0 | plugin, 0 | attributes, length-encoded
//   switch     0xfe | plugin, 0 | scramble, 20 | 0
//
// Source: MariaDB KB, "Connection"; MySQL Internals, 14.2 and 14.6.18 (COM_CHANGE_USER).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mysql/protocol.h"

namespace tradewind::mysql {

struct Greeting {
  std::string version = {};  // "5.5.5-10.11.19-MariaDB": MariaDB's clients take the prefix away.
  uint32_t connection_id = 0;
  std::string scramble = {};  // kScrambleBytes, none of them zero.
  Capabilities capabilities = 0;
  uint8_t collation = 0;
  uint16_t status = 0;
  std::string plugin = {};
};

struct LoginResponse {
  Capabilities capabilities = 0;
  uint32_t largest_packet = 0;  // Bytes that the client takes.
  uint8_t collation = 0;
  std::string user = {};
  std::string reply = {};
  std::string database = {};    // Empty: none.
  std::string plugin = {};      // Empty: not said, which is kNativePassword.
  std::string attributes = {};  // Names and values, each with its length, as they came.
};

struct ChangeUser {
  std::string user = {};
  std::string reply = {};
  std::string database = {};
  uint16_t collation = 0;
  std::string plugin = {};
  std::string attributes = {};
};

struct AuthSwitch {
  std::string plugin = {};
  std::string scramble = {};  // Without the zero behind it.
};

// kCorrupt, MYSQL_PACKET_MALFORMED; kRefused, MYSQL_PROTOCOL_OLD, for a side without protocol 4.1.
Result<Greeting> ParseGreeting(std::string_view payload);
std::string EncodeGreeting(const Greeting& greeting);

// Whether the client wants to begin TLS now, and says the rest of its login in that (CLIENT_SSL; KB, "Connection": the
// SSLRequest packet is the head of a response).
bool IsTlsRequest(std::string_view payload);
Result<LoginResponse> ParseLoginResponse(std::string_view payload);
std::string EncodeLoginResponse(const LoginResponse& response);

// The payload of COM_CHANGE_USER, its first byte included.
Result<ChangeUser> ParseChangeUser(std::string_view payload, Capabilities capabilities);
std::string EncodeChangeUser(const ChangeUser& change, Capabilities capabilities);

Result<AuthSwitch> ParseAuthSwitch(std::string_view payload);
std::string EncodeAuthSwitch(const AuthSwitch& request);

}  // namespace tradewind::mysql
