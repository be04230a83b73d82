#include "net/http_wire.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/ascii.h"
#include "base/limits.h"
#include "runtime/turns.h"

namespace tradewind::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using View = boost::beast::string_view;

// Of a body: what is touched, or copied, at once.
constexpr size_t kPieceBytes = 256u << 10;

std::string_view ToStd(View view) {
  return {view.data(), view.size()};
}

std::string_view ReasonOf(int status) {
  return ToStd(http::obsolete_reason(static_cast<http::status>(status)));
}

// Beast's parser with the fields going straight into Headers. Bodies of known length bypass it
// (MessageReader).
template <bool kRequest>
class Parser : public http::basic_parser<kRequest> {
 public:
  explicit Parser(Headers& headers) : headers_(headers) {
    this->header_limit(static_cast<uint32_t>(limits::kRequestHeaderBytes + limits::kSealedHeaderBytes));
    this->body_limit(limits::kSealedBodyBytes);
  }
  void CollectBodyIn(std::string& body) { body_ = &body; }

  std::string method;
  std::string target;
  int status = 0;
  int version = 11;

 private:
  void on_request_impl(http::verb, View method_text, View target_text, int http_version,
                       error_code&) override {
    method = ToStd(method_text);
    target = ToStd(target_text);
    version = http_version;
  }
  void on_response_impl(int code, View, int http_version, error_code&) override {
    status = code;
    version = http_version;
  }
  void on_field_impl(http::field, View name, View value, error_code&) override {
    headers_.Add(ToStd(name), ToStd(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  size_t on_body_impl(View body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override {
    body_->append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  Headers& headers_;
  std::string* body_ = nullptr;
};

Result<void> ToResult(const error_code& error) {
  if (!error) return {};
  if (error == http::error::body_limit)
    return Fail(ErrorKind::kTooLarge, "BODY_TOO_LARGE", "the body of the message is larger than the limit");
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return Fail(ErrorKind::kTooLarge, "HEADER_TOO_LARGE",
                "the header of the message is larger than the limit");
  return Fail(ErrorKind::kInvalid, "BAD_MESSAGE", "the message is not valid HTTP/1.1: " + error.message());
}

// Fields that belong to one connection, not to the message; the writer makes its own.
bool IsOfConnection(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "connection", "content-length", "transfer-encoding", "keep-alive", "upgrade", "expect",
      "te",         "trailer",        "proxy-connection",  "host"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view known) {
    return known.size() == name.size() && std::equal(known.begin(), known.end(), name.begin(),
                                                     [](char a, char b) { return a == (b | 0x20); });
  });
}

// With another transfer coding, or several, it is not certain where the body ends: what follows could be taken for a
// request by us, and for a part of the body by who passed it on, or the other way round.
bool IsChunkedAlone(const Headers& headers) {
  size_t codings = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (!EqualsIgnoringCase(name, "Transfer-Encoding")) continue;
    if (++codings > 1 || !EqualsIgnoringCase(value, "chunked")) return false;
  }
  return codings == 1;
}

void AppendNumber(std::string& out, uint64_t number) {
  std::array<char, 20> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

void AppendField(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

void AppendSealedFields(std::string& out, const Headers& headers, const Seal& seal) {
  for (const std::string_view name : kSealedFields)
    if (const auto value = headers.Get(name)) AppendField(out, name, *value);
  for (const std::string_view name : kLaterSealedFields)
    if (const auto value = headers.Get(name)) AppendField(out, name, *value);
  AppendField(out, kSealField, ToText(seal));
}

void AppendFields(std::string& out, const Headers& headers, const std::optional<Seal>& seal) {
  if (seal) return AppendSealedFields(out, headers, *seal);
  for (size_t i = 0; i < headers.size(); ++i) {
    auto [name, value] = headers[i];
    if (!IsOfConnection(name)) AppendField(out, name, value);
  }
}

void AppendLength(std::string& out, size_t length) {
  out += "Content-Length: ";
  AppendNumber(out, length);
  out += "\r\n";
}

}  // namespace

// -- Reading

Result<MessageReader::RequestFacts> MessageReader::ReadRequest(HttpRequest& request) {
  request.headers.Clear();
  // A connection must not keep the memory of the largest body that it ever carried.
  if (request.body.capacity() > limits::kHttpJoinedBodyBytes) std::string().swap(request.body);
  request.body.clear();
  body_.Set(0);
  DropLineBreaks();
  idle_ = !has_unread();
  if (idle_) {
    WantWithin(limits::kIdleHttpConnection);
    TW_TRY_ASSIGN(size_t count, Fill());
    if (count == 0) return RequestFacts{.ended = true};
    idle_ = false;
  }
  Parser<true> parser(request.headers);
  TW_TRY(ReadHeader(parser));
  request.method = std::move(parser.method);
  request.target = std::move(parser.target);
  if (request.headers.Has("Transfer-Encoding") && (parser.version != 11 || !IsChunkedAlone(request.headers)))
    return Fail(ErrorKind::kInvalid, "BAD_MESSAGE", "the request has a transfer coding other than chunked");
  const bool sealed = request.headers.Has(kSealField);
  if (!sealed && header_bytes_ > limits::kRequestHeaderBytes)
    TW_TRY(ToResult(http::make_error_code(http::error::header_limit)));
  TW_TRY(LimitBody(parser, sealed ? limits::kSealedBodyBytes : limits::kRequestBodyBytes));
  TW_TRY(CheckSealedLength(request.headers, parser.content_length().value_or(0)));
  RequestFacts facts{.ended = false, .keep_alive = parser.keep_alive(), .http_1_1 = parser.version == 11};
  if (parser.is_done()) return facts;
  TW_TRY(ContinueIfExpected(request));
  TW_TRY(ReadBody(parser, request.body));
  return facts;
}

Result<MessageReader::ResponseFacts> MessageReader::ReadResponse(HttpResponse& response, bool answers_head) {
  while (true) {
    response.headers.Clear();
    response.body.clear();
    Parser<false> parser(response.headers);
    parser.skip(answers_head);
    TW_TRY(ReadHeader(parser));
    response.status = parser.status;
    const bool sealed = response.headers.Has(kSealField);
    TW_TRY(LimitBody(parser, sealed ? limits::kSealedBodyBytes : limits::kAnswerBodyBytes));
    TW_TRY(CheckSealedLength(response.headers, parser.content_length().value_or(0)));
    if (response.status / 100 == 1 && response.status != 101) continue;
    ResponseFacts facts{.keep_alive = parser.keep_alive() && response.status != 101};
    if (!parser.is_done()) TW_TRY(ReadBody(parser, response.body));
    body_.Set(0);  // The caller has it from here on.
    return facts;
  }
}

template <typename Parser>
Result<void> MessageReader::ReadHeader(Parser& parser) {
  bool waits = false;
  header_bytes_ = 0;
  while (!parser.is_header_done()) {
    if (!parser.got_some()) DropLineBreaks();
    if (has_unread()) {
      error_code error;
      const size_t taken = parser.put(boost::asio::const_buffer(Unread().data(), Unread().size()), error);
      header_bytes_ += taken;
      Consume(taken);
      if (error != http::error::need_more) {
        TW_TRY(ToResult(error));
        continue;
      }
      // The rest of a header is on its way, unless its end was damaged.
      if (!std::exchange(waits, true)) SetDeadline(limits::kHttpHeaderTime);
    }
    TW_TRY(FillSome());
  }
  if (waits) connection_.SetReadDeadline(runtime::TimePoint::max());
  return {};
}

template <typename Parser>
Result<void> MessageReader::LimitBody(Parser& parser, size_t limit) {
  if (parser.is_done()) return {};
  if (parser.content_length() && *parser.content_length() > limit)
    return ToResult(http::make_error_code(http::error::body_limit));
  if (!parser.content_length()) parser.body_limit(limit);
  return {};
}

template <typename Parser>
Result<void> MessageReader::ReadBody(Parser& parser, std::string& body) {
  if (parser.content_length()) return ReadSizedBody(static_cast<size_t>(*parser.content_length()), body);
  if (parser.need_eof()) return ReadBodyToEnd(body);
  parser.CollectBodyIn(body);
  parser.eager(true);
  const runtime::TimePoint began = core_.Now();
  while (!parser.is_done()) {
    if (has_unread()) {
      TW_TRY(GrowForUnread(body));
      error_code error;
      Consume(parser.put(boost::asio::const_buffer(Unread().data(), Unread().size()), error));
      if (error != http::error::need_more) {
        TW_TRY(ToResult(error));
        continue;
      }
    }
    WantMoreOfBody(began, body.size());
    TW_TRY(FillSome());
  }
  return {};
}

// More room for a body. What is there is copied piece by piece, so that others of the core have their turns.
Result<void> MessageReader::Grow(std::string& body, size_t room) {
  TW_TRY(MakeRoom(room));
  std::string grown;
  grown.reserve(room);
  for (size_t at = 0; at < body.size(); at += kPieceBytes) {
    grown.append(body, at, kPieceBytes);
    runtime::YieldIfTurnIsOver();
  }
  body = std::move(grown);
  return {};
}

// Of a body whose length nobody has said.
Result<void> MessageReader::GrowForUnread(std::string& body) {
  const size_t wanted = body.size() + Unread().size();
  return wanted > body.capacity() ? Grow(body, std::max(wanted, 2 * body.capacity())) : Result<void>();
}

// Room is made for twice what is there, and once a good part of the body is there for all of it. It is touched piece by
// piece, as bytes come.
Result<void> MessageReader::ReadSizedBody(size_t size, std::string& body) {
  constexpr size_t kGoodPart = 4;
  size_t filled = std::min(size, Unread().size());
  body.assign(Unread().data(), filled);
  Consume(filled);
  const runtime::TimePoint began = core_.Now();
  while (filled < size) {
    if (filled == body.size()) {
      const size_t piece = std::min(size, filled + kPieceBytes);
      if (piece > body.capacity()) {
        const size_t room = filled >= size / kGoodPart ? size : std::max(piece, 2 * filled);
        TW_TRY(Grow(body, room));
      }
      body.resize(piece);
    }
    WantMoreOfBody(began, filled);
    TW_TRY_ASSIGN(size_t count, connection_.Read(std::as_writable_bytes(std::span(body).subspan(filled))));
    if (count == 0) return Fail(ErrorKind::kIo, "CONNECTION_LOST", "the peer ended in the middle of a body");
    filled += count;
  }
  return {};
}

Result<void> MessageReader::ReadBodyToEnd(std::string& body) {
  while (true) {
    TW_TRY(GrowForUnread(body));
    body += Unread();
    Consume(Unread().size());
    if (body.size() > limits::kAnswerBodyBytes)
      return ToResult(http::make_error_code(http::error::body_limit));
    TW_TRY_ASSIGN(size_t count, Fill());
    if (count == 0) return {};
  }
}

Result<void> MessageReader::ContinueIfExpected(const HttpRequest& request) {
  if (side_ != Side::kServer || has_unread() || !request.headers.HasToken("Expect", "100-continue"))
    return {};
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  return connection_.Write(std::as_bytes(std::span(kContinue)));
}

Result<size_t> MessageReader::Fill() {
  if (!has_unread()) begin_ = end_ = 0;
  if (end_ == capacity_ && begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == capacity_) {
    size_t grown = std::max(limits::kHttpReadBytes, 2 * capacity_);
    auto larger = std::make_unique_for_overwrite<char[]>(grown);
    if (end_ > 0) std::memcpy(larger.get(), buffer_.get(), end_);
    buffer_ = std::move(larger);
    capacity_ = grown;
  }
  TW_TRY_ASSIGN(size_t count,
                connection_.Read(std::as_writable_bytes(std::span(buffer_.get() + end_, capacity_ - end_))));
  end_ += count;
  return count;
}

Result<void> MessageReader::FillSome() {
  TW_TRY_ASSIGN(size_t count, Fill());
  if (count == 0) return Fail(ErrorKind::kIo, "CONNECTION_LOST", "the peer ended in the middle of a message");
  return {};
}

Result<void> MessageReader::MakeRoom(size_t bytes) {
  if (body_.TrySet(bytes)) return {};
  return Fail(ErrorKind::kTooLarge, "SERVER_MEMORY",
              "the body needs more memory than is left of what the server may have",
              "try again, or send less");
}

void MessageReader::WantWithin(runtime::Duration duration) {
  if (side_ == Side::kServer) SetDeadline(duration);
}

void MessageReader::WantMoreOfBody(runtime::TimePoint began, uint64_t come) {
  if (side_ == Side::kServer) connection_.SetReadDeadline(MessageDeadline(began, come));
}

void MessageReader::SetDeadline(runtime::Duration duration) {
  connection_.SetReadDeadline(core_.Now() + duration);
}

// Some clients send a line break behind a body (RFC 9112, section 2.2).
void MessageReader::DropLineBreaks() {
  while (Unread().starts_with('\r') || Unread().starts_with('\n')) Consume(1);
}

std::string MessageReader::TakeUnread() {
  std::string unread(Unread());
  buffer_.reset();
  capacity_ = begin_ = end_ = 0;
  return unread;
}

void MessageReader::BeginWith(std::string_view unread) {
  if (unread.empty()) return;
  buffer_ = std::make_unique_for_overwrite<char[]>(unread.size());
  capacity_ = end_ = unread.size();
  std::memcpy(buffer_.get(), unread.data(), unread.size());
}

// -- Writing

void AppendResponseHeader(std::string& out, const HttpResponse& response, ResponseFraming framing) {
  out += framing.http_1_1 ? "HTTP/1.1 " : "HTTP/1.0 ";
  AppendNumber(out, static_cast<uint64_t>(response.status));
  out += ' ';
  out += ReasonOf(response.status);
  out += "\r\n";
  AppendFields(out, response.headers, framing.seal);
  if (response.pieces && framing.http_1_1)
    out += "Transfer-Encoding: chunked\r\n";
  else if (!response.pieces && response.status != 204 && response.status != 304)
    AppendLength(out, response.body.size());
  if (!framing.keep_alive) {
    out += "Connection: close\r\n";
  } else if (!framing.http_1_1) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

void AppendUpgradeHeader(std::string& out, std::string_view protocol, const Headers& headers,
                         const std::optional<Seal>& seal) {
  out += "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n";
  AppendField(out, "Upgrade", protocol);
  AppendFields(out, headers, seal);
  out += "\r\n";
}

void AppendRequestHeader(std::string& out, const HttpRequest& request, const runtime::Address& host,
                         std::string_view upgrade, const std::optional<Seal>& seal) {
  out += request.method;
  out += ' ';
  out += request.target;
  out += " HTTP/1.1\r\n";
  if (auto named = request.headers.Get("Host"); named && !seal) {
    AppendField(out, "Host", *named);
  } else {
    AppendField(out, "Host", host.ToString());
  }
  AppendFields(out, request.headers, seal);
  if (!upgrade.empty()) {
    out += "Connection: Upgrade\r\n";
    AppendField(out, "Upgrade", upgrade);
  }
  if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD"))
    AppendLength(out, request.body.size());
  out += "\r\n";
}

runtime::TimePoint MessageDeadline(runtime::TimePoint began, uint64_t bytes) {
  return began + limits::kHttpMessageTime +
         std::chrono::milliseconds(bytes * 1000 / limits::kHttpLeastBytesPerSecond);
}

Result<void> PieceWriter::Write(std::string_view piece) {
  if (piece.empty()) return {};
  if (chunked_) {
    std::array<char, 16> size;
    out_.append(size.data(), std::to_chars(size.data(), size.data() + size.size(), piece.size(), 16).ptr);
    out_ += "\r\n";
  }
  // A large one is not copied: it lies here for as long as its client takes to read it.
  if (piece.size() > limits::kHttpJoinedBodyBytes) {
    TW_TRY(WriteMessage(core_, connection_, out_, piece));
    out_.clear();
  } else {
    out_ += piece;
  }
  if (chunked_) out_ += "\r\n";
  return Send();
}

Result<void> PieceWriter::End() {
  if (chunked_) out_ += "0\r\n\r\n";
  return Send();
}

Result<void> PieceWriter::Send() {
  if (out_.empty()) return {};
  connection_.SetWriteDeadline(MessageDeadline(core_.Now(), 0));
  TW_TRY(connection_.Write(std::as_bytes(std::span(out_))));
  out_.clear();
  return {};
}

Result<void> WriteMessage(runtime::Core& core, runtime::Connection& connection, std::string& header,
                          std::string_view body) {
  const runtime::TimePoint began = core.Now();
  connection.SetWriteDeadline(MessageDeadline(began, 0));
  if (body.size() <= limits::kHttpJoinedBodyBytes) {
    header += body;
    return connection.Write(std::as_bytes(std::span(header)));
  }
  TW_TRY(connection.Write(std::as_bytes(std::span(header))));
  for (size_t written = 0; written < body.size(); written += limits::kHttpPieceBytes) {
    connection.SetWriteDeadline(MessageDeadline(began, written));
    TW_TRY(connection.Write(std::as_bytes(std::span(body.substr(written, limits::kHttpPieceBytes)))));
  }
  return {};
}

}  // namespace tradewind::net
