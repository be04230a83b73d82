// The moves that this core takes part in: those that it sends (outgoing_moves.h), those that come to it
// (incoming_moves.h), and what concerns both: it starts a move, gives one up, and goes on with all of them after a
// restart. A node of several cores has them for the tenants of each core; claims, journal and catalog are core 0's.
//
// This core only.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "move/host.h"
#include "move/incoming_moves.h"
#include "move/options.h"
#include "move/outgoing_moves.h"
#include "runtime/fiber.h"
#include "tenant/local_tenants.h"
#include "tenant/name_claims.h"

namespace tradewind::move {

struct MoveRequest {
  TenantName tenant;
  NodeName to;
  MoveOptions options;
  // From the start; becomes options.finish_by_ms.
  std::optional<std::chrono::duration<double>> finish_within = {};
};

// Stop() returns before it goes away.
class Moves {
 public:
  // `end_streams` is called before a tenant that has moved away is closed here: every stream on it ends.
  // `pace_changed` is told when this node begins to send, or sends at another pace.
  Moves(MoveHost& host, tenant::LocalTenants& tenants, tenant::NameClaims& claims,
        std::function<void(const TenantName&)> end_streams, std::function<void()> pace_changed);

  OutgoingMoves& outgoing() { return outgoing_; }
  IncomingMoves& incoming() { return incoming_; }

  // Goes on after a restart with a journal entry that speaks of a move. To be called before the node serves.
  // Suspends.
  Result<void> Resume(const JournalEntry& entry);
  // Whether that may succeed later, with nothing done about the tenant: another program has its file open, the disk is
  // full, there are no file descriptors.
  static bool MayResumeLater(const Error& why);
  // The same by itself, tried again and again. Does not suspend.
  void ResumeLater(const JournalEntry& entry);

  // Moves can be started from now on: those that an earlier process of this node left have been seen to.
  void AllowStarts();
  // Starts a move of a tenant that is here. Fails with the codes of Catalog::BeginMove, NODE_NOT_FOUND,
  // TENANT_NOT_HERE, MOVE_ENDING (kUnavailable: the journal cannot yet note the end of the one before). Suspends.
  Result<Receipt> Start(const MoveRequest& request);
  // The same, and suspends until it is over; its last receipt.
  Result<Receipt> RunToEnd(const MoveRequest& request);
  // Gives a move up: before the hand-over at its source, after it at its destination, which sends the tenant
  // back. Returns once that is certain, not once it has happened. Fails with MOVE_NOT_HERE (kNotFound),
  // MOVE_OVER (kRefused), MOVE_OWNED_BY_DESTINATION (kRefused: ask there), MOVE_SWAPPING (kUnavailable: ask
  // again). Suspends.
  Result<Receipt> Cancel(const MoveId& id);

  // Whether the move is one of this core, or was the last of its tenant.
  bool Knows(const MoveId& id) const;
  // Whether the tenant takes part in a move here, as either side.
  bool IsMoving(const TenantName& tenant) const;
  // Whether this node owns a tenant of which the move's other node has a part, and that node is not connected.
  bool IsCutOff(const TenantName& tenant) const;

  // Ends what is under way, to be resumed after a restart. Suspends. The host is stopping, and StopWaits() of what comes
  // in was called.
  void Stop();

 private:
  Result<catalog::MoveRecord> Begin(const catalog::MoveRecord& record,
                                    std::shared_ptr<tenant::NameClaims::Claim> claim);
  void GiveUpLater(const catalog::MoveRecord& record, std::shared_ptr<tenant::NameClaims::Claim> claim);
  Result<void> AwaitEndOfArrival(const TenantName& tenant);
  bool IsArriving(const TenantName& tenant) const;

  MoveHost& host_;
  tenant::LocalTenants& tenants_;
  tenant::NameClaims& claims_;
  runtime::TaskGroup fibers_;  // Of all of them.
  OutgoingMoves outgoing_;
  IncomingMoves incoming_;
  bool starts_allowed_ = false;
  runtime::WaitQueue changed_;  // Moves may be started, or the host is stopping.
};

}  // namespace tradewind::move
