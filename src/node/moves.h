// The moves that this node takes part in: it starts those of its own tenants, answers those of others, turns
// them round when they are cancelled, and goes on with all of them after a restart.
//
// This core only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "move/host.h"
#include "move/receiver.h"
#include "move/sender.h"
#include "node/local_tenants.h"
#include "runtime/fiber.h"

namespace tradewind::node {

struct MoveRequest {
  TenantName tenant;
  NodeName to;
  move::MoveOptions options;
  // From the start; becomes options.finish_by_ms.
  std::optional<std::chrono::duration<double>> finish_within = {};
};

class Moves {
 public:
  // `end_streams` is called before a tenant that has moved away is closed here: every stream on it ends.
  // `pace_changed` is told when this node begins to send, or sends at another pace.
  Moves(move::MoveHost& host, LocalTenants& tenants, std::function<void(const TenantName&)> end_streams,
        std::function<void()> pace_changed);
  ~Moves();  // Requires: Stop() has returned.

  // Goes on after a restart with a journal entry that speaks of a move. To be called before the node serves.
  // Suspends.
  Result<void> Resume(const move::JournalEntry& entry);

  // Moves can be started from now on: those that an earlier process of this node left have been seen to.
  void AllowStarts();
  // Starts a move of a tenant that is here. Fails with the codes of Catalog::BeginMove, NODE_NOT_FOUND,
  // TENANT_NOT_HERE, MOVE_ENDING (kUnavailable: the journal cannot yet note the end of the one before). Suspends.
  Result<move::Receipt> Start(const MoveRequest& request);
  // The same, and suspends until it is over; its last receipt.
  Result<move::Receipt> RunToEnd(const MoveRequest& request);

  // Gives a move up: before the hand-over at its source, after it at its destination, which sends the tenant
  // back. Returns once that is certain, not once it has happened. Fails with MOVE_NOT_HERE (kNotFound),
  // MOVE_OVER (kRefused), MOVE_OWNED_BY_DESTINATION (kRefused: ask there), MOVE_SWAPPING (kUnavailable: ask
  // again). Suspends.
  Result<move::Receipt> Cancel(const MoveId& id);
  // How fast from now on; kept in the catalog. Fails with MOVE_NOT_HERE. Suspends.
  Result<move::Receipt> SetPace(const MoveId& id, const move::Pace& pace);

  // Has a move that stopped because its sums differed compare them again. Fails with MOVE_NOT_HERE, and
  // MOVE_NOT_STOPPED (kRefused).
  Result<move::Receipt> VerifyAgain(const MoveId& id);

  // The receipt, as JSON, of a move whose pages this node sends and that has not ended; null otherwise.
  std::optional<std::string> LiveReceipt(const MoveId& id) const;
  std::optional<std::string> LiveReceiptOf(const TenantName& tenant) const;
  std::vector<move::Receipt> LiveReceipts() const;
  std::vector<std::shared_ptr<move::Sender>> senders() const;

  // Serves the sender's end of a channel that was opened to this node. Suspends until it ends.
  void ServeChannel(std::unique_ptr<move::PageChannel> channel);

  // If the tenant is being made here, or a copy of it is on its way: suspends until it is served, or the
  // deadline passes.
  Result<void> AwaitArrival(const TenantName& tenant, runtime::TimePoint deadline);
  // Whether the tenant takes part in a move here, as either side.
  bool IsMoving(const TenantName& tenant) const;

  // Whether this node owns a tenant of which the move's other node has pages, and that node is not connected.
  bool IsCutOff(const TenantName& tenant) const;
  // The tenant was deleted, or has gone on elsewhere, without the move that its copy here takes part in: ends what goes
  // on with it. Suspends.
  void Abandon(const TenantName& tenant);

  // Resumes as Resume() does, by itself, once the program ends that has the tenant's file open.
  void ResumeWhenFree(const move::JournalEntry& entry);

  // Whoever waits for a page of another node gets an error instead: the host is stopping. Does not suspend.
  void StopPulls();
  // Ends what is under way, to be resumed after a restart. Suspends. The host is stopping.
  void Stop();

 private:
  struct Outgoing {
    std::shared_ptr<move::Sender> sender;
    std::shared_ptr<std::optional<move::Receipt>> last;  // Set when it has ended.
  };
  using Receiver = std::shared_ptr<move::Receiver>;

  Result<cluster::MoveRecord> Begin(const cluster::MoveRecord& record,
                                    std::shared_ptr<LocalTenants::Claim> claim);
  void GiveUpLater(const cluster::MoveRecord& record, std::shared_ptr<LocalTenants::Claim> claim);
  Result<void> AwaitEndOfArrival(const TenantName& tenant);
  Outgoing& Run(const TenantName& tenant, LocalTenants::Use use, move::Receipt start,
                move::MoveOptions options, move::Sender::Direction direction,
                std::optional<move::Role> resumed);
  void EndSender(const TenantName& tenant, move::Sender& sender, move::Sender::Outcome outcome);
  void RemoveCopy(const TenantName& tenant);
  Result<void> ResumeSender(const move::JournalEntry& entry);
  Result<LocalTenants::Use> OpenForReverse(const move::JournalEntry& entry, Epoch owned);
  Result<void> SendBack(const TenantName& tenant);
  void SendBackLater(const TenantName& tenant);
  Receiver MakeReceiver(const MoveId& move, const TenantName& tenant, const NodeName& peer,
                        move::Receiver::Direction direction);
  Result<void> AwaitRoom(const TenantName& tenant);
  Result<void> ServeOffered(move::PageChannel& channel);
  Result<Receiver> ReceiverFor(const move::Offer& offer);
  Result<Receiver> ReceiverForReverse(const move::Offer& offer);
  void DropIfOver(const Receiver& receiver);
  const Outgoing* FindOutgoing(const MoveId& id) const;
  size_t receiving() const;

  move::MoveHost& host_;
  LocalTenants& tenants_;
  const std::function<void(const TenantName&)> end_streams_;
  const std::function<void()> pace_changed_;
  std::map<TenantName, Outgoing> outgoing_;
  std::map<TenantName, Receiver> receivers_;
  std::map<move::PageChannel*, TenantName> channels_;
  bool starts_allowed_ = false;
  runtime::TaskGroup fibers_;
  runtime::WaitQueue changed_;  // A sender or a channel has ended.
};

}  // namespace tradewind::node
