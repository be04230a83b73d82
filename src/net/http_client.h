// An HTTP/1.1 client on one core, with a few kept-alive connections for each address.
//
// Whether a request ran. A caller that must not run something twice needs to know what a failed call means:
//
//   NODE_UNREACHABLE  kUnavailable: no byte of the request was sent. It did not run.
//   ANSWER_LOST       kTimeout (the deadline passed) or kIo (the connection broke, or what came is no
//                     HTTP): the request was sent, wholly or in part. It may have run.
//
// A kept connection may have been closed by its server meanwhile. Each one has a fiber that waits in a read
// while the connection is idle, so that an end is seen when it comes and not when the next request is lost on
// it. What still slips through (the server closes while the request is on its way) is sent again, once and on
// a new connection, if the request is marked idempotent; otherwise it is ANSWER_LOST.
//
// Between nodes both directions are sealed (seal.h). A call that was refused because it came damaged is
// repeated, limits::kDamagedCallTries times in all, and then fails with
//
//   CALL_DAMAGED      kUnavailable: it did not run.
//
//   CLUSTER_SECRET_WRONG  kUnavailable: the other node has another secret. It did not run.
//
// A call for somebody (HttpRequest::caller) ends when he goes, with ANSWER_LOST: its connection is closed, by which
// the server notices.
//
// An answer that is damaged, or bears no seal, or does not prove the secret, is a lost one: ANSWER_LOST.
//
// TLS: to an endpoint that has it the server must show a certificate that is believed (TlsTrust), for the endpoint's host;
// else it is NODE_UNREACHABLE, with what is wrong in the message (ConnectTls).
//
// Used on its core's thread only.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "net/cluster_secret.h"
#include "net/http.h"
#include "net/tls.h"
#include "net/url.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "runtime/network.h"

namespace tradewind::net {

struct Seal;

class HttpClient {
 public:
  // What it speaks to: any server, or other nodes.
  enum class Peers { kAny, kNodes };
  explicit HttpClient(runtime::Core& core, Peers peers = Peers::kAny, ClusterSecret secret = {});
  ~HttpClient();  // Requires: Close() has returned.
  // Whose certificates are believed, from the next connection on. Never given: those that the machine believes.
  void SetTrust(std::shared_ptr<const TlsTrust> trust) { trust_ = std::move(trust); }

  // Sends `request` (method, target, headers, body) and returns the answer, whatever its status. Fields that
  // belong to a connection (Connection, Content-Length, Upgrade, ...) are not copied; Host is, if set.
  // Suspends.
  Result<HttpResponse> Call(const Endpoint& endpoint, const HttpRequest& request,
                            runtime::TimePoint deadline);
  // The same with the endpoint and the target from `url`; fails also as ParseUrl does.
  Result<HttpResponse> Call(std::string_view url, HttpRequest request, runtime::TimePoint deadline);

  // Asks for `protocol` on a new connection and hands that over, without any deadline, once the server has
  // agreed. Fails also with UPGRADE_REFUSED (kRefused), the server's status and words in the message.
  // Suspends.
  Result<UpgradedConnection> Upgrade(const Endpoint& endpoint, const HttpRequest& request,
                                     std::string_view protocol, runtime::TimePoint deadline);
  Result<UpgradedConnection> Upgrade(std::string_view url, std::string_view protocol,
                                     runtime::TimePoint deadline);

  // Closes all connections; calls in progress fail. Suspends until they have returned. Upgraded connections
  // are their owners'.
  void Close();

  size_t idle_connections() const;  // For tests.

 private:
  struct Link;
  using LinkPointer = std::shared_ptr<Link>;
  class CallScope;

  Result<LinkPointer> Connect(const Endpoint& endpoint, runtime::TimePoint deadline);
  Result<std::unique_ptr<runtime::Connection>> Dial(const Endpoint& endpoint, runtime::TimePoint deadline);
  Result<void> AskForChallenge(const LinkPointer& link, runtime::TimePoint deadline);
  Result<HttpResponse> CallOnce(const Endpoint& endpoint, const HttpRequest& request,
                                runtime::TimePoint deadline);
  LinkPointer TakeIdle(const Endpoint& endpoint);
  Result<HttpResponse> Exchange(const LinkPointer& link, const HttpRequest& request,
                                runtime::TimePoint deadline, std::string_view upgrade);
  Result<void> CheckAnswer(const HttpResponse& response, const Seal& request,
                           const runtime::Address& address);
  void Keep(LinkPointer link);
  void Watch(const LinkPointer& link);

  runtime::Core& core_;
  const Peers peers_;
  const ClusterSecret secret_;                       // Of nodes.
  std::shared_ptr<const TlsTrust> trust_;            // Null: that of the machine, when it is needed.
  std::map<Endpoint, std::list<LinkPointer>> idle_;  // Most recently used first.
  std::list<std::weak_ptr<Link>> in_use_;
  bool closed_ = false;
  runtime::WaitQueue call_ended_;
  runtime::TaskGroup watchers_;
};

}  // namespace tradewind::net
