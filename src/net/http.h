// HTTP/1.1 messages as the rest of the program sees them: plain structures, free of Boost.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory_pool.h"
#include "base/result.h"
#include "runtime/network.h"

namespace tradewind::net {

// Header fields in their order. Names compare without case. All text lives in one string, so that a message
// with many fields costs two allocations; a view that Get() returns holds until the next change.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

  // Line breaks and NUL in a name or value become spaces: a value can never start another field.
  void Add(std::string_view name, std::string_view value);
  // Removes every field of this name, then adds one.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  void Clear();

  // The first field of this name.
  std::optional<std::string_view> Get(std::string_view name) const;
  bool Has(std::string_view name) const { return Get(name).has_value(); }
  // Whether a field of this name lists `token` between commas ("Connection: keep-alive, Upgrade").
  bool HasToken(std::string_view name, std::string_view token) const;

  size_t size() const { return fields_.size(); }
  std::pair<std::string_view, std::string_view> operator[](size_t index) const {
    return {Name(fields_[index]), Value(fields_[index])};
  }

 private:
  struct Field {
    uint32_t begin;  // The value follows the name.
    uint32_t name_size;
    uint32_t value_size;
  };
  std::string_view Name(const Field& field) const { return {text_.data() + field.begin, field.name_size}; }
  std::string_view Value(const Field& field) const {
    return {text_.data() + field.begin + field.name_size, field.value_size};
  }
  std::string text_;
  std::vector<Field> fields_;
};

// Who waits for the answer to a request, and may go while it runs. This core only.
class Caller {
 public:
  bool gone() const { return gone_; }
  // The caller has gone: nobody will read an answer. Does not suspend.
  void NoteGone();

  // While it lives, `then` is called when the caller goes, and at once if it has gone. It must not suspend. A null
  // caller never goes.
  class Watch {
   public:
    Watch(Caller* caller, std::function<void()> then);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class Caller;
    Caller* const caller_;
    const std::function<void()> then_;
  };

 private:
  bool gone_ = false;
  std::vector<const Watch*> watches_;
};

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";  // As it stands in the request line.

  // Set by the server from `target`, with percent escapes decoded; a client ignores them. A key given twice
  // keeps its first value.
  std::string path;
  std::map<std::string, std::string, std::less<>> query;

  Headers headers;
  std::string body;
  // Set by the server: from whom, and when the end of it reached this machine.
  runtime::Address peer;
  runtime::TimePoint arrived{};
  // Set by the server: it bears a seal, and came as it was sent (seal.h); and a node of this cluster has sent it.
  bool sealed = false;
  bool proven = false;

  // Server: whoever waits for the answer; until the handler returns. Client: with whom the call ends (ANSWER_LOST).
  Caller* caller = nullptr;

  // Client: running the request twice does no harm, so that it may be sent again when its answer was lost.
  bool idempotent = false;
};

// A connection that has left HTTP by an upgrade, and what the peer sent right behind the handshake: read
// `already_read` first. It can be detached (runtime/detached_connection.h).
struct UpgradedConnection {
  std::unique_ptr<runtime::Connection> connection;
  std::string already_read;
};

// A handler's wish to leave HTTP on this connection.
struct Upgrade {
  std::string protocol;
  // Runs in the fiber of the connection, after the 101 has been written; the connection is closed when it has
  // returned.
  std::function<void(UpgradedConnection)> run;
  bool answers_itself = false;  // `run` writes the 101 too.
};

// Where a body goes that nobody has whole.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  // Suspends until the piece is with the transport. Fails once the client has gone, or takes it too slowly.
  virtual Result<void> Write(std::string_view piece) = 0;
};

struct HttpResponse {
  int status = 200;
  Headers headers;  // Content-Length and Connection are the server's business.
  std::string body;
  // The handler did nothing because the request was not sealed, or not by a node of this cluster: the answer is sealed as
  // a refusal (seal.h).
  bool refuses_unsealed = false;
  // Set: the server answers 101 if the request asked for this protocol, else 426; status and body are
  // ignored.
  std::optional<Upgrade> upgrade;
  // Called by the server if the caller went before it could get the answer, as far as is known when it is written. May
  // suspend.
  std::function<void()> undelivered;
  // The core of the node, by its number, that has what was asked for. A connection that keeps asking for what another
  // core has goes there.
  std::optional<size_t> core = {};
  // Set: it writes the body, piece by piece; `body` is ignored. The server calls it once, also when the client has gone, in
  // the fiber of the connection. The request's caller goes meanwhile when the client ends its side of the connection. False: the body has
  // not come to its end, which the client is told by the end of the connection. Not for what nodes say to each other.
  std::function<bool(BodyWriter&)> pieces = {};
  // What its body takes, as far as that was counted by whoever made it.
  MemoryCharge held{MemoryKind::kAnswers};

  static HttpResponse Json(int status, std::string body);
  static HttpResponse Text(int status, std::string body);
  // {"error": message}
  static HttpResponse Error(int status, std::string_view message);
};

// What a handler gives: a response of whatever status, or an Error that becomes one (net/api_error.h).
using Answer = Result<HttpResponse>;

}  // namespace tradewind::net
