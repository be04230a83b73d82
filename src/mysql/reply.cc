#include "mysql/reply.h"

#include <fmt/format.h>

#include <charconv>

#include "mysql/fields.h"

namespace tradewind::mysql {
namespace {

constexpr size_t kStateBytes = 5;
constexpr std::string_view kCodePrefix = "MYSQL_";

void ParseChange(uint8_t type, std::string_view text, std::vector<SessionChange>& into, bool& ok) {
  FieldReader reader(text);
  switch (type) {
    case static_cast<uint8_t>(SessionChange::What::kSystemVariable):
      while (reader.ok() && !reader.empty()) {
        SessionChange change{SessionChange::What::kSystemVariable};
        change.name = reader.LengthEncodedText();
        change.value = reader.LengthEncodedText();
        if (reader.ok()) into.push_back(std::move(change));
      }
      break;
    case static_cast<uint8_t>(SessionChange::What::kSchema):
      into.push_back({SessionChange::What::kSchema, {}, std::string(reader.LengthEncodedText())});
      break;
    // MariaDB writes "1" without a length before it, MySQL with one; that it is there says all.
    case static_cast<uint8_t>(SessionChange::What::kState):
      into.push_back({SessionChange::What::kState});
      break;
    default: break;
  }
  ok = ok && reader.ok();
}

}  // namespace

Result<ErrorPacket> ParseError(std::string_view payload) {
  FieldReader reader(payload);
  if (reader.Byte() != kErrorHeader) return Malformed("an error packet");
  ErrorPacket error;
  error.number = reader.Short();
  // An error before the login has no state.
  if (reader.Peek() == '#') {
    reader.Skip(1);
    error.state = reader.Text(kStateBytes);
  }
  error.message = reader.Rest();
  TW_TRY(reader.Check("an error packet"));
  return error;
}

Result<OkPacket> ParseOk(std::string_view payload, Capabilities capabilities) {
  FieldReader reader(payload);
  const uint8_t header = reader.Byte();
  if (header != kOkHeader && header != kEofHeader) return Malformed("an OK packet");
  OkPacket ok;
  ok.affected_rows = reader.LengthEncoded();
  ok.last_insert_id = reader.LengthEncoded();
  ok.status = reader.Short();
  ok.warnings = reader.Short();
  if ((capabilities & capability::kSessionTrack) == 0) {
    ok.info = reader.Rest();
  } else if (!reader.empty()) {
    ok.info = reader.LengthEncodedText();
    bool changes_ok = true;
    if (ok.status & status::kSessionStateChanged) {
      FieldReader changes(reader.LengthEncodedText());
      while (changes.ok() && changes_ok && !changes.empty()) {
        const uint8_t type = changes.Byte();
        ParseChange(type, changes.LengthEncodedText(), ok.changes, changes_ok);
      }
      changes_ok = changes_ok && changes.ok();
    }
    if (!changes_ok) return Malformed("an OK packet's list of changes");
  }
  TW_TRY(reader.Check("an OK packet"));
  return ok;
}

Result<OkPacket> ParseEof(std::string_view payload, Capabilities capabilities) {
  if (capabilities & capability::kDeprecateEof) return ParseOk(payload, capabilities);
  FieldReader reader(payload);
  if (reader.Byte() != kEofHeader) return Malformed("an EOF packet");
  OkPacket eof;
  eof.warnings = reader.Short();
  eof.status = reader.Short();
  TW_TRY(reader.Check("an EOF packet"));
  return eof;
}

std::string EncodeError(const ErrorPacket& error) {
  std::string payload(1, static_cast<char>(kErrorHeader));
  AddInteger(payload, error.number, 2);
  payload += '#';
  payload += error.state;
  payload += error.message;
  return payload;
}

std::string EncodeOk(const OkPacket& ok, Capabilities capabilities) {
  std::string payload(1, static_cast<char>(kOkHeader));
  AddLengthEncoded(payload, ok.affected_rows);
  AddLengthEncoded(payload, ok.last_insert_id);
  AddInteger(payload, ok.status & ~status::kSessionStateChanged, 2);
  AddInteger(payload, ok.warnings, 2);
  if (capabilities & capability::kSessionTrack)
    AddLengthEncodedText(payload, ok.info);
  else
    payload += ok.info;
  return payload;
}

Error ToError(const ErrorPacket& error) {
  const ErrorKind kind =
      error.number == error_number::kAccessDenied ? ErrorKind::kUnauthorized : ErrorKind::kRefused;
  return Error{kind, fmt::format("{}{}", kCodePrefix, error.number), error.message, {}};
}

ErrorPacket ToErrorPacket(const Error& error) {
  ErrorPacket packet;
  if (error.code.starts_with(kCodePrefix))
    std::from_chars(error.code.data() + kCodePrefix.size(), error.code.data() + error.code.size(),
                    packet.number);
  packet.message = error.message;
  return packet;
}

}  // namespace tradewind::mysql
