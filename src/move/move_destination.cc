#include "move/move_destination.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/out_of_memory.h"
#include "base/planted_bug.h"

namespace tradewind::move {

MoveDestination::MoveDestination(DestinationMove move, NodeName peer, Engine& engine,
                                 std::function<void()> on_reversed)
    : host_(move.host),
      core_(host_.core()),
      move_(move.move),
      tenant_(move.tenant),
      peer_(std::move(peer)),
      direction_(move.direction),
      on_reversed_(std::move(on_reversed)),
      payload_(engine.MakeDestination(move)),
      state_(direction_ == Direction::kForward ? State::kEmpty : State::kFrozen),
      fibers_(core_) {}

MoveDestination::~MoveDestination() = default;

void MoveDestination::Enter(State state) {
  TW_CHECK(IsLegal(state_, state), "an illegal step between the states of a move's destination");
  state_ = state;
  state_changed_.NotifyAll();
}

void MoveDestination::StopWaits() {
  payload_->StopWaits();
  state_changed_.NotifyAll();
}

void MoveDestination::Abandon() {
  if (channel_) channel_->Close();
  if (state_ != State::kOver) Enter(State::kOver);
}

void MoveDestination::Join() {
  state_changed_.NotifyAll();
  WaitFor(state_changed_, [this] { return serving_ == 0; });
  fibers_.Join();
  payload_->Join();
}

JournalEntry MoveDestination::Entry(Role role) const {
  return JournalEntry{tenant_, role, epoch_, move_, peer_, list_, is_reverse(), PinTo(core_)};
}

// -- A channel

void MoveDestination::Serve(MoveChannel& channel, const Offer& offer) {
  // One at a time: what the one before is in the middle of ends first.
  if (channel_) channel_->Close();
  channel_ = &channel;
  ++serving_;
  WaitFor(state_changed_, [&] { return serving_ == 1 || channel_ != &channel; });
  Result<void> outcome = OutOfTurn("two offers at once");
  const bool alone = channel_ == &channel;
  if (alone) outcome = OrOutOfMemory<void>([&] { return Answer(channel, offer); });
  if (alone) claim_.reset();  // If anything of the copy is here, the journal says so.
  if (outcome) {
    payload_->BeginChannel(channel);
    while (outcome && state_ != State::kOver) {
      Result<Message> message = channel.Receive();
      outcome = message ? OrOutOfMemory<void>([&] { return Receive(channel, *std::move(message)); })
                        : Result<void>(Fail(std::move(message).error()));
      // Pushes can come as fast as they are read: requests have their turn in between.
      runtime::Yield();
    }
  }
  if (channel_ == &channel) channel_ = nullptr;
  if (alone) payload_->EndChannel();
  if (!outcome) {
    log::warn("move {} of {}, destination: {}", move_, tenant_, Describe(outcome.error()));
    static_cast<void>(channel.Send(Failed{outcome.error().code, outcome.error().message}));
  }
  channel.Close();
  said_ = {};
  --serving_;
  state_changed_.NotifyAll();
  DropUntilItIs();
}

// No ready was sent: the source stays owner. A copy that a failing disk keeps from being dropped would be in
// the way of the next one.
void MoveDestination::DropUntilItIs() {
  const bool drops_ready = Planted(PlantedBug::kDropsReadyCopy) && !is_reverse();
  while ((state_ == State::kReceiving || (drops_ready && state_ == State::kReady)) && serving_ == 0) {
    const Result<void> dropped = DropCopy();
    if (dropped) break;
    log::warn("move {}: {}", move_, Describe(dropped.error()));
    if (host_.stopping()) break;
    state_changed_.WaitUntil(core_.Now() + limits::kDiskRetryPause);
  }
}

Result<void> MoveDestination::Answer(MoveChannel& channel, const Offer& offer) {
  const bool noted_as_owner = NotedRole() == Role::kOwner;  // It suspends, so it comes before all else.
  if (state_ == State::kReversed)
    return Fail(ErrorKind::kRefused, "MOVE_TURNED_ROUND", "the tenant is on its way back");
  switch (offer.kind) {
    case OfferKind::kInit:
      if (is_reverse() || noted_as_owner) return OutOfTurn("a new offer");
      if (state_ == State::kReady && offer.attempt > 1)
        said_.renewal = offer;
      else if (state_ == State::kEmpty)
        TW_TRY(Begin(offer));
      else
        return OutOfTurn("a new offer");
      break;
    case OfferKind::kReverse:
      if (!is_reverse() || (state_ != State::kFrozen && state_ != State::kReady) || noted_as_owner)
        return OutOfTurn("an offer to go back");
      if (state_ == State::kReady)
        said_.renewal = offer;
      else
        TW_TRY(Begin(offer));
      break;
    case OfferKind::kDual:
      if (state_ == State::kMismatch)
        return Fail(ErrorKind::kCorrupt, std::string(kMismatchCode), "the copies at the two nodes differ");
      if (state_ == State::kReady || state_ == State::kOpening) {
        if (offer.epoch != epoch_.Next()) return OutOfTurn("another epoch");
        SpawnBecomeOwner(offer.epoch);
      } else if (!IsOwner(state_)) {
        return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "this node has no copy for the move " + move_);
      }
      break;
    case OfferKind::kVerify:
      if (!IsOwner(state_))
        return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN",
                    "this node has no copy to compare for the move " + move_);
      TW_TRY(payload_->MakeSumAnew());
      said_.verifying = true;
      break;
  }
  said_.told = offer.kind == OfferKind::kDual || offer.kind == OfferKind::kVerify;
  return channel.Send(MakeHello());
}

// A source that begins anew has not sent the swap, so what was made for an earlier list is void. Going back: from here
// on the copy is changed, so it is no source's any more.
Result<void> MoveDestination::Begin(const Offer& offer) {
  TW_TRY(payload_->CheckOffer(offer.part));
  epoch_ = offer.epoch;
  // Nothing that suspends comes between: what was ready is not to be opened while the journal says otherwise.
  Enter(is_reverse() ? State::kFrozen : State::kReceiving);
  TW_TRY(host_.journal().Put(Entry(is_reverse() ? Role::kFrozen : Role::kReceiving)));
  if (!IsFilling(state_)) return OutOfTurn("an offer of a move that is over");
  host_.Reached(Step::kDestinationNotedReceiving);
  return payload_->Begin(offer.part);
}

// The source that offered anew has answered Hello, so it lives, and has not sent the swap: what was ready is
// void. The offer alone would not show that: it may be an earlier one that comes late, after a later list was
// made ready and its swap sent (model/README.md, OLDOFFER).
Result<void> MoveDestination::Renew() {
  const Offer offer = *std::exchange(said_.renewal, std::nullopt);
  const bool noted_as_owner = NotedRole() == Role::kOwner;
  if (state_ != State::kReady || noted_as_owner) return OutOfTurn("a new list");
  return Begin(offer);
}

Hello MoveDestination::MakeHello() const {
  return {IsOwner(state_) || state_ == State::kOpening, list_, payload_->Greet()};
}

Result<void> MoveDestination::Receive(MoveChannel& channel, Message message) {
  if (BeginsAnew(message)) TW_TRY(Renew());
  if (auto* of_engine = std::get_if<EngineMessage>(&message)) {
    TW_TRY(payload_->Take(channel, std::move(*of_engine)));
    return TryToComplete(channel);
  }
  if (const auto* list = std::get_if<List>(&message)) return TakeList(channel, *list);
  if (const auto* own = std::get_if<Own>(&message)) return TakeOwn(*own);
  if (auto* complete = std::get_if<Complete>(&message)) {
    WaitFor(state_changed_, [this] { return state_ != State::kOpening; });
    if (!IsOwner(state_) || said_.complete) return OutOfTurn("its end");
    said_.complete = std::move(complete->part);
    return TryToComplete(channel);
  }
  return OutOfTurn("a message of a destination");
}

// What a source that begins anew sends first; anything else voids nothing.
bool MoveDestination::BeginsAnew(const Message& message) const {
  if (!said_.renewal) return false;
  const auto* of_engine = std::get_if<EngineMessage>(&message);
  return of_engine ? payload_->IsFirst(*of_engine) : is_reverse() && std::holds_alternative<List>(message);
}

// First what it speaks of, then the journal, then the word: each speaks of what is durable before it.
Result<void> MoveDestination::TakeList(MoveChannel& channel, const List& list) {
  if (!IsFilling(state_)) return OutOfTurn("a list");
  if (list.number <= list_) return OutOfTurn("a list that came before");
  if (list.epoch != epoch_) return OutOfTurn("a list of something else");
  TW_TRY(payload_->MakeReady(list.number, list.part));
  list_ = list.number;
  if (!IsFilling(state_)) return OutOfTurn("a list of a move that is over");
  TW_TRY(host_.journal().Put(Entry(Role::kReady)));
  host_.Reached(Step::kDestinationNotedReady);
  if (!IsFilling(state_)) return OutOfTurn("a list of a move that is over");
  Enter(State::kReady);
  SpawnWatchCatalog();
  if (Planted(PlantedBug::kServesFromReady)) SpawnBecomeOwner(epoch_.Next());
  TW_TRY(channel.Send(Ready{list_}));
  host_.Reached(Step::kDestinationSentReady);
  return {};
}

// Never a frozen copy: it is the newest version of most of the tenant (I5).
Result<void> MoveDestination::DropCopy() {
  TW_CHECK(!is_reverse(), "the copy of a tenant that comes back is dropped");
  Enter(State::kDropping);
  Result<void> dropped = DropFiles();
  if (state_ == State::kDropping) Enter(dropped ? State::kOver : State::kReceiving);
  return dropped;
}

Result<void> MoveDestination::DropFiles() {
  // What is ready cannot be missing, so the journal goes first. A `ready` that failed must not be there either. One
  // that could not be opened as owner is dropped when the tenant is gone.
  TW_TRY(host_.journal().Settle());
  if (NotedRole() == Role::kReady) TW_TRY(host_.journal().Put(Entry(Role::kReceiving)));
  if (NotedRole() == Role::kOwner) TW_TRY(host_.journal().Put(Entry(Role::kDeleting)));
  TW_TRY(payload_->Drop());
  return host_.journal().Erase(tenant_);
}

std::optional<Role> MoveDestination::NotedRole() const {
  const auto noted = host_.journal().Find(tenant_);
  return noted ? std::optional(noted->role) : std::nullopt;
}

// -- After a restart

Result<void> MoveDestination::Resume(const JournalEntry& entry) {
  epoch_ = entry.epoch;
  list_ = entry.list;
  if (entry.role == Role::kReceiving) return DropCopy();
  if (entry.role == Role::kFrozen) return {};
  TW_TRY(payload_->Check(entry.role == Role::kReady));
  TW_TRY(payload_->Load(list_));
  Enter(State::kReady);
  if (entry.role == Role::kReady) {
    SpawnWatchCatalog();
    return {};
  }
  Enter(State::kOpening);
  TW_TRY(OpenAsOwner(entry.epoch, entry.role));
  SpawnWatchForEnd();
  return {};
}

}  // namespace tradewind::move
