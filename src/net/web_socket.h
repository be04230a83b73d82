// WebSocket (RFC 6455) at the server's side, on Beast's: text messages, one after the other, whole.
//
//   - A message that is longer than its bound ends the connection (1009), as does one for which there is no memory (1013), a
//     binary one (1003), or what is no WebSocket (1002).
//   - A message that has begun to come must have come by MessageDeadline() (http_wire.h); one that is written must be taken
//     by it. Between messages a connection may be idle for limits::kWebSocketIdle.
//   - Messages are written one at a time, and a control frame never in the middle of one: who comes waits for its turn.
//   - Pings are answered while somebody reads. None are sent: the system notices a peer that is gone (SO_KEEPALIVE).
//   - An idle one costs its connection, some 2 KiB here, and the fiber that reads.
//
// Beast is included in web_socket.cc only. This core only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/memory_pool.h"
#include "base/result.h"
#include "net/http.h"
#include "runtime/core.h"

namespace tradewind::net {

class WebSocket {
 public:
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  struct Message {
    std::string text;
    MemoryCharge held{MemoryKind::kBodies};
    runtime::TimePoint arrived{};  // When its end reached this machine.
  };
  // The next message; none once the peer has closed, or is gone, or was told why it was closed. One fiber at a time.
  // Suspends.
  std::optional<Message> Read();
  // Suspends until the text is with the transport; waits for others that write. Fails once the connection is closed, or when
  // the peer takes it too slowly, which closes it.
  Result<void> Write(std::string_view text);
  // Tells the peer how it has broken the protocol (1002), if it is there, and closes. Suspends. Not while another fiber reads.
  void CloseAsBroken(std::string_view how);
  // Closes without a word; calls in progress end. Does not suspend.
  void Drop();

  // The subprotocol that both have agreed on; empty when the client has asked for none.
  const std::string& protocol() const { return protocol_; }

 private:
  friend class WebSockets;
  struct Stream;
  WebSocket(std::unique_ptr<Stream> stream, std::string protocol);

  std::unique_ptr<Stream> stream_;
  const std::string protocol_;
};

// What the WebSockets of one core have in common.
class WebSockets {
 public:
  explicit WebSockets(runtime::Core& core);
  ~WebSockets();

  // The answer to a request that asks for a WebSocket: an upgrade, in which `serve` is called once it is open, and the
  // connection closed when that returns. Of `protocols` the first that the client offers is taken; it may offer none, but if it
  // does, one of them. Does not suspend.
  HttpResponse Accept(const HttpRequest& request, std::span<const std::string_view> protocols,
                      std::function<void(WebSocket&)> serve);

 private:
  struct Context;
  runtime::Core& core_;
  const std::unique_ptr<Context> context_;
};

// Whether the request asks to leave HTTP for a WebSocket.
bool AsksForWebSocket(const HttpRequest& request);

}  // namespace tradewind::net
