// TLS on a connection, whatever carries that: OpenSSL's records over a runtime::Connection, and itself one. What it adds
// to the words there:
//
//   - The end. A peer that ends the connection without saying so in TLS has not ended the stream: TLS_TRUNCATED (kIo), for
//     somebody between the two may have cut it off. Close() and EndOutput() say it.
//   - Idle, it keeps no buffer.
//   - From core to core it goes with all that it has agreed on (runtime/detached_connection.h).
//   - PeerState is what the transport knows.
//
// What a handshake costs its core is one signature (a millisecond for RSA of 2048 bits), within a turn.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/tls.h"
#include "runtime/core.h"
#include "runtime/network.h"

namespace tradewind::net {

// The server's side, of what a client has begun or will begin. The handshake is part of the first Read or Write, and has
// limits::kTlsHandshake from then on; until it is over only one fiber may use the connection. Fails there, and for good, with
// kIo: TLS_HANDSHAKE_FAILED, TLS_NOT_SPOKEN (what came is no TLS), TLS_TRUNCATED; kTimeout: TLS_HANDSHAKE_TIMEOUT.
// `already_read` of the client's bytes. `plain_answer` is told, without TLS, to who begins with a letter, as HTTP does; it
// lives for ever. Does not suspend.
std::unique_ptr<runtime::Connection> ServeTls(runtime::Core& core,
                                              std::unique_ptr<runtime::Connection> connection,
                                              std::shared_ptr<const TlsIdentity> identity,
                                              std::string already_read = {},
                                              std::string_view plain_answer = {});

// The client's side: suspends until the server, whose name or address is `host`, has shown that it is believed. Fails, and
// has closed it, with kUnavailable: TLS_CERTIFICATE_EXPIRED, TLS_CERTIFICATE_NOT_YET_VALID, TLS_UNKNOWN_CA, TLS_WRONG_NAME,
// TLS_CERTIFICATE_REFUSED, TLS_NOT_SPOKEN, TLS_HANDSHAKE_FAILED, TLS_TRUNCATED; kTimeout: TLS_HANDSHAKE_TIMEOUT.
Result<std::unique_ptr<runtime::Connection>> ConnectTls(runtime::Core& core,
                                                        std::unique_ptr<runtime::Connection> connection,
                                                        const TlsTrust& trust, const std::string& host,
                                                        runtime::TimePoint deadline);

}  // namespace tradewind::net
