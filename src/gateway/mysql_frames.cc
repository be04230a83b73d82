#include "gateway/mysql_frames.h"

#include <boost/json.hpp>
#include <limits>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/json_fields.h"
#include "base/limits.h"
#include "mysql/fields.h"
#include "mysql/packet_channel.h"
#include "net/api_error.h"

namespace tradewind::gateway {

namespace {

namespace json = boost::json;

// Names and what a server says are bytes, and JSON is text.
std::string Packed(std::string_view bytes) {
  return EncodeBase64(Base64::kStandard, bytes);
}

class Fields {
 public:
  explicit Fields(std::string_view text) : object_(ParseJsonObject(text)) {}
  std::string Text(const char* key) {
    const auto packed = object_ ? FindText(*object_, key) : std::nullopt;
    const auto bytes = packed ? DecodeBase64(Base64::kStandard, *packed) : std::nullopt;
    whole_ &= bytes.has_value();
    return bytes.value_or("");
  }
  template <typename Number>
  Number Count(const char* key) {
    const auto number = object_ ? FindUnsigned(*object_, key) : std::nullopt;
    whole_ &= number && *number <= std::numeric_limits<Number>::max();
    return static_cast<Number>(number.value_or(0));
  }
  bool Flag(const char* key) {
    const auto flag = object_ ? FindFlag(*object_, key) : std::nullopt;
    whole_ &= flag.has_value();
    return flag.value_or(false);
  }
  bool Has(const char* key) const { return object_ && FindField(*object_, key); }
  Result<void> Check() const {
    if (!whole_) return MysqlLinkConfused();
    return {};
  }

 private:
  const std::optional<json::object> object_;
  bool whole_ = true;
};

bool IsKnown(uint8_t kind) {
  return kind >= static_cast<uint8_t>(MysqlFrame::kLogin) && kind <= static_cast<uint8_t>(MysqlFrame::kEnded);
}

}  // namespace

tl::unexpected<Error> MysqlLinkConfused() {
  return Fail(ErrorKind::kCorrupt, "MYSQL_LINK_CONFUSED",
              "what a node says of a session of MySQL makes no sense",
              "run the same version of tradewind on all nodes");
}

void AppendFrame(std::string& out, MysqlFrame kind, std::string_view payload) {
  out += static_cast<char>(kind);
  mysql::AddInteger(out, payload.size(), 4);
  out += payload;
}

Result<MysqlFrameReader::Frame> MysqlFrameReader::Next() {
  for (;;) {
    if (unread_.size() >= kMysqlFrameHeaderBytes) {
      mysql::FieldReader header(unread_);
      const uint8_t kind = header.Byte();
      const uint32_t length = header.Word();
      if (!IsKnown(kind) || length > limits::kMysqlFrameBytes) return MysqlLinkConfused();
      if (unread_.size() - kMysqlFrameHeaderBytes >= length) {
        Frame frame{static_cast<MysqlFrame>(kind), unread_.substr(kMysqlFrameHeaderBytes, length)};
        unread_.erase(0, kMysqlFrameHeaderBytes + length);
        return frame;
      }
    }
    std::string more;
    TW_TRY(mysql::ReadPiece(connection_, more));
    unread_ += more;
  }
}

std::string EncodeLength(uint64_t bytes) {
  std::string payload;
  mysql::AddInteger(payload, bytes, 8);
  return payload;
}

uint64_t DecodeLength(std::string_view payload) {
  return mysql::FieldReader(payload).Integer(8);
}

std::string EncodeLinkCall(const MysqlLinkCall& call) {
  const mysql::ServerLogin& login = call.login;
  json::object object{{"tenant", Packed(call.tenant)},          {"epoch", call.epoch.value},
                      {"host", Packed(call.client.host)},       {"port", call.client.port},
                      {"user", Packed(login.credentials.user)}, {"database", Packed(login.database)},
                      {"capabilities", login.capabilities},     {"collation", login.collation},
                      {"largest_packet", login.largest_packet}, {"attributes", Packed(login.attributes)}};
  if (call.goes_on) object["goes_on"] = 1;
  if (const auto& key = login.credentials.key) {
    const auto& digest = key->digest();
    object["key"] = Packed({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }
  return json::serialize(object);
}

Result<MysqlLinkCall> DecodeLinkCall(std::string_view text) {
  Fields fields(text);
  MysqlLinkCall call;
  call.tenant = fields.Text("tenant");
  call.epoch = Epoch{fields.Count<uint64_t>("epoch")};
  call.client = {fields.Text("host"), fields.Count<uint16_t>("port")};
  call.login.credentials.user = fields.Text("user");
  call.login.database = fields.Text("database");
  call.login.capabilities = fields.Count<uint64_t>("capabilities");
  call.login.collation = fields.Count<uint8_t>("collation");
  call.login.largest_packet = fields.Count<uint32_t>("largest_packet");
  call.login.attributes = fields.Text("attributes");
  call.goes_on = fields.Has("goes_on");
  if (fields.Has("key")) {
    const std::string key = fields.Text("key");
    mysql::PasswordKey::Digest digest{};
    if (key.size() != digest.size()) return MysqlLinkConfused();
    std::memcpy(digest.data(), key.data(), digest.size());
    call.login.credentials.key.emplace(digest);
  }
  TW_TRY(fields.Check());
  return call;
}

std::string EncodeLoggedIn(const mysql::LoggedIn& at_server) {
  return json::serialize(json::object{{"capabilities", at_server.capabilities},
                                      {"connection_id", at_server.connection_id},
                                      {"version", Packed(at_server.version)},
                                      {"scramble", Packed(at_server.scramble)},
                                      {"ok", Packed(at_server.ok)}});
}

Result<mysql::LoggedIn> DecodeLoggedIn(std::string_view text) {
  Fields fields(text);
  mysql::LoggedIn at_server;
  at_server.capabilities = fields.Count<uint64_t>("capabilities");
  at_server.connection_id = fields.Count<uint32_t>("connection_id");
  at_server.version = fields.Text("version");
  at_server.scramble = fields.Text("scramble");
  at_server.ok = fields.Text("ok");
  TW_TRY(fields.Check());
  return at_server;
}

std::string EncodeAccountCall(const MysqlAccountCall& call) {
  return json::serialize(json::object{{"tenant", Packed(call.tenant)},
                                      {"epoch", call.epoch.value},
                                      {"user", Packed(call.user)},
                                      {"host", Packed(call.host)}});
}

Result<MysqlAccountCall> DecodeAccountCall(std::string_view text) {
  Fields fields(text);
  MysqlAccountCall call;
  call.tenant = fields.Text("tenant");
  call.epoch = Epoch{fields.Count<uint64_t>("epoch")};
  call.user = fields.Text("user");
  call.host = fields.Text("host");
  TW_TRY(fields.Check());
  return call;
}

std::string EncodeAccount(const MysqlAccount& account) {
  return json::serialize(json::object{
      {"known", account.known}, {"plugin", Packed(account.plugin)}, {"verifier", Packed(account.verifier)}});
}

Result<MysqlAccount> DecodeAccount(std::string_view text) {
  Fields fields(text);
  MysqlAccount account{fields.Flag("known"), fields.Text("plugin"), fields.Text("verifier")};
  TW_TRY(fields.Check());
  return account;
}

std::string EncodeError(const Error& error) {
  return net::ErrorResponse(error).body;
}

Error DecodeError(std::string_view text) {
  net::HttpResponse response;
  response.status = 500;
  response.body = text;
  return net::ParseErrorResponse(response);
}

}  // namespace tradewind::gateway
