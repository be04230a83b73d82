#include "net/web_socket.h"

#include <gtest/gtest.h>

#include <array>

#include "base/limits.h"
#include "net/http_server.h"
#include "runtime/fiber.h"
#include "runtime/real_core.h"

namespace tradewind::net {
namespace {

using std::chrono::seconds;

// RFC 6455, section 1.3.
constexpr std::string_view kHandshake =
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

class WebSocketTest : public testing::Test {
 protected:
  // Runs `body` beside a server that calls `serve`.
  void WithServer(std::function<void(WebSocket&)> serve, const std::function<void()>& body) {
    core_->RunUntilReturned("test", [&] {
      WebSockets sockets(*core_);
      static constexpr std::array<std::string_view, 2> kProtocols = {"new", "old"};
      auto server = HttpServer::Start(*core_, {"127.0.0.1", 0}, [&](const HttpRequest& request) {
        if (!AsksForWebSocket(request)) return HttpResponse::Text(200, "no WebSocket");
        return sockets.Accept(request, kProtocols, serve);
      });
      ASSERT_TRUE(server) << Describe(server.error());
      address_ = (*server)->local();
      body();
      connection_.reset();
      (*server)->Stop();
    });
  }
  // The answer's header.
  std::string Dial(std::string_view more = "") {
    connection_ = core_->network().Connect(address_, core_->Now() + seconds(20)).value();
    connection_->SetReadDeadline(core_->Now() + seconds(20));
    Send(std::string(kHandshake) + std::string(more) + "\r\n");
    std::string header;
    while (header.find("\r\n\r\n") == std::string::npos) {
      const std::string byte = Receive(1);
      if (byte.empty()) break;
      header += byte;
    }
    return header;
  }
  void Send(std::string_view bytes) { EXPECT_TRUE(connection_->Write(std::as_bytes(std::span(bytes)))); }
  // A whole frame as a client sends it, with a mask of zeros. `first`: 0x81 is a text, 0x89 a ping, 0x88 a close.
  void SendFrame(uint8_t first, std::string_view payload) {
    std::string frame{static_cast<char>(first)};
    if (payload.size() < 126) {
      frame += static_cast<char>(0x80 | payload.size());
    } else {
      frame += static_cast<char>(0xff);
      for (int shift = 56; shift >= 0; shift -= 8)
        frame += static_cast<char>(uint64_t{payload.size()} >> shift);
    }
    frame.append(4, '\0');
    frame += payload;
    Send(frame);
  }
  std::string Receive(size_t bytes) {
    std::string text(bytes, '\0');
    size_t come = 0;
    while (come < bytes) {
      const auto count = connection_->Read(std::as_writable_bytes(std::span(text).subspan(come)));
      if (!count || *count == 0) break;
      come += *count;
    }
    text.resize(come);
    return text;
  }
  // Of a close frame that comes next.
  int CloseCode() {
    const std::string frame = Receive(4);
    if (frame.size() < 4 || static_cast<uint8_t>(frame[0]) != 0x88) return 0;
    return static_cast<uint8_t>(frame[2]) * 256 + static_cast<uint8_t>(frame[3]);
  }
  static void Echo(WebSocket& socket) {
    while (auto message = socket.Read()) EXPECT_TRUE(socket.Write(message->text));
  }

  std::unique_ptr<runtime::RealCore> core_ = runtime::RealCore::Create();
  runtime::Address address_;
  std::unique_ptr<runtime::Connection> connection_;
};

TEST_F(WebSocketTest, GivesAndTakesWholeMessages) {
  WithServer(Echo, [&] {
    EXPECT_NE(Dial().find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
    SendFrame(0x81, "hello");
    EXPECT_EQ(Receive(7), "\x81\x05hello");
    SendFrame(0x01, "in ");  // A message in two frames.
    SendFrame(0x89, "are you there");
    SendFrame(0x80, "parts");
    EXPECT_EQ(Receive(15),
              "\x8a\x0d"
              "are you there");
    EXPECT_EQ(Receive(10), "\x81\x08in parts");
    const std::string large(300'000, 'x');
    SendFrame(0x81, large);
    EXPECT_EQ(Receive(10 + large.size()).substr(10), large);
    SendFrame(0x88, "");
    EXPECT_EQ(CloseCode(), 1000);
  });
}

TEST_F(WebSocketTest, TakesTheFirstOfItsProtocolsThatTheClientOffers) {
  std::string protocol;
  WithServer([&](WebSocket& socket) { protocol = socket.protocol(); },
             [&] {
               EXPECT_NE(
                   Dial("Sec-WebSocket-Protocol: strange, old, new\r\n").find("Sec-WebSocket-Protocol: new"),
                   std::string::npos);
               EXPECT_EQ(protocol, "new");
               EXPECT_TRUE(Dial("Sec-WebSocket-Protocol: strange\r\n").starts_with("HTTP/1.1 400"));
               EXPECT_TRUE(Dial().starts_with("HTTP/1.1 101"));
               EXPECT_EQ(protocol, "");
             });
}

TEST_F(WebSocketTest, ClosesWhatIsNoTextOrTooLongOrNoWebSocket) {
  WithServer(Echo, [&] {
    Dial();
    SendFrame(0x82, "binary");
    EXPECT_EQ(CloseCode(), 1003);
    Dial();
    // A frame that says that it is longer than a message may be.
    std::string header("\x81\xff\0\0\0\0", 6);
    header += "\x7f\xff\xff\xff";
    Send(header + std::string(4, '\0'));
    EXPECT_EQ(CloseCode(), 1009);
    Dial();
    Send("\x81\x05hello");  // Without a mask.
    EXPECT_EQ(CloseCode(), 1002);
    Dial();
    SendFrame(0x81, "\xff\xfe");
    EXPECT_EQ(CloseCode(), 1007) << "a text is UTF-8";
  });
}

TEST_F(WebSocketTest, WritesMessagesOfSeveralFibersOneAfterTheOther) {
  const std::string large(1'000'000, 'a');
  const auto serve = [&](WebSocket& socket) {
    runtime::TaskGroup writers(*core_);
    for (int i = 0; i < 3; ++i) writers.Spawn("writer", [&] { EXPECT_TRUE(socket.Write(large)); });
    while (socket.Read()) continue;
    writers.Join();
  };
  WithServer(serve, [&] {
    Dial();
    SendFrame(0x89, "ping");
    size_t messages = 0;
    bool has_pong = false;
    while (messages < 3 || !has_pong) {
      const std::string first = Receive(2);
      ASSERT_EQ(first.size(), 2u);
      if (static_cast<uint8_t>(first[0]) == 0x8a) {
        EXPECT_EQ(Receive(4), "ping");
        has_pong = true;
        continue;
      }
      ASSERT_EQ(static_cast<uint8_t>(first[0]), 0x81) << "in the middle of a message";
      Receive(8);
      EXPECT_EQ(Receive(large.size()), large);
      ++messages;
    }
  });
}

TEST_F(WebSocketTest, TellsOneWhoHasBrokenTheProtocolHow) {
  WithServer(
      [](WebSocket& socket) {
        socket.Read();
        socket.CloseAsBroken("that was wrong");
        EXPECT_FALSE(socket.Write("more"));
      },
      [&] {
        Dial();
        SendFrame(0x81, "what");
        EXPECT_EQ(Receive(18), std::string("\x88\x10\x03\xea") + "that was wrong");
      });
}

}  // namespace
}  // namespace tradewind::net
