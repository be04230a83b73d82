// The moves that this node takes part in: it starts those of its own tenants, answers those of others, turns
// them round when they are cancelled, and goes on with all of them after a restart. A node of several cores has them for
// the tenants of each core; claims, journal and catalog are core 0's.
//
// This core only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "move/host.h"
#include "move/move_destination.h"
#include "move/move_source.h"
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

class Moves {
 public:
  // `end_streams` is called before a tenant that has moved away is closed here: every stream on it ends.
  // `pace_changed` is told when this node begins to send, or sends at another pace.
  Moves(MoveHost& host, tenant::LocalTenants& tenants, tenant::NameClaims& claims,
        std::function<void(const TenantName&)> end_streams, std::function<void()> pace_changed);
  ~Moves();  // Requires: Stop() has returned.

  // Goes on after a restart with a journal entry that speaks of a move. To be called before the node serves.
  // Suspends.
  Result<void> Resume(const JournalEntry& entry);

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
  // How fast from now on; kept in the catalog. Fails with MOVE_NOT_HERE. Suspends.
  Result<Receipt> SetPace(const MoveId& id, const Pace& pace);

  // Has a move that stopped because its sums differed compare them again. Fails with MOVE_NOT_HERE, and
  // MOVE_NOT_STOPPED (kRefused).
  Result<Receipt> VerifyAgain(const MoveId& id);

  // The receipt, as JSON, of a move that this node sends and that has not ended; null otherwise.
  std::optional<std::string> LiveReceipt(const MoveId& id) const;
  std::vector<Receipt> LiveReceipts() const;
  std::vector<std::shared_ptr<MoveSource>> sources() const;

  // Serves the source's end of a channel that was opened to this node. Suspends until it ends.
  void ServeChannel(std::unique_ptr<MoveChannel> channel);

  // If the tenant is being made here, or a copy of it is on its way: suspends until it is served, or the
  // deadline passes.
  Result<void> AwaitArrival(const TenantName& tenant, runtime::TimePoint deadline);
  // Whether the move is one of this core, or was the last of its tenant.
  bool Knows(const MoveId& id) const;
  // Whether the tenant takes part in a move here, as either side.
  bool IsMoving(const TenantName& tenant) const;

  // Whether this node owns a tenant of which the move's other node has a part, and that node is not connected.
  bool IsCutOff(const TenantName& tenant) const;
  // The tenant was deleted, or has gone on elsewhere, without the move that its copy here takes part in: ends what goes
  // on with it. Suspends.
  void Abandon(const TenantName& tenant);

  // Resumes as Resume() does, by itself, once the program ends that has the tenant's file open.
  void ResumeWhenFree(const JournalEntry& entry);

  // Whoever waits for something of another node gets an error instead: the host is stopping. Does not suspend.
  void StopWaits();
  // Ends what is under way, to be resumed after a restart. Suspends. The host is stopping.
  void Stop();

 private:
  struct Outgoing {
    std::shared_ptr<MoveSource> source;
    std::shared_ptr<std::optional<Receipt>> last;  // Set when it has ended.
  };
  using Destination = std::shared_ptr<MoveDestination>;

  Result<catalog::MoveRecord> Begin(const catalog::MoveRecord& record,
                                    std::shared_ptr<tenant::NameClaims::Claim> claim);
  void GiveUpLater(const catalog::MoveRecord& record, std::shared_ptr<tenant::NameClaims::Claim> claim);
  Result<void> AwaitEndOfArrival(const TenantName& tenant);
  Outgoing& Run(const TenantName& tenant, tenant::LocalTenants::Use use, Receipt start, MoveOptions options,
                Direction direction, std::optional<Role> resumed);
  void EndSource(const TenantName& tenant, Direction direction, MoveSource::Outcome outcome);
  void RemoveCopy(const TenantName& tenant);
  Result<void> ResumeSource(const JournalEntry& entry);
  Result<tenant::LocalTenants::Use> OpenForReverse(const JournalEntry& entry, Epoch owned);
  Result<void> SendBack(const TenantName& tenant);
  void SendBackLater(const TenantName& tenant);
  // Fails with ENGINE_UNKNOWN (kRefused).
  Result<Engine*> KnownEngine(std::string_view name);
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
  const Outgoing* FindOutgoing(const MoveId& id) const;
  size_t receiving() const;

  MoveHost& host_;
  tenant::LocalTenants& tenants_;
  tenant::NameClaims& claims_;
  const std::function<void(const TenantName&)> end_streams_;
  const std::function<void()> pace_changed_;
  std::map<TenantName, Outgoing> outgoing_;
  std::map<TenantName, Destination> incoming_;
  std::set<TenantName> resuming_;  // Of these, whose copy is being opened: none serves yet.
  std::map<MoveChannel*, TenantName> channels_;
  bool starts_allowed_ = false;
  runtime::TaskGroup fibers_;
  runtime::WaitQueue changed_;  // A source or a channel has ended, or a destination is resumed.
};

}  // namespace tradewind::move
