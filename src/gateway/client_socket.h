// One client's WebSocket: many streams, each with its requests in their order; what it asks on one does not wait for another.
//
// A stream here is the client's for as long as the connection lives, wherever its tenant goes (owner_calls.h). What has failed
// as a whole (its owner lost, its idle transaction ended) ends it: whatever is asked on it afterwards is told why, until the
// client closes it, so that no statement of a transaction that is gone runs on its own. When the client goes, what runs for it
// is cancelled, and its streams end.
//
// Where the node asks for tokens the client shows one with the handshake or says it with its hello, and may say another one
// later; what it lets the client do is looked at for each request.
//
// As many requests as limits::kWebSocketRequests, and limits::kWebSocketRequestBytes, are under way before no more are read.
// Each is read, decoded and run in a fiber of its own, so that an idle connection has a stack on which little ever was.
//
// This core only.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/memory_pool.h"
#include "base/result.h"
#include "gateway/owner_calls.h"
#include "hrana/socket_message.h"
#include "hrana/sql_store.h"
#include "net/http.h"
#include "net/web_socket.h"
#include "pace/sensor.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "tenant/rights.h"

namespace tradewind::gateway {

class ClientSocket {
 public:
  // What the client has shown, as the value of an Authorization field, and what that lets it do at the tenant now.
  struct Access {
    std::optional<std::string> authorization;
    std::function<Result<tenant::Rights>(std::optional<std::string_view>)> rights_of;
  };
  // All outlive it. `stored_sql`: the bytes of SQL that the tenant's clients have stored at this gateway.
  ClientSocket(runtime::Core& core, net::WebSocket& socket, TenantName tenant, OwnerCalls& owner,
               pace::Sensor& sensor, Access access, std::shared_ptr<uint64_t> stored_sql);
  ~ClientSocket();

  // Serves the client until it goes, or Drop() is called. Suspends until nothing runs for it any more.
  void Serve();
  // Does not suspend.
  void Drop() { socket_.Drop(); }

 private:
  struct Job {
    hrana::SocketRequest request;
    net::WebSocket::Message message;  // Its text is gone; its memory stays counted.
    size_t bytes = 0;
  };
  struct Stream {
    OwnerStream at_owner;
    std::list<Job> jobs;  // The first one runs.
    std::optional<Error> ended = {};
    std::optional<int32_t> cursor = {};
  };
  struct Cursor {
    int32_t stream = 0;
    OwnerCalls::Cursor at_owner = {};
    std::optional<Error> failed = {};
    EntryPiece piece = {};
    size_t taken = 0;  // Bytes of its entries.
  };
  using StreamPointer = std::shared_ptr<Stream>;

  // What is to run once a message was taken, if that is anything: the jobs of a stream that had none.
  struct ToRun {
    int32_t id = 0;
    StreamPointer stream = {};
  };
  // Fail when the client has broken the protocol: it was told so, and the connection is closed.
  Result<ToRun> Take(net::WebSocket::Message message);
  Result<ToRun> TakeHello(const hrana::Hello& hello);
  Result<ToRun> TakeRequest(Job job);
  tl::unexpected<Error> Broken(const std::string& how);
  void RunJobs(int32_t id, const StreamPointer& stream);
  // The answer.
  std::string Run(Stream& stream, Job& job);
  std::string RunOn(Stream& stream, int32_t request_id, hrana::StreamRequest request);
  std::string Open(Stream& stream, int32_t request_id, hrana::OpenCursor& open);
  std::string Fetch(Stream& stream, int32_t request_id, const hrana::FetchCursor& fetch);
  std::string CloseCursor(Stream& stream, int32_t request_id, int32_t cursor);
  // It has failed as a whole.
  void End(Stream& stream, const Error& why);
  Result<void> FetchPiece(Stream& stream, Cursor& cursor);
  // The stream on which the request has to wait for those before it; null: there is none.
  StreamPointer StreamOf(const hrana::SocketRequest& request, int32_t& id);
  void Say(const std::string& text);
  void Refuse(int32_t request_id, std::string code, std::string message);

  net::WebSocket& socket_;
  const TenantName tenant_;
  OwnerCalls& owner_;
  pace::Sensor& sensor_;
  Access access_;
  const int version_;
  bool greeted_ = false;
  hrana::SqlStore sql_;
  std::map<int32_t, StreamPointer> streams_;
  std::map<int32_t, Cursor> cursors_;
  size_t under_way_ = 0;
  size_t bytes_under_way_ = 0;
  runtime::WaitQueue progress_;
  net::Caller caller_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
