#include "socket_client.h"

#include <array>
#include <span>

#include "net/url.h"

namespace tradewind::bench {

std::unique_ptr<SocketClient> SocketClient::Open(runtime::Core& core, net::HttpClient& http,
                                                 const std::string& url) {
  const auto parsed = net::ParseUrl(url);
  if (!parsed) return nullptr;
  net::HttpRequest request;
  request.target = parsed->target;
  request.headers.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  request.headers.Set("Sec-WebSocket-Version", "13");
  request.headers.Set("Sec-WebSocket-Protocol", "hrana3");
  auto upgraded =
      http.Upgrade(parsed->endpoint(), request, "websocket", core.Now() + std::chrono::seconds(10));
  if (!upgraded) return nullptr;
  std::unique_ptr<SocketClient> client(new SocketClient(*std::move(upgraded)));
  const bool greeted =
      client->Send(R"({"type":"hello","jwt":null})") && client->Receive() == R"({"type":"hello_ok"})";
  const bool opened =
      client->Send(R"({"type":"request","request_id":0,"request":{"type":"open_stream","stream_id":1}})") &&
      client->Receive().starts_with(R"({"type":"response_ok")");
  return greeted && opened ? std::move(client) : nullptr;
}

bool SocketClient::Execute(const std::string& sql, int64_t argument) {
  return Send(
             R"({"type":"request","request_id":1,"request":{"type":"execute","stream_id":1,"stmt":{"sql":")" +
             sql + R"(","args":[{"type":"integer","value":")" + std::to_string(argument) + R"("}]}}})") &&
         Receive().starts_with(R"({"type":"response_ok")");
}

bool SocketClient::Send(const std::string& message) {
  std::string frame("\x81");
  if (message.size() < 126) {
    frame += static_cast<char>(0x80 | message.size());
  } else {
    frame += "\xfe";
    frame += static_cast<char>(message.size() >> 8);
    frame += static_cast<char>(message.size());
  }
  frame.append(4, '\0');
  frame += message;
  return connection_->Write(std::as_bytes(std::span(frame))).has_value();
}

std::string SocketClient::Receive() {
  if (!Fill(2)) return "";
  size_t header = 2;
  size_t size = static_cast<uint8_t>(unread_[1]);
  if (size == 126) {
    header = 4;
    if (!Fill(header)) return "";
    size = size_t{static_cast<uint8_t>(unread_[2])} << 8 | static_cast<uint8_t>(unread_[3]);
  }
  if (!Fill(header + size)) return "";
  std::string message = unread_.substr(header, size);
  unread_.erase(0, header + size);
  return message;
}

bool SocketClient::Fill(size_t bytes) {
  while (unread_.size() < bytes) {
    std::array<std::byte, 4096> piece;
    const auto count = connection_->Read(piece);
    if (!count || *count == 0) return false;
    unread_.append(reinterpret_cast<const char*>(piece.data()), *count);
  }
  return true;
}

}  // namespace tradewind::bench
