// Any bytes as the frames of a client's WebSocket, in pieces as a network gives them.
#include "net/web_socket.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "given_bytes.h"
#include "runtime/test_core.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  static const auto core = std::make_unique<runtime::TestCore>();
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const size_t piece = size_t{bytes[0]} + 1;
  core->Run([&] {
    net::WebSockets sockets(*core);
    net::HttpRequest request;
    request.target = "/";
    request.headers = {{"Host", "a"},
                       {"Upgrade", "websocket"},
                       {"Connection", "Upgrade"},
                       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                       {"Sec-WebSocket-Version", "13"}};
    const net::HttpResponse answer = sockets.Accept(request, {}, [&](net::WebSocket& socket) {
      while (const auto message = socket.Read()) {
        TW_CHECK(message->text.size() <= limits::kWebSocketMessageBytes, "a message has a bound");
        if (!socket.Write(message->text)) return;
      }
    });
    TW_CHECK(answer.upgrade.has_value(), "the handshake is right");
    answer.upgrade->run({std::make_unique<fuzz::GivenBytes>(text, piece), ""});
  });
  return 0;
}
