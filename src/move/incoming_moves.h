// What comes to this core: the destination of each move, the channels that sources open to them, and the copies of
// before a restart. A destination whose move is reversed sends its tenant back (outgoing_moves.h).
//
// This core only.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "base/ids.h"
#include "base/result.h"
#include "move/host.h"
#include "move/journal_entry.h"
#include "move/move_channel.h"
#include "move/move_destination.h"
#include "move/outgoing_moves.h"
#include "runtime/fiber.h"
#include "tenant/local_tenants.h"
#include "tenant/name_claims.h"

namespace tradewind::move {

class IncomingMoves {
 public:
  // `fibers` is joined before this goes away.
  IncomingMoves(MoveHost& host, tenant::LocalTenants& tenants, tenant::NameClaims& claims,
                OutgoingMoves& outgoing, runtime::TaskGroup& fibers);

  // Serves the source's end of a channel that was opened to this node. Suspends until it ends.
  void ServeChannel(std::unique_ptr<MoveChannel> channel);
  // Goes on after a restart that found a destination's role in the journal. Suspends.
  Result<void> Resume(const JournalEntry& entry);

  // If the tenant is being made here, or a copy of it is on its way: suspends until it is served, or the
  // deadline passes.
  Result<void> AwaitArrival(const TenantName& tenant, runtime::TimePoint deadline);
  // The move goes back: returns once that is certain and its source here has begun. Fails as
  // MoveDestination::Reverse() does. Requires: Knows(id). Suspends.
  Result<void> Reverse(const MoveId& id);
  // The tenant was deleted, or has gone on elsewhere, without the move that its copy here takes part in: ends what goes
  // on with it. Suspends.
  void Abandon(const TenantName& tenant);

  // Of the tenant's last move to here, which may be over; null: of none that is known.
  const MoveDestination* Find(const TenantName& tenant) const;
  bool Knows(const MoveId& id) const;

  // Whoever waits for something of another node gets an error instead: the host is stopping. Does not suspend.
  void StopWaits();
  // The host is stopping. Does not suspend.
  void CloseChannels();
  // Suspends until no channel is served and no destination runs. What is resumed meanwhile needs another one.
  void Join();
  // Nothing runs any more.
  void Clear() { destinations_.clear(); }

 private:
  using Destination = std::shared_ptr<MoveDestination>;

  Result<void> SendBack(const TenantName& tenant);
  void SendBackLater(const TenantName& tenant);
  Destination MakeDestination(const MoveId& move, const TenantName& tenant, const NodeName& peer,
                              Engine& engine, Direction direction);
  Result<tenant::NameClaims::Claim> AwaitRoom(const TenantName& tenant);
  Result<void> CheckNoFile(const TenantName& tenant);
  Result<void> ServeOffered(MoveChannel& channel);
  void AwaitResumed(const TenantName& tenant);
  Result<Destination> DestinationFor(const Offer& offer, Engine& engine);
  Result<Destination> DestinationForReverse(const Offer& offer, Engine& engine);
  bool DropLast(const TenantName& tenant);
  void DropIfOver(const Destination& destination);
  void Forget(const Destination& destination);
  Destination FindMove(const MoveId& id) const;
  size_t receiving() const;

  MoveHost& host_;
  tenant::LocalTenants& tenants_;
  tenant::NameClaims& claims_;
  OutgoingMoves& outgoing_;
  runtime::TaskGroup& fibers_;
  std::map<TenantName, Destination> destinations_;
  std::set<TenantName> resuming_;  // Of these, whose copy is being opened: none serves yet.
  std::set<MoveChannel*> channels_;
  runtime::WaitQueue changed_;  // A channel has ended, or a destination is resumed, or the host is stopping.
};

}  // namespace tradewind::move
