#include "mysql/login.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "mysql/fields.h"
#include "mysql/native_password.h"

namespace tradewind::mysql {
namespace {

constexpr uint8_t kProtocolVersion = 10;
constexpr size_t kScrambleHead = 8;
constexpr size_t kResponseHead = 32;   // What is before the user.
constexpr size_t kLongestReply = 255;  // Of one with its length in one byte.

tl::unexpected<Error> TooOld(std::string_view who) {
  return Fail(ErrorKind::kRefused, "MYSQL_PROTOCOL_OLD",
              fmt::format("{} does not speak protocol 4.1 of MySQL", who));
}

bool Has(Capabilities all, Capabilities some) {
  return (all & some) == some;
}

// What MariaDB has beyond 32 bits stands where MySQL has zeros.
Capabilities Extended(uint32_t word, Capabilities capabilities) {
  return Has(capabilities, capability::kMysql) ? capabilities : capabilities | uint64_t{word} << 32;
}

}  // namespace

Result<Greeting> ParseGreeting(std::string_view payload) {
  FieldReader reader(payload);
  if (reader.Byte() != kProtocolVersion) return TooOld("the server");
  Greeting greeting;
  greeting.version = reader.ZeroEndedText();
  greeting.connection_id = reader.Word();
  greeting.scramble = reader.Text(kScrambleHead);
  reader.Skip(1);
  greeting.capabilities = reader.Short();
  greeting.collation = reader.Byte();
  greeting.status = reader.Short();
  greeting.capabilities |= uint64_t{reader.Short()} << 16;
  const size_t scramble_bytes = reader.Byte();
  reader.Skip(6);
  greeting.capabilities = Extended(reader.Word(), greeting.capabilities);
  if (!Has(greeting.capabilities, capability::kRequired)) return TooOld("the server");
  // At least 13 bytes, the last of them a zero that does not count.
  std::string_view tail = reader.Text(std::max<size_t>(kScrambleBytes + 1, scramble_bytes) - kScrambleHead);
  if (tail.ends_with('\0')) tail.remove_suffix(1);
  greeting.scramble += tail;
  if (greeting.capabilities & capability::kPluginAuth) greeting.plugin = reader.ZeroEndedText();
  TW_TRY(reader.Check("a server's greeting"));
  return greeting;
}

std::string EncodeGreeting(const Greeting& greeting) {
  TW_CHECK(greeting.scramble.size() == kScrambleBytes, "a scramble has twenty bytes");
  const bool extended = (greeting.capabilities & capability::kMysql) == 0;
  std::string payload(1, static_cast<char>(kProtocolVersion));
  AddZeroEndedText(payload, greeting.version);
  AddInteger(payload, greeting.connection_id, 4);
  payload += greeting.scramble.substr(0, kScrambleHead);
  payload += '\0';
  AddInteger(payload, greeting.capabilities & 0xffff, 2);
  AddInteger(payload, greeting.collation, 1);
  AddInteger(payload, greeting.status, 2);
  AddInteger(payload, greeting.capabilities >> 16 & 0xffff, 2);
  AddInteger(payload, greeting.capabilities & capability::kPluginAuth ? kScrambleBytes + 1 : 0, 1);
  payload.append(6, '\0');
  AddInteger(payload, extended ? greeting.capabilities >> 32 : 0, 4);
  AddZeroEndedText(payload, greeting.scramble.substr(kScrambleHead));
  if (greeting.capabilities & capability::kPluginAuth) AddZeroEndedText(payload, greeting.plugin);
  return payload;
}

bool IsTlsRequest(std::string_view payload) {
  return payload.size() == kResponseHead && Has(FieldReader(payload).Word(), capability::kTls);
}

Result<LoginResponse> ParseLoginResponse(std::string_view payload) {
  FieldReader reader(payload);
  LoginResponse response;
  response.capabilities = reader.Word();
  if (!Has(response.capabilities, capability::kRequired)) return TooOld("the client");
  response.largest_packet = reader.Word();
  response.collation = reader.Byte();
  reader.Skip(19);
  response.capabilities = Extended(reader.Word(), response.capabilities);
  TW_TRY(reader.Check("a login"));
  response.user = reader.ZeroEndedText();
  response.reply = Has(response.capabilities, capability::kLongAuthReply) ? reader.LengthEncodedText()
                                                                          : reader.Text(reader.Byte());
  if (Has(response.capabilities, capability::kConnectWithDatabase))
    response.database = reader.ZeroEndedText();
  // Clients have been seen to leave out what is last.
  if (Has(response.capabilities, capability::kPluginAuth) && !reader.empty())
    response.plugin = reader.ZeroEndedText();
  if (Has(response.capabilities, capability::kConnectAttributes) && !reader.empty())
    response.attributes = reader.LengthEncodedText();
  TW_TRY(reader.Check("a login"));
  return response;
}

std::string EncodeLoginResponse(const LoginResponse& response) {
  std::string payload;
  const Capabilities capabilities = response.capabilities;
  AddInteger(payload, capabilities & 0xffffffff, 4);
  AddInteger(payload, response.largest_packet, 4);
  AddInteger(payload, response.collation, 1);
  payload.append(19, '\0');
  AddInteger(payload, Has(capabilities, capability::kMysql) ? 0 : capabilities >> 32, 4);
  AddZeroEndedText(payload, response.user);
  if (Has(capabilities, capability::kLongAuthReply)) {
    AddLengthEncodedText(payload, response.reply);
  } else {
    TW_CHECK(response.reply.size() <= kLongestReply, "a reply to a scramble is short");
    AddInteger(payload, response.reply.size(), 1);
    payload += response.reply;
  }
  if (Has(capabilities, capability::kConnectWithDatabase)) AddZeroEndedText(payload, response.database);
  if (Has(capabilities, capability::kPluginAuth)) AddZeroEndedText(payload, response.plugin);
  if (Has(capabilities, capability::kConnectAttributes)) AddLengthEncodedText(payload, response.attributes);
  return payload;
}

Result<ChangeUser> ParseChangeUser(std::string_view payload, Capabilities capabilities) {
  FieldReader reader(payload);
  if (reader.Byte() != static_cast<uint8_t>(Command::kChangeUser)) return Malformed("a change of user");
  ChangeUser change;
  change.user = reader.ZeroEndedText();
  change.reply = reader.Text(reader.Byte());
  change.database = reader.ZeroEndedText();
  if (!reader.empty()) change.collation = reader.Short();
  if (Has(capabilities, capability::kPluginAuth) && !reader.empty()) change.plugin = reader.ZeroEndedText();
  if (Has(capabilities, capability::kConnectAttributes) && !reader.empty())
    change.attributes = reader.LengthEncodedText();
  TW_TRY(reader.Check("a change of user"));
  return change;
}

std::string EncodeChangeUser(const ChangeUser& change, Capabilities capabilities) {
  TW_CHECK(change.reply.size() <= kLongestReply, "a reply to a scramble is short");
  std::string payload(1, static_cast<char>(Command::kChangeUser));
  AddZeroEndedText(payload, change.user);
  AddInteger(payload, change.reply.size(), 1);
  payload += change.reply;
  AddZeroEndedText(payload, change.database);
  AddInteger(payload, change.collation, 2);
  if (Has(capabilities, capability::kPluginAuth)) AddZeroEndedText(payload, change.plugin);
  if (Has(capabilities, capability::kConnectAttributes)) AddLengthEncodedText(payload, change.attributes);
  return payload;
}

Result<AuthSwitch> ParseAuthSwitch(std::string_view payload) {
  FieldReader reader(payload);
  if (reader.Byte() != 0xfe) return Malformed("a request for another authentication");
  AuthSwitch request;
  request.plugin = reader.ZeroEndedText();
  request.scramble = reader.Rest();
  if (request.scramble.ends_with('\0')) request.scramble.pop_back();
  TW_TRY(reader.Check("a request for another authentication"));
  return request;
}

std::string EncodeAuthSwitch(const AuthSwitch& request) {
  std::string payload(1, static_cast<char>(0xfe));
  AddZeroEndedText(payload, request.plugin);
  AddZeroEndedText(payload, request.scramble);
  return payload;
}

}  // namespace tradewind::mysql
