// Runs a client's requests wherever its tenant is, here or at another node, and follows a tenant that changes its owner.
//
// Loops are impossible (docs/move.md, step 11): a node that is not the owner says so instead of forwarding, and the calls
// go on to the owner that the catalog names, or wait for the catalog to name a newer one.
//
// This core only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/memory_pool.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"
#include "gateway/owner_locator.h"
#include "gateway/stream_call.h"
#include "hrana/request.h"
#include "net/http.h"
#include "runtime/core.h"
#include "sqlite/session_state.h"

namespace tradewind::gateway {

// A client's stream as its tenant's owner has it, as far as the gateway knows; and what goes along to the next owner.
struct OwnerStream {
  TenantName tenant;
  NodeName owner = {};
  StreamId id = {};  // Empty: none is open there.
  Epoch epoch = {};
  bool autocommit = true;
  sqlite::SessionState session = {};
  std::vector<std::string> begun = {};
  tenant::Rights rights = {};  // Of the client that uses it just now.

  bool InTransaction() const { return !autocommit && begun.empty(); }
};

// How long the owner may take over the requests: each statement its time, and what it may have to wait for.
runtime::Duration PatienceFor(const std::vector<hrana::StreamRequest>& requests);
size_t StatementsIn(const hrana::StreamRequest& request);
// The error of a call to a node, for the client: what he can make of it when the answer was lost.
Error ExplainToClient(Error error, const NodeName& node);

// One for each request, in their order; and what they take.
struct StreamResults {
  std::vector<std::string> texts;
  MemoryCharge held{MemoryKind::kAnswers};
};

// Of a cursor.
struct EntryPiece {
  std::string entries = {};  // Each a line; none where there is no more.
  bool last = false;
  MemoryCharge held{MemoryKind::kAnswers};
};

class OwnerCalls {
 public:
  // `id` is that of the gateway for whose clients it calls. The others outlive it.
  OwnerCalls(const catalog::Member& member, GatewayId id, catalog::Peers& peers, NodeTenants& tenants);
  // The core of this node that serves the tenant, as far as this core knows; none in a node of one core.
  std::optional<size_t> CoreOf(const TenantName& tenant) const { return tenants_.CoreOf(tenant); }

  // Runs requests whose stored SQL is resolved; one result each. `answered_bytes`: of the pipeline's results that are
  // there already. `keep`: the client goes on with the stream. What has run whole is left in `requests`. After a failure
  // the stream is to be closed. Suspends.
  Result<StreamResults> Run(OwnerStream& stream, std::vector<hrana::StreamRequest>& requests, bool keep,
                            uint64_t answered_bytes, net::Caller* caller);
  // Runs a batch whose results are wanted piece by piece. One after the other: the next piece is asked for with what is
  // left in `cursor`, until the last one. After a failure, or before the last one, the stream is to be closed. Suspends.
  struct Cursor {
    std::vector<hrana::StreamRequest> batch;  // One, with its stored SQL resolved.
    hrana::Progress progress = {};
    bool open = false;        // At the owner.
    Epoch tried = {};         // No owner up to this epoch has the tenant any more.
    bool skips_rest = false;  // Nobody wants the rest: what runs ends, and the next piece is the last one.
  };
  Result<EntryPiece> Next(OwnerStream& stream, Cursor& cursor, net::Caller* caller);
  // Ends the stream at the owner, and rolls back what it has open. If the call is lost, the owner does so by itself when
  // the stream has been idle for long enough. Suspends.
  void Close(const OwnerStream& stream);
  // Nothing is waited for or tried again from now on.
  void Stop() { locator_.Stop(); }

  uint64_t calls_to_others() const { return calls_to_others_; }

 private:
  Result<StreamAnswer> Call(const NodeName& owner, const StreamCall& call, runtime::TimePoint deadline,
                            net::Caller* caller);
  // What the tries of one request have in common.
  struct Tries {
    runtime::TimePoint parked_until;
    Epoch tried = {};  // No owner up to this epoch has the tenant any more.
    runtime::Duration patience{};
  };
  // Makes the call at the owner of the stream's tenant; `call` and `stream` are kept in step with what comes of it. None:
  // nothing ran, and it is to be tried again.
  Result<std::optional<StreamAnswer>> Try(OwnerStream& stream, StreamCall& call, Tries& tries,
                                          net::Caller* caller);
  StreamCall CallFor(const OwnerStream& stream) const;

  const catalog::Member& member_;
  runtime::Core& core_;
  const GatewayId id_;
  catalog::Peers& peers_;
  NodeTenants& tenants_;
  OwnerLocator locator_;
  uint64_t calls_to_others_ = 0;
};

}  // namespace tradewind::gateway
