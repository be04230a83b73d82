// The streams that are open on the tenants of this core, and the one place where client statements run. Who has a call
// for a tenant of the node finds its core by node_tenants.h.
//
// An answer leaves only when it is durable: every result waits for all commits that finished before it was
// computed (I4). A stream without a transaction ends before its answer waits for the disk: its session goes to
// the gateway with the answer and comes back with the next call, so that a few connections do for any number of
// clients. One that the client keeps stays only if its session is dear to restore (a setting was changed). Idle
// ones end, and whoever comes later is told why, as far as that is remembered.
//
// A call goes on with a stream only if it fits it in all: its number, its tenant, the gateway and its process
// that opened it, the epoch at which it was opened. Any other is answered kLost, as if there were no such
// stream. A call that opens one is answered kMoved unless this node owns the tenant, and at no earlier epoch
// than the caller knows of (docs/move.md, step 11).
//
// A call may open a cursor: the batch runs in a fiber of its own, which has the stream acquired until the last piece of the
// entries was fetched, or nobody comes for it (open_cursor.h).
//
// This core only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/fixed_histogram.h"
#include "base/limits.h"
#include "base/result.h"
#include "gateway/open_cursor.h"
#include "gateway/stream_call.h"
#include "gateway/stream_table.h"
#include "hrana/slow_statements.h"
#include "move/moves.h"
#include "net/http.h"
#include "net/metrics.h"
#include "runtime/core.h"
#include "runtime/fiber.h"
#include "tenant/local_tenants.h"
#include "tenant/quotas.h"

namespace tradewind::gateway {

inline constexpr std::string_view kStreamsPath = "/v1/internal/streams";
// The same, which a node that knows format 1 only does not have.
inline constexpr std::string_view kStreams2Path = "/v1/internal/streams/2";

// The result of a request that ran and for whose result there is no memory.
Error NoMemoryForResult();

class StreamService {
 public:
  // A stream that nobody comes for is ended after `most_idle`; statements that take `slow_statement` are logged (zero: none).
  StreamService(runtime::Core& core, tenant::LocalTenants& tenants, move::Moves& moves,
                runtime::Duration most_idle = limits::kStreamIdle, runtime::Duration slow_statement = {});
  ~StreamService();  // Requires: Stop() has returned.

  // Runs the call if the tenant is here, else answers kMoved. The results of one pipeline have
  // limits::kPipelineAnswerBytes together: a request whose result might not fit is not run, and answered with
  // PIPELINE_ANSWERS_TOO_LARGE. Suspends. Fails only when the tenant's file cannot be opened. If the caller goes,
  // what runs is cancelled, the rest not begun, and the stream closed.
  Result<StreamAnswer> Run(const StreamCall& call, net::Caller* caller = nullptr);
  // Ends the stream of the call, rolling back what it has open; a statement that runs on it is cancelled.
  void Close(const StreamCall& call);
  // Whether any stream on the tenant that no call uses is in a transaction, also one that has no snapshot yet.
  bool HasTransactions(const TenantName& tenant) const;
  // Ends every stream of a tenant, rolling back what it has open. Suspends.
  void EndAllOf(const TenantName& tenant);
  // Ends every stream. Suspends.
  void Stop();

  net::MetricSample Metric() const;  // How many are open.
  // How long answers waited for the disk, of those that had to.
  const FixedHistogram& durability_waits() const { return durability_waits_; }

 private:
  struct OpenStream {
    StreamId id;
    TenantName tenant;
    GatewayId gateway;
    Epoch epoch;  // Of this node's ownership.
    tenant::LocalTenants::Use use;
    std::unique_ptr<tenant::Stream>
        stream;  // Null once it has ended, and its last answer waits for the disk.
    std::shared_ptr<OpenCursor> cursor = {};  // While its batch runs, or has entries left.
    StreamAnswer last = {};                   // What goes with the last piece of them.
    bool doomed = false;                      // It expires once the call that has acquired it has ended.

    // Requires: it is acquired.
    void Doom();
    // What runs on it ends. Requires the same.
    void Cancel();
  };

  Result<std::shared_ptr<OpenStream>> Open(const StreamCall& call);
  // The stream that the call fits; null if there is none.
  std::shared_ptr<OpenStream> Find(const StreamCall& call) const;
  StreamAnswer Lost(const StreamCall& call) const;
  Result<StreamAnswer> RunOn(const std::shared_ptr<OpenStream>& open, const StreamCall& call,
                             net::Caller* caller);
  Result<StreamAnswer> AnswerOf(OpenStream& open, const StreamCall& call);
  // What becomes of the stream now that what ran on it has ended.
  void Settle(OpenStream& open, bool keep, StreamAnswer& answer);
  Result<StreamAnswer> BeginCursor(const std::shared_ptr<OpenStream>& open, const StreamCall& call,
                                   net::Caller* caller);
  void RunBatch(const std::shared_ptr<OpenStream>& open, const StreamCall& call);
  Result<StreamAnswer> NextPiece(const std::shared_ptr<OpenStream>& open, net::Caller* caller);
  // Whether the request may begin now, by the quotas of its tenant: of requests a second, and of its core, for which it
  // waits (suspends). What goes on with a transaction always may.
  Result<void> CheckRate(const StreamCall& call);
  Result<void> AwaitCoreShare(tenant::Tenant& tenant, const StreamCall& call);
  // Until every commit that it may have seen is on the disk.
  Result<void> AwaitDurable(OpenStream& open);
  void RunRequests(OpenStream& open, const StreamCall& call, StreamAnswer& answer);
  // Requires: it is available, or the caller has acquired it.
  void CloseStream(const std::shared_ptr<OpenStream>& stream);
  void EndAll(const std::function<bool(const OpenStream&)>& is_meant);
  // Not of each stream that ends with its call: of those that somebody would have gone on with.
  void RememberEnding(const StreamId& id, std::string because);

  runtime::Core& core_;
  tenant::LocalTenants& tenants_;
  move::Moves& moves_;
  const runtime::Duration most_idle_;
  const hrana::SlowStatements slow_;
  StreamTable<OpenStream> streams_;
  std::map<StreamId, std::string> endings_;  // The newest, limits::kRememberedStreams of them,
  std::deque<StreamId> ended_;               // in their order.
  FixedHistogram durability_waits_;
  tenant::RequestRates rates_;
  bool stopping_ = false;
  runtime::TaskGroup cursors_;
};

}  // namespace tradewind::gateway
