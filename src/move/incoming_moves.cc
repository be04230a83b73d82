#include "move/incoming_moves.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "move/catalog_receipt.h"
#include "move/messages.h"
#include "move/options.h"

namespace tradewind::move {

namespace {

tl::unexpected<Error> CopyInTheWay(const TenantName& tenant) {
  return Fail(ErrorKind::kUnavailable, "COPY_IN_THE_WAY",
              "another tenant " + tenant + ", or an earlier copy of it, is being made, moved or dropped here",
              "try again");
}

}  // namespace

IncomingMoves::IncomingMoves(MoveHost& host, tenant::LocalTenants& tenants, tenant::NameClaims& claims,
                             OutgoingMoves& outgoing, runtime::TaskGroup& fibers)
    : host_(host), tenants_(tenants), claims_(claims), outgoing_(outgoing), fibers_(fibers) {}

// -- Channels

IncomingMoves::Destination IncomingMoves::MakeDestination(const MoveId& move, const TenantName& tenant,
                                                          const NodeName& peer, Engine& engine,
                                                          Direction direction) {
  TW_CHECK(!destinations_.contains(tenant),
           "the end of a move that is there goes away while its fibers may run");
  auto destination = std::make_shared<MoveDestination>(DestinationMove{host_, move, tenant, direction}, peer,
                                                       engine, [this, tenant] { SendBackLater(tenant); });
  destinations_[tenant] = destination;
  return destination;
}

// A tenant that comes back finds its old copy here until that has been deleted; so does one whose last move was given
// up. Who deletes it may need the claim. From when this returns on nobody else begins with the name.
Result<tenant::NameClaims::Claim> IncomingMoves::AwaitRoom(const TenantName& tenant) {
  const runtime::TimePoint deadline = host_.core().Now() + limits::kReadyWait;
  const auto in_the_way = [&] {
    DropLast(tenant);
    return host_.IsMovingElsewhere(tenant) || host_.journal().Find(tenant) || tenants_.Has(tenant) ||
           destinations_.contains(tenant);
  };
  while (true) {
    if (!in_the_way()) {
      auto claim = claims_.ClaimName(tenant, deadline);
      if (!claim) return CopyInTheWay(tenant);
      if (!in_the_way()) {
        TW_TRY(CheckNoFile(tenant));
        if (host_.stopping() || destinations_.contains(tenant)) return CopyInTheWay(tenant);
        return claim;
      }
    }
    if (host_.core().Now() >= deadline || host_.stopping()) return CopyInTheWay(tenant);
    runtime::SleepFor(limits::kLocatePause);
  }
}

// No tenant of this node is in the way, so a file would be one that nobody knows: it is not written over.
Result<void> IncomingMoves::CheckNoFile(const TenantName& tenant) {
  TW_TRY_ASSIGN(const bool exists, host_.core().disk().Exists(host_.TenantPath(tenant)));
  if (!exists) return {};
  return Fail(ErrorKind::kRefused, "FILE_IN_THE_WAY",
              "the file " + host_.TenantPath(tenant) + " of node " + host_.self() +
                  " belongs to no tenant that it knows",
              "move it out of the folder");
}

size_t IncomingMoves::receiving() const {
  return static_cast<size_t>(std::count_if(destinations_.begin(), destinations_.end(), [](const auto& entry) {
    return entry.second->state() != DestinationState::kOver;
  }));
}

// The source comes back as soon as the node can be reached. A copy that is being opened, which may wait for the program
// that holds its file, answers once that is done: what it would say before is not so, and it would be given up for that.
void IncomingMoves::AwaitResumed(const TenantName& tenant) {
  WaitFor(changed_, [&] { return !resuming_.contains(tenant) || host_.stopping(); });
}

Result<IncomingMoves::Destination> IncomingMoves::DestinationFor(const Offer& offer, Engine& engine) {
  if (const auto found = destinations_.find(offer.tenant); found != destinations_.end() &&
                                                           found->second->move() == offer.move &&
                                                           found->second->state() != DestinationState::kOver)
    return found->second;
  if (offer.kind != OfferKind::kInit)
    return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "this node has no copy for the move " + offer.move);
  if (receiving() >= limits::kMovesIn)
    return Fail(ErrorKind::kUnavailable, "NODE_BUSY",
                "node " + host_.self() + " is receiving as many tenants as it may", "try again");
  TW_TRY_ASSIGN(auto claim, AwaitRoom(offer.tenant));
  Destination destination =
      MakeDestination(offer.move, offer.tenant, offer.source, engine, Direction::kForward);
  destination->Hold(std::move(claim));
  return destination;
}

// The tenant comes back: its old source stops sending, ends what is open, and has its copy ready to be made
// current.
Result<IncomingMoves::Destination> IncomingMoves::DestinationForReverse(const Offer& offer, Engine& engine) {
  outgoing_.Reverse(offer.move);
  if (const auto found = destinations_.find(offer.tenant); found != destinations_.end() &&
                                                           found->second->move() == offer.move &&
                                                           found->second->direction() == Direction::kReverse)
    return found->second;
  if (DropLast(offer.tenant)) return DestinationForReverse(offer, engine);
  const auto entry = host_.journal().Find(offer.tenant);
  const bool has_copy =
      entry && entry->move == offer.move && (entry->role == Role::kDual || entry->role == Role::kSwapping);
  if (!has_copy || tenants_.Has(offer.tenant) || host_.stopping())
    return Fail(ErrorKind::kUnavailable, "MOVE_UNKNOWN", "this node has no copy for the move " + offer.move);
  TW_TRY(engine.CheckFrozen(host_, offer.tenant));
  if (destinations_.contains(offer.tenant)) return DestinationForReverse(offer, engine);
  return MakeDestination(offer.move, offer.tenant, offer.source, engine, Direction::kReverse);
}

Result<void> IncomingMoves::ServeOffered(MoveChannel& channel) {
  TW_TRY_ASSIGN(const Message first, channel.ReceiveUntil(host_.core().Now() + limits::kNodeCall));
  const auto* offer = std::get_if<Offer>(&first);
  if (!offer)
    return Fail(ErrorKind::kCorrupt, "CHANNEL_CONFUSED", "the channel of a move begins with an offer");
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(offer->move));
  const bool reverse = record.state == catalog::MoveState::kReverse;
  const NodeName& to = reverse && offer->source == record.destination ? record.source : record.destination;
  const NodeName& from = &to == &record.source ? record.destination : record.source;
  if (to != host_.self() || offer->source != from || record.tenant != offer->tenant ||
      catalog::IsOver(record.state) || (offer->kind == OfferKind::kReverse && !reverse) ||
      (offer->kind == OfferKind::kInit && offer->epoch != record.epoch_before))
    return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "the catalog has no such move to this node");
  AwaitResumed(offer->tenant);
  if (host_.stopping()) return {};
  TW_TRY_ASSIGN(Engine* const engine, KnownEngine(host_, offer->engine));
  TW_TRY_ASSIGN(const Destination destination, offer->kind == OfferKind::kReverse
                                                   ? DestinationForReverse(*offer, *engine)
                                                   : DestinationFor(*offer, *engine));
  destination->Serve(channel, *offer);
  DropIfOver(destination);
  return {};
}

// One that was over by itself stands here until the tenant's next move, and what it still does ends first.
bool IncomingMoves::DropLast(const TenantName& tenant) {
  const auto found = destinations_.find(tenant);
  if (found == destinations_.end() || found->second->state() != DestinationState::kOver) return false;
  DropIfOver(Destination(found->second));
  return true;
}

void IncomingMoves::DropIfOver(const Destination& destination) {
  if (destination->state() != DestinationState::kOver && destination->state() != DestinationState::kEmpty)
    return;
  Forget(destination);
}

void IncomingMoves::Forget(const Destination& destination) {
  destination->Join();
  if (const auto current = destinations_.find(destination->tenant());
      current != destinations_.end() && current->second == destination)
    destinations_.erase(current);
}

void IncomingMoves::ServeChannel(std::unique_ptr<MoveChannel> channel) {
  host_.core().AssertHere();
  channels_.insert(channel.get());
  if (Result<void> served = host_.stopping() ? Result<void>() : ServeOffered(*channel); !served) {
    log::warn("the channel of a move: {}", Describe(served.error()));
    static_cast<void>(channel->Send(Failed{served.error().code, served.error().message}));
  }
  channel->Close();
  channels_.erase(channel.get());
  channel.reset();
  changed_.NotifyAll();
}

Result<void> IncomingMoves::AwaitArrival(const TenantName& tenant, runtime::TimePoint deadline) {
  host_.core().AssertHere();
  // The catalog has a new tenant a moment before its node serves it.
  claims_.AwaitClaim(tenant, deadline);
  const auto found = destinations_.find(tenant);
  if (found == destinations_.end()) return {};
  const Destination destination = found->second;
  return destination->AwaitOwnership(deadline);
}

// -- What is asked of them

const MoveDestination* IncomingMoves::Find(const TenantName& tenant) const {
  const auto found = destinations_.find(tenant);
  return found == destinations_.end() ? nullptr : found->second.get();
}

IncomingMoves::Destination IncomingMoves::FindMove(const MoveId& id) const {
  const auto found = std::find_if(destinations_.begin(), destinations_.end(),
                                  [&](const auto& entry) { return entry.second->move() == id; });
  return found == destinations_.end() ? nullptr : found->second;
}

bool IncomingMoves::Knows(const MoveId& id) const {
  return FindMove(id) != nullptr;
}

void IncomingMoves::Abandon(const TenantName& tenant) {
  host_.core().AssertHere();
  WaitFor(changed_, [&] { return !resuming_.contains(tenant); });
  const auto found = destinations_.find(tenant);
  if (found == destinations_.end()) return;
  const Destination destination = found->second;
  destination->Abandon();
  Forget(destination);
}

Result<void> IncomingMoves::Reverse(const MoveId& id) {
  const Destination destination = FindMove(id);
  TW_CHECK(destination, "a move that does not come here is to go back from here");
  TW_TRY(destination->Reverse());
  Result<void> sent = SendBack(destination->tenant());
  if (!sent) SendBackLater(destination->tenant());
  return sent;
}

// The catalog has the move as reversed: this node, its destination, sends the tenant back.
Result<void> IncomingMoves::SendBack(const TenantName& tenant) {
  if (outgoing_.IsSending(tenant)) return {};  // It is on its way.
  const auto found = destinations_.find(tenant);
  if (found == destinations_.end()) return {};
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(found->second->move()));
  TW_TRY_ASSIGN(const auto options, ParseMoveOptions(record.options));
  TW_TRY_ASSIGN(auto use, tenants_.Find(tenant));
  if (outgoing_.IsSending(tenant)) return {};
  Receipt start = FirstReceipt(record, use.epoch());
  start.error = "cancelled on request after the hand-over; the tenant goes back to node " + record.source;
  outgoing_.Send(std::move(use), std::move(start), options, Direction::kReverse);
  return {};
}

// Once the catalog has it as reversed nothing but this brings the move to an end.
void IncomingMoves::SendBackLater(const TenantName& tenant) {
  fibers_.Spawn("send back " + tenant, [this, tenant] {
    bool said = false;
    while (!host_.stopping()) {
      const Result<void> sent = SendBack(tenant);
      if (sent) return;
      if (!std::exchange(said, true))
        log::warn("tenant {} could not be sent back yet: {}", tenant, Describe(sent.error()));
      runtime::SleepFor(limits::kReconnectPause);
    }
  });
}

// -- Restart and end

Result<void> IncomingMoves::Resume(const JournalEntry& entry) {
  DropLast(entry.tenant);
  const Destination destination =
      MakeDestination(entry.move, entry.tenant, entry.peer, host_.EngineOf(entry.tenant),
                      entry.reverse ? Direction::kReverse : Direction::kForward);
  resuming_.insert(entry.tenant);
  Result<void> resumed = destination->Resume(entry);
  resuming_.erase(entry.tenant);
  changed_.NotifyAll();
  if (resumed && destination->state() != DestinationState::kOver) return {};
  destinations_.erase(entry.tenant);
  destination->Join();
  return resumed;
}

void IncomingMoves::StopWaits() {
  for (const auto& [tenant, destination] : destinations_) destination->StopWaits();
}

void IncomingMoves::CloseChannels() {
  for (MoveChannel* const channel : channels_) channel->Close();
  changed_.NotifyAll();
}

void IncomingMoves::Join() {
  WaitFor(changed_, [&] { return channels_.empty(); });
  for (const auto& [tenant, destination] : destinations_) destination->Join();
}

}  // namespace tradewind::move
