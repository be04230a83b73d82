// The gateway: takes a client's Hrana requests and has them run where the tenant is, here or at another node.
// Clients never notice a hand-over: a request that finds the tenant gone is run on at the new owner from
// where it stopped, and a stream without an open transaction changes its owner silently.
//
// A client's stream belongs to the gateway that opened it; its baton says which, and which process of it:
// "<node>.<random of the process>.<stream>.<random>". Another gateway that is given it passes the whole
// request on. The baton changes with every answer, so that each is used once; none is ever made a second
// time, also after a restart.
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
#include <vector>

#include "catalog/directory.h"
#include "catalog/location_cache.h"
#include "catalog/member.h"
#include "gateway/stream_service.h"
#include "hrana/sql_store.h"
#include "net/http.h"
#include "net/metrics.h"
#include "net/routes.h"
#include "pace/sensor.h"
#include "runtime/fiber.h"
#include "tenant/local_tenants.h"

namespace tradewind::gateway {

class Strangers;

class Gateway {
 public:
  Gateway(const catalog::Member& member, catalog::Directory& directory, const tenant::LocalTenants& tenants,
          const Strangers& strangers, StreamService& streams, pace::Sensor& sensor);
  ~Gateway();  // Requires: Stop() has returned.

  // Adds what clients speak: under /db/NAME/ (or /dev/NAME/), or with the tenant named by x-namespace or the Host.
  void AddRoutes(net::Routes& routes);
  std::vector<net::MetricSample> Metrics() const;
  // Ends all streams. Suspends.
  void Stop();

 private:
  struct ClientStream;
  enum class Ending { kClosed, kFailed, kIdle };

  // The tenant that a request is for.
  Result<TenantName> TenantOf(const net::Call& call) const;
  net::HttpResponse HandlePipeline(const net::Call& call);
  net::HttpResponse Pipeline(const net::HttpRequest& request, const TenantName& tenant);
  Result<net::HttpResponse> RunPipeline(const std::shared_ptr<ClientStream>& stream,
                                        hrana::PipelineRequest& pipeline, size_t body_bytes,
                                        net::Caller* caller);
  // The client went before it had the baton with which it could go on.
  void EndUndelivered(const std::shared_ptr<ClientStream>& stream, const std::string& baton);
  Result<std::shared_ptr<ClientStream>> FindStream(const std::string& baton, const TenantName& tenant);
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
  const tenant::LocalTenants& tenants_;
  const Strangers& strangers_;
  StreamService& streams_;
  pace::Sensor& sensor_;
  catalog::LocationCache locations_;
  const GatewayId id_;
  std::map<uint64_t, std::shared_ptr<ClientStream>> client_streams_;
  std::map<uint64_t, Ending> ended_;  // The newest, limits::kRememberedStreams of them.
  std::map<TenantName, std::weak_ptr<uint64_t>> stored_sql_;
  uint64_t next_stream_ = 1;
  uint64_t requests_ = 0;
  uint64_t forwarded_ = 0;
  bool stopping_ = false;
  runtime::WaitQueue stop_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
