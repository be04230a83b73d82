// An HTTP/1.1 server on one core: a fiber for each connection, which reads a request, calls the handler,
// writes the answer. Keep-alive, pipelined requests (answered in order), bodies up to
// limits::kRequestBodyBytes (413 beyond), 100-continue, and upgrades, by which a connection leaves HTTP for a
// protocol of its own (the page channel).
//
// A request that bears a seal (seal.h) is checked against it before the handler sees it, and answered under
// one. A damaged one is refused with 400 and CALL_DAMAGED, and its connection closed: where it ended is not
// known for sure. Whether a node of this cluster has sent it is for the handler to act on; only such a one gets an answer
// that proves the cluster's secret.
//
// The client of a request that runs may go. The server looks now and then (limits::kCallerLook), and tells the
// handler through HttpRequest::caller: the connection is broken; or the client has ended its side of it, and answers
// the first bytes of the answer, which are always the same, with a reset. A client that has ended its side only, and
// still reads, does not: it gets the rest.
//
// It takes no more connections than its core's part of limits::kHttpConnections, nor than their share of the process's descriptors
// (runtime/descriptors.h). A client that comes when all are taken waits for one: that which has been idle for longest is
// closed for it, if any has been for limits::kHttpLeastIdle.
//
// A node of several cores has a server on each. One listens, and deals the connections to all, one after the other; the
// address is taken once, so that a port that somebody else has stays an error. A connection of which so many requests in a
// row were for what another core has (limits::kHandOverAfter, HttpResponse::core) goes to that one, with what it has sent so
// far, once it has its answer; not one between nodes, whose calls are counted (seal.h).
//
// This core only.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/cluster_secret.h"
#include "net/http.h"
#include "net/tls.h"
#include "runtime/core.h"
#include "runtime/descriptors.h"
#include "runtime/detached_connection.h"
#include "runtime/fiber.h"
#include "runtime/network.h"

namespace tradewind::net {

// Runs in the fiber of the request's connection, so it may suspend; requests of other connections run
// meanwhile. The request holds until the handler returns.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

class HttpServer {
 public:
  // Listens and begins to accept. Fails as runtime::Network::Listen does. Does not suspend.
  static Result<std::unique_ptr<HttpServer>> Start(runtime::Core& core, const runtime::Address& address,
                                                   HttpHandler handler, ClusterSecret secret = {});
  // One that does not listen: it serves what Take() is given, and has the address of the one that does. Does not suspend.
  static std::unique_ptr<HttpServer> StartBeside(runtime::Core& core, const runtime::Address& local,
                                                 HttpHandler handler, ClusterSecret secret = {});
  ~HttpServer();  // Requires: Stop() has returned.

  // Connections that come from now on speak TLS, and get this certificate; of the server that listens. Does not suspend.
  void SetIdentity(std::shared_ptr<const TlsIdentity> identity) { identity_ = std::move(identity); }
  // Deals the connections that come from now on to this server and to the others, which are on other cores of the node
  // and outlive its Stop(). One that drains gets none.
  void DealTo(std::vector<HttpServer*> others) { others_ = std::move(others); }
  // Where connections may go from here: the server of each core of the node, by its number, this one among them. They outlive
  // its Stop().
  void HandTo(std::vector<HttpServer*> by_core) { by_core_ = std::move(by_core); }
  // Takes a connection that another core has accepted, of which this has been read already. False, and leaves it, if this
  // server drains or has as many as it may. Does not suspend.
  bool Take(std::unique_ptr<runtime::DetachedConnection>& connection, std::string_view already_read = {});

  // The address in use, its port filled in.
  runtime::Address local() const { return local_; }

  // Stops accepting, closes connections on which no request is in progress, and lets the others answer theirs
  // ("Connection: close"). Suspends until none is left or the deadline has passed (false). Upgraded
  // connections are left alone.
  bool Drain(runtime::TimePoint deadline);

  // Closes everything, upgraded connections too, and suspends until every handler has returned.
  void Stop();

 private:
  struct Session;
  HttpServer(runtime::Core& core, const runtime::Address& local, HttpHandler handler, ClusterSecret secret);
  void Accept();
  void Deal(std::unique_ptr<runtime::Connection> accepted);
  void CloseListener();
  bool HasRoom() const { return sessions_.size() < most_sessions_; }
  void AwaitRoom();
  // False where there is no memory for it.
  bool Begin(std::unique_ptr<runtime::Connection> connection, std::string_view already_read = {});
  void Serve(Session& session);
  HttpResponse Handle(Session& session);
  // Whether the connection can carry another request.
  bool ServeOne(Session& session);
  // False when the request bears a seal that it does not fit.
  bool CheckSeal(Session& session);
  // `seed`: that of the answer's seal; none sends it without.
  bool Answer(Session& session, const HttpResponse& response, std::optional<uint64_t> seed, bool keep_alive,
              bool http_1_1);
  bool AnswerInPieces(Session& session, const HttpResponse& response, bool keep_alive, bool http_1_1);
  bool AnswerUpgrade(Session& session, HttpResponse& response);
  void RunUpgrade(Session& session);
  // Runs `work` while somebody looks whether the caller is still there. False where there was no memory for it.
  template <typename Work>
  bool WhileWatched(Session& session, Work work);
  // Whether the connection is to go to another core; it has got this answer.
  bool GoesElsewhere(Session& session, const HttpResponse& response) const;
  void HandOver(Session& session);
  void Refuse(Session& session, const HttpResponse& response);
  static void Drop(Session& session);
  void WatchCallers();
  static void CheckCaller(Session& session);
  // False when none has been idle for long enough.
  bool DropOneIdle();
  size_t http_sessions() const;

  runtime::Core& core_;
  std::unique_ptr<runtime::Listener> listener_;  // Null where another one listens.
  std::shared_ptr<const TlsIdentity> identity_;  // Null: what is said is not encrypted.
  std::vector<HttpServer*> others_;
  std::vector<HttpServer*> by_core_;
  size_t turn_ = 0;  // Who gets the next connection: this one, or one of the others, from 1.
  const runtime::Address local_;
  const HttpHandler handler_;
  const ClusterSecret secret_;
  std::list<Session> sessions_;
  std::list<Session*> working_;  // Whose handler runs, the one that was looked at longest ago first.
  bool watch_rests_ = false;     // No request has come for a while.
  bool stopped_ = false;
  runtime::WaitQueue watch_;
  bool draining_ = false;
  runtime::WaitQueue session_ended_;  // Or upgraded.
  const size_t most_sessions_;
  runtime::Descriptors::Registration relief_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::net
