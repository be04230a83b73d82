// The gateway: takes a client's Hrana requests and has them run where the tenant is, here or at another node.
// Clients never notice a hand-over: a request that finds the tenant gone is run on at the new owner from
// where it stopped, and a stream without an open transaction changes its owner silently.
//
// A client's stream belongs to the gateway that opened it; its baton says which, and which process of it:
// "<node>.<random of the process>.<stream>.<random>". Another gateway that is given it passes the whole
// request on. The baton changes with every answer, so that each is used once; none is ever made a second
// time, also after a restart. A node has a gateway on each core, and one process id for all of them: the number of a
// stream modulo the cores is its core, and what comes in elsewhere goes there (docs/decisions/0008-cores.md).
//
// What a client is told does not depend on which node it asks. A call to the owner has as long as its
// statements may take (Patience), and carries whatever the owner may answer; what bounds a pipeline is
// checked here before any of it runs, or at the owner.
//
// Loops are impossible (docs/move.md, step 11): a node that is not the owner says so instead of forwarding,
// and this gateway goes on to the owner that the catalog names, or waits for the catalog to name a newer one.
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
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/directory.h"
#include "catalog/location_cache.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"
#include "hrana/sql_store.h"
#include "net/http.h"
#include "net/metrics.h"
#include "net/routes.h"
#include "pace/sensor.h"
#include "runtime/fiber.h"

namespace tradewind::gateway {

class Strangers;

class Gateway {
 public:
  // `id` is that of all gateways of the node.
  Gateway(const catalog::Member& member, GatewayId id, catalog::Directory& directory, NodeTenants& tenants,
          const Strangers& strangers, pace::Sensor& sensor);
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
  struct Baton;
  struct ClientStream;
  enum class Ending { kClosed, kFailed, kIdle };

  // The tenant that a request is for.
  Result<TenantName> TenantOf(const net::Call& call) const;
  net::HttpResponse HandlePipeline(const net::Call& call);
  net::HttpResponse Pipeline(const net::HttpRequest& request, const TenantName& tenant);
  // On the core of the stream, or of a new one's connection.
  net::HttpResponse RunOn(hrana::PipelineRequest& pipeline, const std::optional<Baton>& baton,
                          const TenantName& tenant, size_t body_bytes, net::Caller* caller);
  Result<net::HttpResponse> RunPipeline(const std::shared_ptr<ClientStream>& stream,
                                        hrana::PipelineRequest& pipeline, size_t body_bytes,
                                        net::Caller* caller);
  // The client went before it had the baton with which it could go on. On any core. Suspends.
  void EndUndelivered(uint64_t stream, const std::string& baton);
  // None when the text is nothing that a gateway ever gives out.
  static std::optional<Baton> ParseBaton(std::string_view text);
  Result<std::shared_ptr<ClientStream>> FindStream(const Baton& baton, const TenantName& tenant);
  std::string NewBaton(ClientStream& stream);
  // Bytes of SQL that the tenant's streams have stored here.
  std::shared_ptr<uint64_t> StoredSqlOf(const TenantName& tenant);
  void Forget(const ClientStream& stream, Ending ending);
  tl::unexpected<Error> Expired(uint64_t stream) const;
  // To the gateway that a baton names. Suspends.
  net::HttpResponse PassOn(const net::HttpRequest& request, const TenantName& tenant, const NodeName& gateway,
                           runtime::Duration patience);

  // Runs requests whose stored SQL is resolved, wherever the tenant is; one result each. `answered_bytes`:
  // of the pipeline's results that are there already. What has run whole is left in `requests`.
  Result<std::vector<std::string>> RunRequests(ClientStream& stream,
                                               std::vector<hrana::StreamRequest>& requests, bool keep,
                                               uint64_t answered_bytes, net::Caller* caller);
  Result<catalog::Ownership> Locate(const TenantName& tenant, Epoch newer_than, runtime::TimePoint deadline,
                                    net::Caller* caller);
  Result<StreamAnswer> CallOwner(const NodeName& owner, const StreamCall& call, runtime::TimePoint deadline,
                                 net::Caller* caller = nullptr);
  void CloseAtOwner(const ClientStream& stream);
  void CloseInBackground(const std::shared_ptr<ClientStream>& stream);
  void SweepIdle();

  const catalog::Member& member_;
  runtime::Core& core_;
  catalog::Directory& directory_;
  NodeTenants& tenants_;
  const Strangers& strangers_;
  pace::Sensor& sensor_;
  catalog::LocationCache locations_;
  const GatewayId id_;
  std::vector<Gateway*> gateways_;  // By core.
  std::map<uint64_t, std::shared_ptr<ClientStream>> client_streams_;
  std::map<uint64_t, Ending> ended_;  // The newest, limits::kRememberedStreams of them.
  std::map<TenantName, std::weak_ptr<uint64_t>> stored_sql_;
  uint64_t next_stream_;
  uint64_t requests_ = 0;
  uint64_t forwarded_ = 0;
  bool stopping_ = false;
  runtime::WaitQueue stop_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
