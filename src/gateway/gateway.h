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
// A pipeline is JSON and says so, or says nothing: a form or text is what a page makes a browser send (strangers.h).
//
// A client that has gone while its request runs has given up its stream: the statement is cancelled, here or at
// the owner (the call to it is closed, and its stream too), the rest of the pipeline does not run, and what is open is
// rolled back. A client that goes between its requests may come back with its baton, for limits::kStreamIdle.
//
// This core only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/authenticator.h"
#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/baton.h"
#include "gateway/client_streams.h"
#include "gateway/node_tenants.h"
#include "gateway/owner_calls.h"
#include "gateway/permit.h"
#include "net/http.h"
#include "net/metrics.h"
#include "net/routes.h"
#include "pace/sensor.h"
#include "runtime/fiber.h"

namespace tradewind::gateway {

class Strangers;

// As a value of net::kRightsField, for a request that is passed on; and back. Without the field a client may do everything.
std::string EncodeRights(const tenant::Rights& rights);
// Fails with RIGHTS_INVALID (kInvalid).
Result<tenant::Rights> DecodeRights(std::optional<std::string_view> field);

class Gateway {
 public:
  // `id` is that of all gateways of the node.
  Gateway(const catalog::Member& member, GatewayId id, catalog::Peers& peers, NodeTenants& tenants,
          const Strangers& strangers, auth::Authenticator& authenticator, pace::Sensor& sensor);
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
  net::HttpResponse HandlePipeline(const net::Call& call);
  net::HttpResponse Pipeline(const net::HttpRequest& request, const Permit& permit);
  // On the core of the stream, or of a new one's connection.
  net::HttpResponse RunOn(hrana::PipelineRequest& pipeline, const std::optional<Baton>& baton,
                          const Permit& permit, size_t body_bytes, net::Caller* caller);
  Result<net::HttpResponse> RunPipeline(const ClientStreams::Pointer& stream,
                                        hrana::PipelineRequest& pipeline, size_t body_bytes,
                                        net::Caller* caller);
  // The client went before it had the baton with which it could go on. On any core. Suspends.
  void EndUndelivered(uint64_t stream, const std::string& baton);
  // It has failed: nobody has it any more, and what it has open keeps others waiting.
  void EndFailed(const ClientStreams::Pointer& stream);
  // To the gateway that a baton names. Suspends.
  net::HttpResponse PassOn(const net::HttpRequest& request, const Permit& permit, const NodeName& gateway,
                           runtime::Duration patience);

  const catalog::Member& member_;
  runtime::Core& core_;
  catalog::Peers& peers_;
  const Strangers& strangers_;
  auth::Authenticator& authenticator_;
  pace::Sensor& sensor_;
  OwnerCalls owner_;
  ClientStreams streams_;
  std::vector<Gateway*> gateways_;  // By core.
  uint64_t requests_ = 0;
  uint64_t passed_on_ = 0;
  bool stopping_ = false;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
