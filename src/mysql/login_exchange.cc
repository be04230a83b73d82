#include "mysql/login_exchange.h"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "base/limits.h"
#include "mysql/fields.h"

namespace tradewind::mysql {
namespace {

// The reply to a scramble: of an account without a password, nothing.
std::string ReplyTo(std::string_view scramble, const Credentials& credentials) {
  return credentials.key ? NativeReply(*credentials.key, scramble) : std::string();
}

// Reads until the server has said OK or ERR; answers when it wants another reply, and notes the scramble for that.
Result<OrRefused<std::string>> AwaitOutcome(PacketChannel& server, const Credentials& credentials,
                                            std::string& scramble) {
  for (int switches = 0;; ++switches) {
    TW_TRY_ASSIGN(std::string payload, server.Read(limits::kMysqlLoginPacketBytes));
    const uint8_t header = FieldReader(payload).Peek();
    if (header == kErrorHeader) {
      TW_TRY_ASSIGN(ErrorPacket error, ParseError(payload));
      return OrRefused<std::string>(std::move(error));
    }
    if (header == kOkHeader && !payload.empty()) return OrRefused<std::string>(std::move(payload));
    TW_TRY_ASSIGN(const AuthSwitch request, ParseAuthSwitch(payload));
    if (switches > 0 || request.plugin != kNativePassword || request.scramble.size() != kScrambleBytes)
      return Fail(ErrorKind::kRefused, "MYSQL_PLUGIN_NOT_SUPPORTED",
                  "the account '" + credentials.user + "' logs in by " + request.plugin,
                  "give it a password of mysql_native_password");
    scramble = request.scramble;
    TW_TRY(server.Write(ReplyTo(scramble, credentials)));
  }
}

tl::unexpected<Error> Denied() {
  return Fail(ErrorKind::kUnauthorized, "MYSQL_ACCESS_DENIED", "the password is wrong, or the user unknown");
}

}  // namespace

std::string NewScramble(runtime::Core& core) {
  std::string scramble(kScrambleBytes, '\0');
  core.FillRandom(std::as_writable_bytes(std::span(scramble)));
  // As MariaDB makes it: seven bits, and neither the end of a text nor '$'.
  for (char& c : scramble) {
    c = static_cast<char>(c & 0x7f);
    if (c == '\0' || c == '$') ++c;
  }
  return scramble;
}

Result<LoginResponse> Greet(PacketChannel& client, const Greeting& greeting,
                            const std::function<void()>& begin_tls) {
  TW_TRY(client.Write(EncodeGreeting(greeting)));
  TW_TRY_ASSIGN(std::string payload, client.Read(limits::kMysqlLoginPacketBytes));
  if (IsTlsRequest(payload)) {
    if ((greeting.capabilities & capability::kTls) == 0)
      return Fail(ErrorKind::kRefused, "MYSQL_TLS_NOT_OFFERED",
                  "the client wants TLS, which this port does not have",
                  "let it connect without TLS (--skip-ssl of the mariadb command)");
    begin_tls();
    TW_TRY_ASSIGN(payload, client.Read(limits::kMysqlLoginPacketBytes));
  }
  TW_TRY_ASSIGN(LoginResponse response, ParseLoginResponse(payload));
  response.capabilities &= greeting.capabilities & ~capability::kTls;
  return response;
}

Result<std::optional<PasswordKey>> Authenticate(PacketChannel& client, const Proof& proof,
                                                const std::optional<PasswordVerifier>& verifier) {
  std::string reply(proof.reply);
  if (!proof.plugin.empty() && proof.plugin != kNativePassword) {
    TW_TRY(client.Write(EncodeAuthSwitch({kNativePassword, std::string(proof.scramble)})));
    TW_TRY_ASSIGN(reply, client.Read(limits::kMysqlLoginPacketBytes));
  }
  if (!verifier) {
    if (!reply.empty()) return Denied();
    return std::optional<PasswordKey>();
  }
  std::optional<PasswordKey> key = verifier->Recover(proof.scramble, reply);
  if (!key) return Denied();
  return key;
}

ErrorPacket AccessDenied(std::string_view user, std::string_view host, bool with_password) {
  return {error_number::kAccessDenied, "28000",
          fmt::format(
              "Access denied for user '{}'@'{}' (using password: {}); the tenant is named by USER@TENANT, "
              "or by the database",
              user, host, with_password ? "YES" : "NO")};
}

std::optional<std::string> ProxyHeader(const runtime::Address& client, const runtime::Address& server) {
  const auto family = [](const std::string& host) -> std::string_view {
    const auto only = [&](std::string_view characters) {
      return !host.empty() && host.find_first_not_of(characters) == std::string::npos;
    };
    if (only("0123456789.")) return "TCP4";
    if (only("0123456789abcdefABCDEF:.") && host.find(':') != std::string::npos) return "TCP6";
    return {};
  };
  const std::string_view of_client = family(client.host);
  if (of_client.empty() || of_client != family(server.host)) return std::nullopt;
  return fmt::format("PROXY {} {} {} {} {}\r\n", of_client, client.host, server.host, client.port,
                     server.port);
}

Result<OrRefused<LoggedIn>> LogIn(PacketChannel& server, const ServerLogin& login) {
  if (!login.proxy_header.empty()) TW_TRY(server.WriteBefore(login.proxy_header));
  TW_TRY_ASSIGN(const std::string first, server.Read(limits::kMysqlLoginPacketBytes));
  // A server that takes no more connections says so instead of greeting.
  if (FieldReader(first).Peek() == kErrorHeader) {
    TW_TRY_ASSIGN(ErrorPacket error, ParseError(first));
    return OrRefused<LoggedIn>(std::move(error));
  }
  TW_TRY_ASSIGN(const Greeting greeting, ParseGreeting(first));

  LoginResponse response;
  response.capabilities = login.capabilities & greeting.capabilities;
  if (login.database.empty()) response.capabilities &= ~capability::kConnectWithDatabase;
  response.largest_packet = login.largest_packet;
  response.collation = login.collation;
  response.user = login.credentials.user;
  response.database = login.database;
  response.plugin = kNativePassword;
  response.attributes = login.attributes;
  if (greeting.plugin == kNativePassword) response.reply = ReplyTo(greeting.scramble, login.credentials);
  TW_TRY(server.Write(EncodeLoginResponse(response)));

  LoggedIn session{response.capabilities, greeting.connection_id, greeting.version, greeting.scramble, {}};
  TW_TRY_ASSIGN(auto outcome, AwaitOutcome(server, login.credentials, session.scramble));
  if (auto* error = std::get_if<ErrorPacket>(&outcome)) return OrRefused<LoggedIn>(std::move(*error));
  session.ok = std::get<std::string>(std::move(outcome));
  return OrRefused<LoggedIn>(std::move(session));
}

Result<OrRefused<std::string>> ChangeUserAt(PacketChannel& server, const ServerLogin& login,
                                            LoggedIn& session) {
  const ChangeUser change{login.credentials.user, ReplyTo(session.scramble, login.credentials),
                          login.database,         login.collation,
                          kNativePassword,        login.attributes};
  server.BeginRequest();
  TW_TRY(server.Write(EncodeChangeUser(change, session.capabilities)));
  return AwaitOutcome(server, login.credentials, session.scramble);
}

}  // namespace tradewind::mysql
