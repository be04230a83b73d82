// What other nodes send here; the rest is in moves.cc.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "move/messages.h"
#include "move/moves.h"

namespace tradewind::move {

namespace {

tl::unexpected<Error> CopyInTheWay(const TenantName& tenant) {
  return Fail(ErrorKind::kUnavailable, "COPY_IN_THE_WAY",
              "another tenant " + tenant + ", or an earlier copy of it, is being made, moved or dropped here",
              "try again");
}

}  // namespace

Result<Engine*> Moves::KnownEngine(std::string_view name) {
  Engine* const engine = host_.FindEngine(name);
  if (engine) return engine;
  return Fail(ErrorKind::kRefused, "ENGINE_UNKNOWN",
              fmt::format("node {} has no engine '{}'", host_.self(), name),
              "run the same version of tradewind on both nodes");
}

Moves::Destination Moves::MakeDestination(const MoveId& move, const TenantName& tenant, const NodeName& peer,
                                          Engine& engine, Direction direction) {
  TW_CHECK(!incoming_.contains(tenant), "the end of a move that is there goes away while its fibers may run");
  auto destination = std::make_shared<MoveDestination>(DestinationMove{host_, move, tenant, direction}, peer,
                                                       engine, [this, tenant] { SendBackLater(tenant); });
  incoming_[tenant] = destination;
  return destination;
}

// A tenant that comes back finds its old copy here until that has been deleted; so does one whose last move was given
// up. Who deletes it may need the claim. From when this returns on nobody else begins with the name.
Result<tenant::NameClaims::Claim> Moves::AwaitRoom(const TenantName& tenant) {
  const runtime::TimePoint deadline = host_.core().Now() + limits::kReadyWait;
  const auto in_the_way = [&] {
    DropLast(tenant);
    return host_.IsMovingElsewhere(tenant) || host_.journal().Find(tenant) || tenants_.Has(tenant) ||
           incoming_.contains(tenant);
  };
  while (true) {
    if (!in_the_way()) {
      auto claim = claims_.ClaimName(tenant, deadline);
      if (!claim) return CopyInTheWay(tenant);
      if (!in_the_way()) {
        TW_TRY(CheckNoFile(tenant));
        if (host_.stopping() || incoming_.contains(tenant)) return CopyInTheWay(tenant);
        return claim;
      }
    }
    if (host_.core().Now() >= deadline || host_.stopping()) return CopyInTheWay(tenant);
    runtime::SleepFor(limits::kLocatePause);
  }
}

// No tenant of this node is in the way, so a file would be one that nobody knows: it is not written over.
Result<void> Moves::CheckNoFile(const TenantName& tenant) {
  TW_TRY_ASSIGN(const bool exists, host_.core().disk().Exists(host_.TenantPath(tenant)));
  if (!exists) return {};
  return Fail(ErrorKind::kRefused, "FILE_IN_THE_WAY",
              "the file " + host_.TenantPath(tenant) + " of node " + host_.self() +
                  " belongs to no tenant that it knows",
              "move it out of the folder");
}

size_t Moves::receiving() const {
  return static_cast<size_t>(std::count_if(incoming_.begin(), incoming_.end(), [](const auto& entry) {
    return entry.second->state() != DestinationState::kOver;
  }));
}

// The source comes back as soon as the node can be reached. A copy that is being opened, which may wait for the program
// that holds its file, answers once that is done: what it would say before is not so, and it would be given up for that.
void Moves::AwaitResumed(const TenantName& tenant) {
  WaitFor(changed_, [&] { return !resuming_.contains(tenant) || host_.stopping(); });
}

Result<Moves::Destination> Moves::DestinationFor(const Offer& offer, Engine& engine) {
  if (const auto found = incoming_.find(offer.tenant); found != incoming_.end() &&
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
Result<Moves::Destination> Moves::DestinationForReverse(const Offer& offer, Engine& engine) {
  if (const auto outgoing = outgoing_.find(offer.tenant);
      outgoing != outgoing_.end() && outgoing->second.source->id() == offer.move) {
    const auto source = outgoing->second.source;
    const auto last = outgoing->second.last;
    source->TurnRound();
    WaitFor(changed_, [&] { return last->has_value() || host_.stopping(); });
  }
  if (const auto found = incoming_.find(offer.tenant); found != incoming_.end() &&
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
  if (incoming_.contains(offer.tenant)) return DestinationForReverse(offer, engine);
  return MakeDestination(offer.move, offer.tenant, offer.source, engine, Direction::kReverse);
}

Result<void> Moves::ServeOffered(MoveChannel& channel) {
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
  channels_[&channel] = offer->tenant;
  AwaitResumed(offer->tenant);
  if (host_.stopping()) return {};
  TW_TRY_ASSIGN(Engine* const engine, KnownEngine(offer->engine));
  TW_TRY_ASSIGN(const Destination destination, offer->kind == OfferKind::kReverse
                                                   ? DestinationForReverse(*offer, *engine)
                                                   : DestinationFor(*offer, *engine));
  destination->Serve(channel, *offer);
  DropIfOver(destination);
  return {};
}

// One that was over by itself stands here until the tenant's next move, and what it still does ends first.
bool Moves::DropLast(const TenantName& tenant) {
  const auto found = incoming_.find(tenant);
  if (found == incoming_.end() || found->second->state() != DestinationState::kOver) return false;
  DropIfOver(Destination(found->second));
  return true;
}

void Moves::DropIfOver(const Destination& destination) {
  if (destination->state() != DestinationState::kOver && destination->state() != DestinationState::kEmpty)
    return;
  destination->Join();
  if (const auto current = incoming_.find(destination->tenant());
      current != incoming_.end() && current->second == destination)
    incoming_.erase(current);
}

void Moves::ServeChannel(std::unique_ptr<MoveChannel> channel) {
  host_.core().AssertHere();
  channels_[channel.get()] = "";
  if (Result<void> served = host_.stopping() ? Result<void>() : ServeOffered(*channel); !served) {
    log::warn("the channel of a move: {}", Describe(served.error()));
    static_cast<void>(channel->Send(Failed{served.error().code, served.error().message}));
  }
  channel->Close();
  channels_.erase(channel.get());
  channel.reset();
  changed_.NotifyAll();
}

Result<void> Moves::AwaitArrival(const TenantName& tenant, runtime::TimePoint deadline) {
  host_.core().AssertHere();
  // The catalog has a new tenant a moment before its node serves it.
  claims_.AwaitClaim(tenant, deadline);
  const auto found = incoming_.find(tenant);
  if (found == incoming_.end()) return {};
  const Destination destination = found->second;
  return destination->AwaitOwnership(deadline);
}

}  // namespace tradewind::move
