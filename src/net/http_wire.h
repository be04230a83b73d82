// HTTP/1.1 messages on a connection. Beast's parser is the grammar; this file decides what is read when, and
// where it goes:
//
//   - header bytes pass through one small buffer, which is all that an idle connection costs;
//   - a body of known length is read straight into the message, and its string grows with what has really
//     come, so that a Content-Length alone reserves nothing; a chunked body goes through the parser;
//   - bytes behind a message stay in the buffer: they are the next pipelined request, or belong to what an
//     upgrade starts.
//
// Beast is included in http_wire.cc only.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/memory_pool.h"
#include "base/result.h"
#include "net/http.h"
#include "net/seal.h"
#include "runtime/network.h"

namespace tradewind::net {

// Reads messages from one connection. One fiber at a time; both outlive it.
//
// Errors: kInvalid BAD_MESSAGE (not HTTP), kTooLarge BODY_TOO_LARGE, HEADER_TOO_LARGE or SERVER_MEMORY (the body grows
// by more than is left of what the process may have), or the connection's own (an end in the middle of a message is kIo). After any of them the connection cannot carry another
// message.
class MessageReader {
 public:
  // A server's reader sets read deadlines, none of which another byte restarts: limits::kIdleHttpConnection between
  // requests, limits::kHttpHeaderTime for a header, for a body what MessageDeadline() says; and it answers
  // "Expect: 100-continue". A client's leaves them
  // to its caller, but for limits::kHttpHeaderTime.
  enum class Side { kServer, kClient };
  MessageReader(runtime::Core& core, runtime::Connection& connection, Side side)
      : core_(core), connection_(connection), side_(side) {}

  struct RequestFacts {
    bool ended = false;  // The peer ended the stream where a request would have begun; nothing else is set.
    bool keep_alive = false;
    bool http_1_1 = false;
  };
  // Replaces all of `request` but its peer. The target is not yet split. Suspends.
  Result<RequestFacts> ReadRequest(HttpRequest& request);

  struct ResponseFacts {
    bool keep_alive = false;
  };
  // Skips interim (1xx) responses, but not 101. Suspends.
  Result<ResponseFacts> ReadResponse(HttpResponse& response, bool answers_head);

  // Reads once into the buffer; 0 is the end of the stream. Suspends.
  Result<size_t> Fill();

  // No byte of a next message has come yet.
  bool idle() const { return idle_; }
  bool has_unread() const { return begin_ < end_; }
  // Bytes that were read and belong to no message. Nothing of the reader is left but itself.
  std::string TakeUnread();
  // Those of a connection that another reader has begun with. Before anything is read.
  void BeginWith(std::string_view unread);

 private:
  template <typename Parser>
  Result<void> ReadHeader(Parser& parser);
  template <typename Parser>
  static Result<void> LimitBody(Parser& parser, size_t limit);
  template <typename Parser>
  Result<void> ReadBody(Parser& parser, std::string& body);
  Result<void> Grow(std::string& body, size_t room);
  Result<void> GrowForUnread(std::string& body);
  Result<void> ReadSizedBody(size_t size, std::string& body);
  Result<void> ReadBodyToEnd(std::string& body);
  Result<void> ContinueIfExpected(const HttpRequest& request);
  Result<void> FillSome();  // Like Fill, but the end of the stream is an error.
  void WantWithin(runtime::Duration duration);
  // Before a body takes so much.
  Result<void> MakeRoom(size_t bytes);
  // The rest of a body of which so much has come, since `began`.
  void WantMoreOfBody(runtime::TimePoint began, uint64_t come);
  void SetDeadline(runtime::Duration duration);
  std::string_view Unread() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void Consume(size_t count) { begin_ += count; }
  void DropLineBreaks();

  runtime::Core& core_;
  runtime::Connection& connection_;
  const Side side_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  MemoryCharge body_{MemoryKind::kBodies};  // Of the message that was read last.
  size_t header_bytes_ = 0;                 // Of the message that is being read.
  bool idle_ = true;
};

// How to write a response's header; the body follows it.
// What has `pieces` has no length.
// With a seal only the fields that it covers are written.
struct ResponseFraming {
  bool keep_alive = true;
  bool http_1_1 = true;
  std::optional<Seal> seal = std::nullopt;
};
void AppendResponseHeader(std::string& out, const HttpResponse& response, ResponseFraming framing);
void AppendUpgradeHeader(std::string& out, std::string_view protocol, const Headers& headers,
                         const std::optional<Seal>& seal = std::nullopt);
// `upgrade` names the protocol to ask for; empty for none.
void AppendRequestHeader(std::string& out, const HttpRequest& request, const runtime::Address& host,
                         std::string_view upgrade = {}, const std::optional<Seal>& seal = std::nullopt);

// When a message whose body began then, and of which so much has passed, must have passed further: a peer that sends
// or takes it byte by byte holds its memory for a minute, not for ever.
runtime::TimePoint MessageDeadline(runtime::TimePoint began, uint64_t bytes);

// The body of a response with `pieces`: in chunks, or up to the connection's end for HTTP/1.0.
class PieceWriter final : public BodyWriter {
 public:
  // `header` goes before the first piece. All outlive it.
  PieceWriter(runtime::Core& core, runtime::Connection& connection, std::string& header, bool chunked)
      : core_(core), connection_(connection), out_(header), chunked_(chunked) {}
  // Each piece has limits::kHttpMessageTime, and longer only as far as bytes pass at the rate.
  Result<void> Write(std::string_view piece) override;
  // Nothing comes any more.
  Result<void> End();

 private:
  Result<void> Send();

  runtime::Core& core_;
  runtime::Connection& connection_;
  std::string& out_;
  const bool chunked_;
};

// Writes `header` and `body`, together when the body is small: one system call then. `header` is used up. Fails with
// WRITE_TIMEOUT when the peer does not take it by MessageDeadline(). Suspends.
Result<void> WriteMessage(runtime::Core& core, runtime::Connection& connection, std::string& header,
                          std::string_view body);

}  // namespace tradewind::net
