// A login as a proxy does it: it greets its client and checks who it is, recovers the key of the client's password from
// the reply, and logs in with that key at the server behind it, now and after each move (native_password.h).
//
//   Greet → (the caller finds out the account's verifier) → Authenticate → LogIn at the server → relay its OK or ERR
//
// Each suspends the calling fiber; deadlines are those of the channels' connections. Errors of the connection are
// passed on; kCorrupt, MYSQL_PACKET_MALFORMED, for what is no login.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "mysql/login.h"
#include "mysql/native_password.h"
#include "mysql/packet_channel.h"
#include "mysql/protocol.h"
#include "mysql/reply.h"
#include "runtime/core.h"
#include "runtime/network.h"

namespace tradewind::mysql {

// Twenty random bytes, none of them zero.
std::string NewScramble(runtime::Core& core);

// Says the greeting to a client and reads its response, whose capabilities are then those that both sides have, but for TLS.
// Where the greeting offers that (capability::kTls) and the client takes it, `begin_tls` lets the channel go on in it.
// kRefused as ParseLoginResponse() does, and MYSQL_TLS_NOT_OFFERED; the client has not been told.
Result<LoginResponse> Greet(PacketChannel& client, const Greeting& greeting,
                            const std::function<void()>& begin_tls = {});

// What a client has shown about itself.
struct Proof {
  std::string_view scramble;
  std::string_view plugin;  // That made the reply.
  std::string_view reply;
};
// The key that a client has proven to know; nothing for an account without a password (`verifier` nothing), whose
// client must reply with nothing. Asks a client that replied by another plugin to do it again by kNativePassword.
// kUnauthorized, MYSQL_ACCESS_DENIED; the client has not been told. For a user who is not known, give the verifier of a
// random key: that takes as long as a wrong password.
Result<std::optional<PasswordKey>> Authenticate(PacketChannel& client, const Proof& proof,
                                                const std::optional<PasswordVerifier>& verifier);

// "Access denied for user 'u'@'host' (using password: YES)", as a server says it; and how a tenant is named, for who has
// named none.
ErrorPacket AccessDenied(std::string_view user, std::string_view host, bool with_password);

struct Credentials {
  std::string user;
  std::optional<PasswordKey> key;  // None: no password.
};

struct ServerLogin {
  Credentials credentials;
  std::string database = {};                         // Empty: none.
  Capabilities capabilities = capability::kRelayed;  // As far as the server has them.
  uint8_t collation = kUtf8mb4;
  uint32_t largest_packet = 1u << 30;
  std::string attributes = {};    // As LoginResponse has them.
  std::string proxy_header = {};  // Of ProxyHeader(); empty: the server sees the proxy's own host.
};
// What goes before all else to a server whose proxy_protocol_networks have the proxy's host: it takes the connection for
// one of `client`, whose account and USER() are of that host then. Both addresses are numeric; nothing for one that is
// not, or for two families. Source: the PROXY protocol, version 1 (haproxy.org, proxy-protocol.txt, 2.1).
std::optional<std::string> ProxyHeader(const runtime::Address& client, const runtime::Address& server);

struct LoggedIn {
  Capabilities capabilities = 0;  // That both sides have.
  uint32_t connection_id = 0;     // Of the server: what KILL takes.
  std::string version = {};
  std::string scramble = {};  // That the server sent last: for ChangeUserAt().
  std::string ok = {};        // The payload of the server's OK.
};
// What the server has refused, it says in an ErrorPacket.
template <typename T>
using OrRefused = std::variant<T, ErrorPacket>;

// Logs in at a server that was just connected to. kRefused, MYSQL_PLUGIN_NOT_SUPPORTED, when the account there needs
// another plugin than kNativePassword.
Result<OrRefused<LoggedIn>> LogIn(PacketChannel& server, const ServerLogin& login);

// COM_CHANGE_USER with the credentials, `database` and so on of `login`, at a server where `session` is. The OK's
// payload. After a refusal the server closes the connection.
Result<OrRefused<std::string>> ChangeUserAt(PacketChannel& server, const ServerLogin& login,
                                            LoggedIn& session);

}  // namespace tradewind::mysql
