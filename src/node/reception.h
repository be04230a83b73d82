// What comes in over HTTP at one core of a node: who may ask, whether the node serves yet, and which line of the table
// of routes answers.
//
// This core only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "auth/authenticator.h"
#include "base/fixed_histogram.h"
#include "base/ids.h"
#include "base/result.h"
#include "gateway/strangers.h"
#include "net/http.h"
#include "net/http_server.h"
#include "net/metrics.h"
#include "net/routes.h"
#include "node/node_options.h"
#include "node/request_log.h"
#include "runtime/core.h"

namespace tradewind::node {

// How far a node is.
struct NodeState {
  bool serving = false;  // What is on its disk has been recovered.
  bool stopping = false;
  std::optional<Error> refused;  // The catalog does not take this node: nothing is served any more.
};

class Reception {
 public:
  // Both must outlive it; `state` is looked at for each request.
  Reception(runtime::Core& core, const NodeOptions& options, const NodeState& state);
  ~Reception();  // Requires: Stop() has returned.

  // Listens where the options say. Until the node serves, whoever asks is told that it is starting. Fails as
  // net::HttpServer::Start does. Does not suspend.
  Result<void> Listen();
  // The certificate of those that come from now on. Requires: it listens, and has had one.
  void SetIdentity(std::shared_ptr<const net::TlsIdentity> identity) {
    server_->SetIdentity(std::move(identity));
  }
  // On another core than the first: takes the connections that the first one deals, and sends there what this core has
  // no route for; a connection that leaves HTTP then goes there for good. Does not suspend.
  void ListenBeside(Reception& first);
  // Deals the connections that come from now on to all of them, itself among them. They outlive its Stop().
  void DealTo(const std::vector<Reception*>& all);
  // Lets connections that keep asking for what another core has go there. By core, itself among them; they outlive its
  // Stop().
  void HandTo(const std::vector<Reception*>& all);
  // Requires, as strangers() does: it listens.
  const std::string& url() const { return url_; }
  const gateway::Strangers& strangers() const { return *strangers_; }
  auth::Authenticator& authenticator() { return authenticator_; }

  // Each part of the node adds its own.
  net::Routes& routes() { return routes_; }
  // Adds GET /health, /health/live and /health/ready.
  void AddHealthRoutes();
  std::vector<net::MetricSample> Metrics() const;

  // Lets requests in progress end, at most until the deadline. Suspends.
  void Drain(runtime::TimePoint deadline);
  // Ends all connections. Suspends.
  void Stop();

 private:
  net::HttpResponse Handle(const net::HttpRequest& request);
  void Count(const net::HttpRequest& request, const net::Routes::Found& found, int status);
  // `from_page`: a page of another origin has sent it that may.
  net::HttpResponse AnswerTo(const net::HttpRequest& request, const net::Routes::Found& found,
                             const std::string& id, bool from_page);
  // What a browser is told that asks whether a page of another origin may send a request. None: that is none, or it may not.
  std::optional<net::HttpResponse> AnswerPreflight(const net::HttpRequest& request) const;
  net::HttpResponse AtFirst(const net::HttpRequest& request, const std::string& id);
  // None for a call that a node of this cluster has sent as it came.
  std::optional<Error> WhyNoNodesCall(const net::HttpRequest& request) const;
  net::Answer Health() const;

  runtime::Core& core_;
  const NodeOptions& options_;
  const NodeState& state_;
  std::string url_;
  std::optional<gateway::Strangers> strangers_;
  auth::Authenticator authenticator_;
  net::Routes routes_;
  std::unique_ptr<net::HttpServer> server_;
  std::array<uint64_t, 6> answers_{};  // By the first digit of their status.
  FixedHistogram admin_seconds_;
  RequestLog log_;
  Reception* first_ = nullptr;  // Of core 0, on another one.
};

}  // namespace tradewind::node
