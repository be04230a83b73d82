// The streams that are open on this node's tenants, and the one place where client statements run.
//
// An answer leaves only when it is durable: every result waits for all commits that finished before it was
// computed (I4). A stream that is neither in a transaction nor kept is closed with its answer. Idle ones end
// after limits::kStreamIdle.
//
// This core only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "net/http.h"
#include "node/local_tenants.h"
#include "node/moves.h"
#include "node/stream_call.h"
#include "pace/sensor.h"
#include "runtime/fiber.h"

namespace tradewind::node {

class StreamService {
 public:
  StreamService(runtime::Core& core, LocalTenants& tenants, Moves& moves, pace::Sensor& sensor);
  ~StreamService();  // Requires: Stop() has returned.

  // Runs the call if the tenant is here, else answers kMoved. Suspends. Fails only when the tenant's file
  // cannot be opened.
  Result<StreamAnswer> Run(const StreamCall& call);
  // The same for another node's gateway.
  net::HttpResponse Handle(const net::HttpRequest& request);
  // Ends a stream, rolling back what it has open. Suspends.
  void Close(uint64_t stream);
  // Ends every stream of a tenant, rolling back what it has open. Suspends.
  void EndAllOf(const TenantName& tenant);
  // Ends every stream. Suspends.
  void Stop();

  size_t open_streams() const { return streams_.size(); }
  uint64_t requests_run() const { return requests_run_; }

 private:
  struct OpenStream;

  Result<std::shared_ptr<OpenStream>> Open(const StreamCall& call);
  void SweepIdle();
  void CloseStream(const std::shared_ptr<OpenStream>& stream);
  void EndAll(const std::function<bool(const OpenStream&)>& is_meant);

  runtime::Core& core_;
  LocalTenants& tenants_;
  Moves& moves_;
  pace::Sensor& sensor_;
  std::map<uint64_t, std::shared_ptr<OpenStream>> streams_;
  uint64_t next_stream_ = 1;
  uint64_t requests_run_ = 0;
  bool stopping_ = false;
  runtime::WaitQueue stop_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::node
