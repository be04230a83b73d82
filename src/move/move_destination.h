// The destination of a move, whatever travels (docs/move.md, steps 3, 4, 6 to 9), and after the move was reversed
// its source (step 10). What travels is its payload's (payload.h).
//
// What is durable when, and what a crash of this process leaves (I1 to I5):
//   receiving   the journal says so before anything of the copy is made: a restart drops it. No ready was sent,
//               so the source still owns, and finds out by the broken connection.
//   frozen      going back only: the copy that this node had before the move, and that still is the newest
//               version of everything that the other node has not written. The journal says dual: it is
//               neither served nor dropped. What the source hands over goes over what it has written itself.
//   ready       before the message: all of the list, durable, then the journal's `ready`. From then on the copy is
//               neither served nor dropped until the catalog (or the source's Own) says owner at a higher epoch, or
//               the catalog says cancelled; a lost connection or a restart changes nothing. A new list of the
//               source, which has not sent the swap then, first takes the journal back to receiving
//               (or frozen).
//   owner       journalled before the first transaction runs here. A restart serves again without the
//               catalog; what arrived and was not made durable is sent again (frozen there).
//   mismatch    everything durable, then the journal's `mismatch`, then the source is told. It
//               serves as an owner, also after a restart, and neither compares nor ends the move by itself: that
//               takes an offer to verify (then the journal says owner again, once the sums agree), or a cancel.
//   done        in this order: everything durable, sums equal, the catalog's record forward
//               -> done (reverse -> cancelled), the journal's `owned`, then what only the move needs is removed. A
//               crash in between comes back as `owner` with a copy that is whole, and goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "move/destination_state.h"
#include "move/host.h"
#include "move/payload.h"
#include "runtime/fiber.h"
#include "tenant/name_claims.h"

namespace tradewind::move {

// Held by shared pointers: requests may wait for it while its move ends.
class MoveDestination : public std::enable_shared_from_this<MoveDestination> {
 public:
  // Going back it starts as frozen: the copy is there, and nothing has it open. `on_reversed` is called, after
  // a restart, when the catalog has the move as reversed.
  MoveDestination(DestinationMove move, NodeName peer, Engine& engine, std::function<void()> on_reversed);
  ~MoveDestination();  // Requires: no Serve is in progress and no fiber of it runs (Join).

  // Nobody else makes, deletes or moves a tenant of the name until the journal has this copy, or it is not made after
  // all.
  void Hold(tenant::NameClaims::Claim claim) { claim_.emplace(std::move(claim)); }
  // Answers one channel of the source until it ends or the move is over. A later channel replaces an earlier
  // one. Suspends.
  void Serve(MoveChannel& channel, const Offer& offer);

  // Goes on after a restart that found receiving, ready or owner in the journal. Suspends; an owner serves
  // when it returns.
  Result<void> Resume(const JournalEntry& entry);

  // Suspends until the node serves the tenant, or fails with kUnavailable.
  Result<void> AwaitOwnership(runtime::TimePoint deadline);

  // Records that the tenant goes back (docs/move.md, step 10): from then on the move cannot be done. Fails with
  // MOVE_SWAPPING (kUnavailable) before this node owns, and with MOVE_OVER (kRefused) when it was too late.
  // Suspends.
  Result<void> Reverse();

  // Whoever waits for something of the other node gets an error instead, now and later: the host is stopping. Does
  // not suspend.
  void StopWaits();
  // Ends it without a change to what is on the disk: the tenant has gone back, and its copy goes.
  void Abandon();
  // Suspends until no call of Serve is in progress and no fiber of this object runs; the host is stopping or the move
  // is over.
  void Join();

  DestinationState state() const { return state_; }
  Direction direction() const { return direction_; }
  bool has_channel() const { return channel_ != nullptr; }  // The source is there.
  Epoch epoch() const { return epoch_; }
  const MoveId& move() const { return move_; }
  const TenantName& tenant() const { return tenant_; }
  const NodeName& peer() const { return peer_; }

 private:
  using State = DestinationState;

  // move_destination.cc: a channel, and the copy until it is ready.
  Result<void> Answer(MoveChannel& channel, const Offer& offer);
  Result<void> Begin(const Offer& offer);
  Result<void> Renew();
  Result<void> Receive(MoveChannel& channel, Message message);
  bool BeginsAnew(const Message& message) const;
  Result<void> TakeList(MoveChannel& channel, const List& list);
  Result<void> DropCopy();
  void DropUntilItIs();
  Result<void> DropFiles();
  std::optional<Role> NotedRole() const;
  Hello MakeHello() const;

  // move_destination_owner.cc: ownership and the end.
  Result<void> TakeOwn(const Own& own);
  void SpawnWatchCatalog();
  void WatchCatalog();
  void SpawnBecomeOwner(Epoch epoch);
  Result<void> BecomeOwner(Epoch epoch);
  Result<void> OpenAsOwner(Epoch epoch, Role role);
  Result<void> NoteOnce(const JournalEntry& entry);
  void SpawnWatchForEnd();
  void WatchForEnd();
  bool IsOwnerInCatalog();
  Result<void> RecordReverse();
  tl::unexpected<Error> Over() const;
  Result<void> TryToComplete(MoveChannel& channel);
  Result<void> Compare(MoveChannel& channel);
  Result<void> StopAtMismatch(MoveChannel& channel);
  Result<void> EndMove();

  bool is_reverse() const { return direction_ == Direction::kReverse; }
  JournalEntry Entry(Role role) const;
  void Enter(State state);

  MoveHost& host_;
  runtime::Core& core_;
  const MoveId move_;
  const TenantName tenant_;
  const NodeName peer_;
  const Direction direction_;
  const std::function<void()> on_reversed_;
  const std::unique_ptr<DestinationPayload> payload_;
  State state_;
  Epoch epoch_;  // The source's before ready, this node's from owner on.
  uint64_t list_ = 0;

  std::optional<tenant::NameClaims::Claim> claim_;
  MoveChannel* channel_ = nullptr;  // The current one.
  int serving_ = 0;                 // Calls of Serve, of which all but the last are about to end.
  // What was said over it.
  struct Said {
    std::optional<Offer> renewal;  // Of a source that begins anew, while an earlier list is ready here.
    bool told = false;             // That this node owns.
    bool verifying = false;        // Sums were made anew for it.
    std::optional<Part> complete;
  };
  Said said_;

  bool watching_ = false;      // The catalog, for ownership,
  bool watching_end_ = false;  // and for the end.
  runtime::WaitQueue state_changed_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::move
