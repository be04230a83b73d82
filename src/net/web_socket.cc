#include "net/web_socket.h"

#include <algorithm>
#include <boost/beast/core/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <boost/beast/websocket/stream_base.hpp>
#include <cstring>
#include <utility>

#include "base/ids.h"
#include "base/limits.h"
#include "net/http_wire.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"
#include "runtime/turns.h"

namespace tradewind::net {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using beast::error_code;

// What is read into at first; a message takes more as it comes.
constexpr size_t kLeastMessageBytes = 256;
constexpr size_t kKeptBytes = 4u << 10;
// Of a message: what is touched, or copied, at once.
constexpr size_t kPieceBytes = 64u << 10;
constexpr size_t kReasonBytes = 100;  // A control frame has 125.

// A connection as Beast wants one: its calls look synchronous, and suspend the fiber.
class FiberStream {
 public:
  using executor_type = asio::io_context::executor_type;

  FiberStream(runtime::Core& core, asio::io_context& context, UpgradedConnection upgraded)
      : core_(core), context_(context), upgraded_(std::move(upgraded)), turn_(core) {}

  executor_type get_executor() { return context_.get_executor(); }

  template <typename Buffers>
  size_t read_some(const Buffers& buffers) {
    error_code error;
    return read_some(buffers, error);
  }
  template <typename Buffers>
  size_t read_some(const Buffers& buffers, error_code& error) {
    for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
      const asio::mutable_buffer into(*at);
      if (into.size() > 0)
        return ReadInto(MutableBytes(static_cast<std::byte*>(into.data()), into.size()), error);
    }
    error = {};
    return 0;
  }
  template <typename Buffers>
  size_t write_some(const Buffers& buffers) {
    error_code error;
    return write_some(buffers, error);
  }
  template <typename Buffers>
  size_t write_some(const Buffers& buffers, error_code& error) {
    // A control frame, of the fiber that reads, does not go between the pieces of a message.
    const void* const writer = runtime::CurrentFiber();
    const bool of_message = turn_.holder() == writer;
    if (!of_message) turn_.Acquire(writer);
    std::string joined;
    joined.reserve(asio::buffer_size(buffers));
    for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
      const asio::const_buffer from(*at);
      joined.append(static_cast<const char*>(from.data()), from.size());
    }
    if (!of_message) connection().SetWriteDeadline(MessageDeadline(core_.Now(), 0));
    const Result<void> written = connection().Write(std::as_bytes(std::span(joined)));
    if (!of_message) turn_.Release(writer);
    error = written ? error_code() : error_code(asio::error::connection_reset);
    return written ? joined.size() : 0;
  }

  runtime::Connection& connection() { return *upgraded_.connection; }
  runtime::FairLock& turn() { return turn_; }
  // Between messages a peer may be idle; what it has begun it must bring to its end.
  void AwaitMessage() { began_.reset(); }
  // It is being closed: the peer's answer is waited for this long.
  void Linger() { closes_at_ = core_.Now() + limits::kHttpLinger; }

 private:
  size_t ReadInto(MutableBytes into, error_code& error) {
    error = {};
    size_t count = std::min(into.size(), upgraded_.already_read.size());
    if (count > 0) {
      std::memcpy(into.data(), upgraded_.already_read.data(), count);
      upgraded_.already_read.erase(0, count);
      if (upgraded_.already_read.empty()) std::string().swap(upgraded_.already_read);
    } else {
      const auto deadline = began_ ? MessageDeadline(*began_, come_) : core_.Now() + limits::kWebSocketIdle;
      connection().SetReadDeadline(closes_at_.value_or(deadline));
      const Result<size_t> read = connection().Read(into);
      if (!read || *read == 0) {
        error = read ? asio::error::make_error_code(asio::error::misc_errors::eof)
                     : error_code(asio::error::connection_reset);
        return 0;
      }
      count = *read;
    }
    if (!began_) {
      began_ = core_.Now();
      come_ = 0;
    }
    come_ += count;
    return count;
  }

  runtime::Core& core_;
  asio::io_context& context_;
  UpgradedConnection upgraded_;
  runtime::FairLock turn_;  // To write; its holder is a fiber.
  std::optional<runtime::TimePoint> began_;
  std::optional<runtime::TimePoint> closes_at_;
  uint64_t come_ = 0;
};

// How Beast ends the transport below.
void teardown(beast::role_type, FiberStream& stream, error_code& error) {
  stream.connection().EndOutput();
  error = {};
}

}  // namespace

struct WebSockets::Context {
  // Beast has a timer in each stream, which is never set; nothing runs here.
  asio::io_context nothing{1};
};

struct WebSocket::Stream {
  Stream(runtime::Core& on, asio::io_context& context, UpgradedConnection upgraded)
      : core(on), socket(on, context, std::move(upgraded)) {
    socket.auto_fragment(false);  // A message is one frame.
    socket.read_message_max(limits::kWebSocketMessageBytes);
    socket.control_callback([this](websocket::frame_type, beast::string_view) {
      if (message.empty()) socket.next_layer().AwaitMessage();
    });
  }
  // Answers the request that has asked for it. By itself, so that its large frame is gone while the connection is idle.
  [[gnu::noinline]] bool ShakeHands(const http::request<http::empty_body>& asked, const std::string& agreed) {
    socket.set_option(websocket::stream_base::decorator([&](websocket::response_type& answer) {
      answer.set(http::field::server, "tradewind");
      if (!agreed.empty()) answer.set(http::field::sec_websocket_protocol, agreed);
    }));
    error_code error;
    socket.accept(asked, error);
    socket.set_option(websocket::stream_base::decorator([](websocket::response_type&) {}));
    return !error;
  }
  // Fills `message` up to its end; what comes is counted in `held`.
  bool ReadMessage(MemoryCharge& held);
  // Makes room for more than has come; says so and closes when there is none.
  bool MakeRoom(size_t come, MemoryCharge& held);
  // Says why, and waits a while for the peer's answer.
  void Close(websocket::close_code code, std::string_view reason) {
    socket.next_layer().Linger();
    error_code ignored;
    socket.close({code, beast::string_view(reason.data(), reason.size())}, ignored);
  }

  runtime::Core& core;
  // Without deflate: it takes some 300 KiB a connection.
  websocket::stream<FiberStream, false> socket;
  std::string message;  // As far as it has come.
  bool dropped = false;
};

// Room is made for twice what has come, which is copied piece by piece, as it is touched.
bool WebSocket::Stream::MakeRoom(size_t come, MemoryCharge& held) {
  if (come == message.capacity() || message.empty()) {
    const size_t room = std::max({kLeastMessageBytes, message.capacity(), 2 * come});
    if (!held.TrySet(room)) {
      Close(websocket::close_code::try_again_later, "there is no memory for the message");
      return false;
    }
    std::string grown;
    if (room > message.capacity()) {
      grown.reserve(room);
      for (size_t at = 0; at < come; at += kPieceBytes) {
        grown.append(message, at, kPieceBytes);
        runtime::YieldIfTurnIsOver();
      }
      message = std::move(grown);
    }
  }
  message.resize(std::min(message.capacity(), come + kPieceBytes));
  runtime::YieldIfTurnIsOver();
  return true;
}

bool WebSocket::Stream::ReadMessage(MemoryCharge& held) {
  message.clear();
  socket.next_layer().AwaitMessage();
  size_t come = 0;
  do {
    if (come == message.size() && !MakeRoom(come, held)) return false;
    error_code error;
    come += socket.read_some(asio::buffer(message.data() + come, message.size() - come), error);
    if (error) return false;
  } while (!socket.is_message_done());
  message.resize(come);
  return true;
}

WebSocket::WebSocket(std::unique_ptr<Stream> stream, std::string protocol)
    : stream_(std::move(stream)), protocol_(std::move(protocol)) {}

WebSocket::~WebSocket() = default;

std::optional<WebSocket::Message> WebSocket::Read() {
  Message message;
  if (stream_->dropped || !stream_->ReadMessage(message.held)) return std::nullopt;
  if (!stream_->socket.got_text()) {
    stream_->Close(websocket::close_code::unknown_data, "messages are text here");
    return std::nullopt;
  }
  message.arrived = stream_->socket.next_layer().connection().arrived().value_or(stream_->core.Now());
  // What is small is copied, so that the next one finds its memory.
  if (stream_->message.size() <= kKeptBytes && stream_->message.capacity() <= 2 * kKeptBytes)
    message.text = stream_->message;
  else
    message.text = std::exchange(stream_->message, {});
  stream_->message.clear();
  message.held.Set(message.text.capacity());
  return message;
}

Result<void> WebSocket::Write(std::string_view text) {
  FiberStream& transport = stream_->socket.next_layer();
  const void* const writer = runtime::CurrentFiber();
  transport.turn().Acquire(writer);
  error_code error = asio::error::connection_reset;
  if (!stream_->dropped) {
    error = {};
    transport.connection().SetWriteDeadline(MessageDeadline(stream_->core.Now(), text.size()));
    stream_->socket.text(true);
    stream_->socket.write(asio::buffer(text.data(), text.size()), error);
  }
  transport.turn().Release(writer);
  if (!error) return {};
  Drop();
  return Fail(ErrorKind::kIo, "CONNECTION_LOST", "the WebSocket is closed: " + error.message());
}

void WebSocket::CloseAsBroken(std::string_view how) {
  if (stream_->dropped) return;
  stream_->Close(websocket::close_code::protocol_error, how.substr(0, kReasonBytes));
  Drop();
}

void WebSocket::Drop() {
  stream_->dropped = true;
  stream_->socket.next_layer().connection().Close();
}

// -- The handshake

namespace {

http::request<http::empty_body> ToBeast(const HttpRequest& request) {
  http::request<http::empty_body> out;
  out.method_string(beast::string_view(request.method.data(), request.method.size()));
  out.target(beast::string_view(request.target.data(), request.target.size()));
  out.version(11);
  for (size_t index = 0; index < request.headers.size(); ++index) {
    const auto [name, value] = request.headers[index];
    out.insert(beast::string_view(name.data(), name.size()), beast::string_view(value.data(), value.size()));
  }
  return out;
}

}  // namespace

bool AsksForWebSocket(const HttpRequest& request) {
  return request.method == "GET" && request.headers.HasToken("Connection", "upgrade") &&
         request.headers.HasToken("Upgrade", "websocket");
}

WebSockets::WebSockets(runtime::Core& core) : core_(core), context_(std::make_unique<Context>()) {}

WebSockets::~WebSockets() = default;

HttpResponse WebSockets::Accept(const HttpRequest& request, std::span<const std::string_view> protocols,
                                std::function<void(WebSocket&)> serve) {
  constexpr std::string_view kProtocols = "Sec-WebSocket-Protocol";
  std::string agreed;
  if (request.headers.Has(kProtocols)) {
    const auto offered = std::find_if(protocols.begin(), protocols.end(), [&](std::string_view protocol) {
      return request.headers.HasToken(kProtocols, protocol);
    });
    if (offered == protocols.end()) {
      return HttpResponse::Error(400, "none of the subprotocols that the WebSocket offers is spoken here");
    }
    agreed = *offered;
  }
  HttpResponse response;
  response.upgrade.emplace();
  response.upgrade->protocol = "websocket";
  response.upgrade->answers_itself = true;
  // Gone once it was answered: a connection may be idle for long.
  auto asked = std::make_shared<std::optional<http::request<http::empty_body>>>(ToBeast(request));
  response.upgrade->run = [this, asked, agreed, serve = std::move(serve)](UpgradedConnection upgraded) {
    WebSocket socket(std::make_unique<WebSocket::Stream>(core_, context_->nothing, std::move(upgraded)),
                     agreed);
    const bool open = socket.stream_->ShakeHands(**asked, agreed);
    asked->reset();
    // HTTP needed more of it than waiting for messages does.
    runtime::ReleaseUnusedStack();
    if (open) serve(socket);
    socket.Drop();
  };
  return response;
}

}  // namespace tradewind::net
