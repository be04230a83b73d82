// The streams of clients that one gateway holds: a client goes on with his by its baton, and is told how it has ended if he
// comes too late.
//
//   ClientStream   the client's, for as long as it has a baton, wherever its tenant goes
//   OwnerStream    what the gateway knows of it at the tenant's owner (owner_calls.h), and takes to the next one
//   OpenStream     the owner's end of that, between two calls (stream_service.h)
//   tenant::Stream the SQL session of that, with its connection
//
// This core only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "gateway/baton.h"
#include "gateway/owner_calls.h"
#include "gateway/permit.h"
#include "gateway/stream_table.h"
#include "hrana/sql_store.h"
#include "runtime/core.h"

namespace tradewind::gateway {

struct ClientStream {
  uint64_t id = 0;
  std::string baton;  // The one that is valid next.
  hrana::SqlStore sql;
  OwnerStream at_owner;
};

class ClientStreams {
 public:
  using Pointer = std::shared_ptr<ClientStream>;
  enum class Ending { kClosed, kFailed, kIdle };

  // `id` is that of the gateway. `close` is called with a stream that has ended because nobody came for `most_idle`; it may
  // suspend.
  ClientStreams(runtime::Core& core, GatewayId id, runtime::Duration most_idle,
                std::function<void(const Pointer&)> close);
  ~ClientStreams();  // Requires: Stop() has returned.

  // A new one, acquired.
  Pointer Open(const Permit& permit);
  // Acquires the one that the baton is for; what its requests may do is what the permit says now. Fails with STREAM_EXPIRED, and what ended it as far as that is known; with
  // BATON_INVALID when the baton was used before or is another tenant's.
  Result<Pointer> Acquire(const Baton& baton, const Permit& permit);
  // The same; null when somebody has used the baton, or the stream has ended.
  Pointer AcquireUnused(uint64_t id, const std::string& baton);

  // The baton with which its client goes on; the one before is used up. Requires: it is acquired.
  const std::string& MakeNextBaton(ClientStream& stream);
  // It goes on. Requires: it is acquired.
  void Release(const ClientStream& stream) { table_.Release(stream); }
  // It has ended; once more changes what is said of it. Requires: the caller has acquired it.
  void End(const ClientStream& stream, Ending ending);

  // Bytes of SQL that the tenant's streams have stored here.
  std::shared_ptr<uint64_t> StoredSqlOf(const TenantName& tenant);
  size_t size() const { return table_.size(); }
  // Ends all; those that are in use with their requests. Suspends until none is being closed.
  void Stop();

 private:
  void Remember(uint64_t id, Ending ending);
  tl::unexpected<Error> Expired(uint64_t id) const;

  runtime::Core& core_;
  const GatewayId id_;
  const runtime::Duration most_idle_;
  uint64_t next_id_;  // Modulo the cores of the node it is the core's number.
  StreamTable<ClientStream> table_;
  std::map<uint64_t, Ending> endings_;  // The newest, limits::kRememberedStreams of them.
  std::map<TenantName, std::weak_ptr<uint64_t>> stored_sql_;
};

}  // namespace tradewind::gateway
