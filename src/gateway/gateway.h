// The gateway: takes a client's Hrana requests and has them run where the tenant is, here or at another node.
// Clients never notice a hand-over: a request that finds the tenant gone is run on at the new owner from
// where it stopped, and a stream without an open transaction changes its owner silently.
//
// A client's stream belongs to the gateway that opened it; its baton says which, and which process of it (baton.h).
// Another gateway that is given it passes the whole request on. A node has a gateway on each core, and one process id for
// all of them: the number of a stream modulo the cores is its core, and what comes in elsewhere goes there
// (docs/decisions/0008-cores.md).
//
//   client_streams.h   the streams that it holds        owner_calls.h   what runs them, at their tenants' owners
//
// What a client is told does not depend on which node it asks. A call to the owner has as long as its
// statements may take (PatienceFor), and carries whatever the owner may answer; what bounds a pipeline is
// checked here before any of it runs, or at the owner.
//
// Every client shows a token where the node asks for one (auth/authenticator.h), for each request: what it may do is
// enforced at the owner (tenant::Stream). A request that is passed on carries that instead of the token.
//
// A cursor's answer is written while its batch runs: piece by piece, the next one fetched from the owner once the one before
// is with the client's transport. A gateway that is given another one's baton fetches the pieces from that (kCursorsPath).
//
// A pipeline is JSON and says so, or says nothing: a form or text is what a page makes a browser send (strangers.h).
//
// A client that has gone while its request runs has given up its stream: the statement is cancelled, here or at
// the owner (the call to it is closed, and its stream too), the rest of the pipeline does not run, and what is open is
// rolled back. A client that goes between its requests may come back with its baton, for as long as a stream may be idle.
//
// This core only.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/authenticator.h"
#include "base/limits.h"
#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/baton.h"
#include "gateway/client_cursors.h"
#include "gateway/client_socket.h"
#include "gateway/client_streams.h"
#include "gateway/node_tenants.h"
#include "gateway/owner_calls.h"
#include "gateway/permit.h"
#include "net/http.h"
#include "net/metrics.h"
#include "net/routes.h"
#include "net/web_socket.h"
#include "pace/sensor.h"
#include "runtime/fiber.h"

namespace tradewind::gateway {

class Strangers;

// Cursors for other gateways: POST opens one, of a client's body; POST below it gives the next piece, DELETE ends it.
inline constexpr std::string_view kCursorsPath = "/v1/internal/cursors";

class Gateway {
 public:
  // `id` is that of all gateways of the node. A client's stream ends when it was idle for longer than `stream_idle`.
  Gateway(const catalog::Member& member, GatewayId id, catalog::Peers& peers, NodeTenants& tenants,
          const Strangers& strangers, auth::Authenticator& authenticator, pace::Sensor& sensor,
          runtime::Duration stream_idle = limits::kStreamIdle);
  ~Gateway();  // Requires: Stop() has returned.

  // All gateways of the node, by the numbers of their cores, itself among them; before it has a route. They outlive its
  // requests.
  void SetGateways(std::vector<Gateway*> gateways) { gateways_ = std::move(gateways); }

  // Adds what clients speak: under /db/NAME/ (or /dev/NAME/), or with the tenant named by x-namespace or the Host.
  void AddRoutes(net::Routes& routes);
  std::vector<net::MetricSample> Metrics() const;
  // Ends all streams. Suspends.
  void Stop();

 private:
  // The tenant that a request is for.
  Result<TenantName> TenantOf(const net::Call& call) const;
  Result<Permit> Admit(const net::Call& call);
  // What a client may do at the tenant that shows this.
  Result<tenant::Rights> RightsOf(std::optional<std::string_view> authorization, const TenantName& tenant);
  // Lets the client in, and runs `run(permit)` for it, measured and in its tenant's turns.
  template <typename Run>
  net::HttpResponse ForClient(const net::Call& call, pace::RequestKind kind, const char* activity, Run run);
  net::HttpResponse HandleSocket(const net::Call& call);
  net::HttpResponse Pipeline(const net::HttpRequest& request, const Permit& permit);
  // On the core of the stream, or of a new one's connection.
  net::HttpResponse RunOn(hrana::PipelineRequest& pipeline, const std::optional<Baton>& baton,
                          const Permit& permit, size_t body_bytes, net::Caller* caller);
  Result<net::HttpResponse> RunPipeline(const ClientStreams::Pointer& stream,
                                        hrana::PipelineRequest& pipeline, size_t body_bytes,
                                        net::Caller* caller);
  // HTTP version 1: a request on a stream of its own.
  net::HttpResponse RunAlone(const net::HttpRequest& request, const Permit& permit, bool is_batch);
  net::HttpResponse AnswerCursor(const net::HttpRequest& request, const Permit& permit);
  // On the core of the stream, as RunOn().
  Result<ClientCursors::Begun> BeginCursor(hrana::PipelineRequest& pipeline,
                                           const std::optional<Baton>& baton, const Permit& permit,
                                           net::Caller* caller);
  // The gateway of this node that has the stream of the baton.
  Gateway& HomeOf(const std::optional<Baton>& baton);
  net::HttpResponse RelayCursor(const net::HttpRequest& request, const Permit& permit,
                                const NodeName& gateway);
  net::Answer HandleRelayed(const net::Call& call);
  // By the id of a cursor; null when that is none.
  Gateway* HomeOfCursor(std::string_view id);
  net::Answer HandleRelayedNext(const net::Call& call);
  net::Answer HandleRelayedEnd(const net::Call& call);
  // The client went before it had the baton with which it could go on. On any core. Suspends.
  void EndUndelivered(uint64_t stream, const std::string& baton);
  // It has failed: nobody has it any more, and what it has open keeps others waiting.
  void EndFailed(const ClientStreams::Pointer& stream);
  // To the gateway that a baton names. Suspends.
  net::HttpResponse PassOn(const net::HttpRequest& request, const Permit& permit, std::string_view target,
                           const NodeName& gateway, runtime::Duration patience);

  const catalog::Member& member_;
  runtime::Core& core_;
  catalog::Peers& peers_;
  const Strangers& strangers_;
  auth::Authenticator& authenticator_;
  pace::Sensor& sensor_;
  OwnerCalls owner_;
  ClientStreams streams_;
  ClientCursors cursors_;
  net::WebSockets web_sockets_;
  std::set<ClientSocket*> sockets_;
  std::vector<Gateway*> gateways_;  // By core.
  uint64_t requests_ = 0;
  uint64_t passed_on_ = 0;
  bool stopping_ = false;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
