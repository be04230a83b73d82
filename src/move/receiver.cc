#include "move/receiver.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "sqlite/error_code.h"

namespace tradewind::move {

namespace {

uint32_t Percentile(std::vector<uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

// What the other node sends may ask for more memory than there is: that costs the channel.
template <typename Step>
Result<void> OrOutOfMemory(const Step& step) {
  return sqlite::OrOutOfMemory<void>(step);
}

tl::unexpected<Error> Mismatch() {
  return Fail(ErrorKind::kCorrupt, std::string(kMismatchCode), "the pages at the two nodes differ");
}

}  // namespace

Receiver::Receiver(MoveHost& host, MoveId move, TenantName tenant, NodeName peer, Direction direction,
                   std::function<void()> on_turned)
    : host_(host),
      core_(host.core()),
      move_(std::move(move)),
      tenant_name_(std::move(tenant)),
      peer_(std::move(peer)),
      direction_(direction),
      on_turned_(std::move(on_turned)),
      path_(host.TenantPath(tenant_name_)),
      state_(direction == Direction::kForward ? State::kEmpty : State::kFrozen),
      fibers_(core_) {}

Receiver::~Receiver() = default;

void Receiver::Enter(State state) {
  state_ = state;
  state_changed_.NotifyAll();
  pull_wanted_.NotifyAll();
}

void Receiver::StopPulls() {
  if (sqlite::PageStore* const store = active_store()) store->StopPulls();
  state_changed_.NotifyAll();
}

void Receiver::Abandon() {
  if (channel_) channel_->Close();
  Enter(State::kOver);
}

void Receiver::Join() {
  pull_wanted_.NotifyAll();
  state_changed_.NotifyAll();
  WaitFor(state_changed_, [this] { return serving_ == 0; });
  fibers_.Join();
}

JournalEntry Receiver::Entry(Role role) const {
  return JournalEntry{tenant_name_, role, epoch_, move_, peer_, list_, is_reverse()};
}

// -- A channel

tl::unexpected<Error> Receiver::OutOfTurn(const char* what) {
  return Fail(ErrorKind::kCorrupt, "CHANNEL_CONFUSED",
              std::string("the sender sent ") + what + " out of turn");
}

void Receiver::Serve(PageChannel& channel, const Offer& offer) {
  // One at a time: what the one before is in the middle of ends first.
  if (channel_) channel_->Close();
  channel_ = &channel;
  ++serving_;
  WaitFor(state_changed_, [&] { return serving_ == 1 || channel_ != &channel; });
  Result<void> outcome = OutOfTurn("two offers at once");
  if (channel_ == &channel) outcome = OrOutOfMemory([&] { return Answer(channel, offer); });
  if (outcome) {
    if (served_) pulls_ = served_->wanted();
    runtime::TaskGroup sender(core_);
    sender.Spawn("move pulls " + move_, [this] { SendPulls(); });
    while (outcome && state_ != State::kOver) {
      Result<Message> message = channel.Receive();
      outcome = message ? OrOutOfMemory([&] { return Receive(channel, *message); })
                        : Result<void>(Fail(std::move(message).error()));
      // Pushes can come as fast as they are read: requests have their turn in between.
      runtime::Yield();
    }
    if (channel_ == &channel) channel_ = nullptr;
    pull_wanted_.NotifyAll();
    sender.Join();
  }
  if (channel_ == &channel) channel_ = nullptr;
  if (!outcome) {
    log::warn("move {} of {}, receiver: {}", move_, tenant_name_, Describe(outcome.error()));
    static_cast<void>(channel.Send(Failed{outcome.error().code, outcome.error().message}));
  }
  channel.Close();
  complete_.reset();
  rehashed_.reset();
  renewal_.reset();
  told_ = false;
  --serving_;
  state_changed_.NotifyAll();
  // No ready was sent: the sender stays owner. A copy that a failing disk keeps from being dropped would be in
  // the way of the next one.
  while (state_ == State::kReceiving && serving_ == 0) {
    const Result<void> dropped = DropCopy();
    if (dropped) break;
    log::warn("move {}: {}", move_, Describe(dropped.error()));
    if (host_.stopping()) break;
    state_changed_.WaitUntil(core_.Now() + limits::kDiskRetryPause);
  }
}

Result<void> Receiver::Answer(PageChannel& channel, const Offer& offer) {
  if (turned_) return Fail(ErrorKind::kRefused, "MOVE_TURNED_ROUND", "the tenant is on its way back");
  switch (offer.kind) {
    case OfferKind::kInit:
      if (is_reverse() || becoming_owner_) return OutOfTurn("a new offer");
      if (state_ == State::kReady && offer.attempt > 1)
        renewal_ = offer;
      else if (state_ == State::kEmpty)
        TW_TRY(StartReceiving(offer));
      else
        return OutOfTurn("a new offer");
      break;
    case OfferKind::kReverse:
      if (!is_reverse() || becoming_owner_ || (state_ != State::kFrozen && state_ != State::kReady))
        return OutOfTurn("an offer to go back");
      if (state_ == State::kReady)
        renewal_ = offer;
      else
        TW_TRY(StartFrozen(offer));
      break;
    case OfferKind::kDual:
      if (mismatch_) return Mismatch();
      if (state_ == State::kReady && offer.epoch != epoch_.Next()) return OutOfTurn("another epoch");
      if (state_ == State::kReady) SpawnBecomeOwner(offer.epoch);
      if (state_ != State::kOwner && state_ != State::kReady)
        return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "this node has no copy for the move " + move_);
      break;
    case OfferKind::kVerify:
      if (state_ != State::kOwner || !served_ || !served_->presence())
        return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN",
                    "this node has no copy to compare for the move " + move_);
      TW_TRY_ASSIGN(rehashed_, served_->RehashArrived());
      break;
  }
  told_ = offer.kind == OfferKind::kDual || offer.kind == OfferKind::kVerify;
  return channel.Send(MakeHello());
}

// The sender that offered anew has answered Hello, so it lives, and has not sent the swap: what was ready is
// void. The offer alone would not show that: it may be an earlier one that comes late, after a later list was
// made ready and its swap sent (model/README.md, OLDOFFER).
Result<void> Receiver::Renew() {
  const Offer offer = *std::exchange(renewal_, std::nullopt);
  if (state_ != State::kReady || becoming_owner_) return OutOfTurn("a new list");
  return offer.kind == OfferKind::kInit ? StartReceiving(offer) : StartFrozen(offer);
}

Hello Receiver::MakeHello() const {
  Hello hello;
  hello.list = list_;
  hello.owner = state_ == State::kOwner || becoming_owner_;
  const sqlite::PageStore* const store = active_store();
  if (!store || !store->presence()) return hello;
  hello.arrived = store->presence()->Arrived().words();
  hello.present = store->presence()->Present().words();
  return hello;
}

Result<void> Receiver::Receive(PageChannel& channel, const Message& message) {
  if (BeginsAnew(message)) TW_TRY(Renew());
  if (const auto* pages = std::get_if<Pages>(&message)) {
    if (!is_filling() && !served_) return OutOfTurn("pages");
    TW_TRY(is_filling() ? TakeInitPages(*pages) : TakePages(*pages));
    if (pages->pushed) TW_TRY(channel.Send(Took{static_cast<uint32_t>(pages->contents.size())}));
    return TryToComplete(channel);
  }
  if (const auto* prepare = std::get_if<Prepare>(&message)) return TakePrepare(channel, *prepare);
  if (const auto* list = std::get_if<List>(&message)) return TakeList(channel, *list);
  if (const auto* own = std::get_if<Own>(&message)) return TakeOwn(*own);
  if (const auto* complete = std::get_if<Complete>(&message)) {
    WaitFor(state_changed_, [this] { return !becoming_owner_; });
    if (state_ != State::kOwner || complete_) return OutOfTurn("its end");
    complete_ = *complete;
    return TryToComplete(channel);
  }
  return OutOfTurn("a message of a receiver");
}

// What a sender that begins anew sends first; anything else voids nothing.
bool Receiver::BeginsAnew(const Message& message) const {
  if (!renewal_) return false;
  return std::holds_alternative<Pages>(message) || (is_reverse() && std::holds_alternative<List>(message));
}

// Once on a channel that began with an offer of a copy, and for the epoch after that offer's; the catalog may have
// said so before.
Result<void> Receiver::TakeOwn(const Own& own) {
  const bool learns = state_ == State::kReady && own.epoch == epoch_.Next();
  if (std::exchange(told_, true) || (!learns && !becoming_owner_ && state_ != State::kOwner))
    return OutOfTurn("ownership");
  SpawnBecomeOwner(own.epoch);
  return {};
}

// The sender is asked for what is lacking from here on, when a reader of the tenant waits for a page.
void Receiver::SendPulls() {
  PageChannel* const channel = channel_;
  while (channel_ == channel && channel != nullptr && state_ != State::kOver) {
    if (pulls_.empty()) {
      pull_wanted_.Wait();
      continue;
    }
    const PageNumber page = pulls_.front();
    pulls_.erase(pulls_.begin());
    if (!channel->Send(Pull{page})) return;
  }
}

// -- Ownership

void Receiver::WatchCatalog() {
  watching_ = true;
  while (state_ == State::kReady && !host_.stopping()) {
    // As a rule the sender says so first.
    state_changed_.WaitUntil(core_.Now() + limits::kCatalogWatch);
    if (state_ != State::kReady || host_.stopping()) break;
    const auto tenant = host_.catalog().GetTenant(tenant_name_);
    if (state_ != State::kReady) break;
    if (tenant && tenant->ownership.owner == host_.self() && tenant->ownership.epoch > epoch_) {
      if (Result<void> owner = BecomeOwner(tenant->ownership.epoch); !owner)
        log::error("move {} of {}: {}", move_, tenant_name_, Describe(owner.error()));
      continue;
    }
    if (is_reverse()) continue;
    const auto record = host_.catalog().GetMove(move_);
    if (record && record->state == cluster::MoveState::kCancelled && state_ == State::kReady &&
        !becoming_owner_) {
      if (channel_) channel_->Close();
      if (Result<void> dropped = DropCopy(); !dropped)
        log::warn("move {}: {}", move_, Describe(dropped.error()));
    }
  }
  watching_ = false;
}

Result<void> Receiver::AwaitOwnership(runtime::TimePoint deadline) {
  while (is_filling() || state_ == State::kReady || becoming_owner_) {
    if (host_.stopping() || !state_changed_.WaitUntil(deadline))
      return Fail(ErrorKind::kUnavailable, "TENANT_MOVING", "the tenant is on its way to this node",
                  "try again");
  }
  return {};
}

// In a fiber of its own: opening the tenant may pull a page, which the fiber that calls this has to receive.
void Receiver::SpawnBecomeOwner(Epoch epoch) {
  fibers_.Spawn("become owner " + tenant_name_, [this, epoch] {
    if (Result<void> owner = BecomeOwner(epoch); !owner)
      log::error("move {} of {}: {}", move_, tenant_name_, Describe(owner.error()));
  });
}

Result<void> Receiver::BecomeOwner(Epoch epoch) {
  if (state_ == State::kOwner || state_ == State::kOver) return {};
  if (becoming_owner_) {
    WaitFor(state_changed_, [&] { return !becoming_owner_; });
    return {};
  }
  if (state_ != State::kReady || epoch <= epoch_) return OutOfTurn("ownership");
  becoming_owner_ = true;
  Result<void> opened;
  if (!store_) opened = OpenFromDisk();  // It went with an opening that failed.
  served_ = store_.get();
  if (opened) opened = OpenAsOwner(epoch);
  becoming_owner_ = false;
  if (!opened) served_ = nullptr;
  state_changed_.NotifyAll();
  if (opened && channel_)
    static_cast<void>(channel_->Send(Owned{}));  // A broken channel shows when it is read.
  return opened;
}

// After a restart the journal says so already.
Result<void> Receiver::NoteOnce(const JournalEntry& entry) {
  const auto found = host_.journal().entries().find(entry.tenant);
  if (found != host_.journal().entries().end() && found->second == entry) return {};
  return host_.journal().Put(entry);
}

Result<void> Receiver::OpenAsOwner(Epoch epoch) {
  JournalEntry entry = Entry(mismatch_ ? Role::kMismatch : Role::kOwner);
  entry.epoch = epoch;
  Result<void> noted;
  Result<std::unique_ptr<tenant::Tenant>> opened;
  // Taken before anything suspends: nobody else is to open it, or to give it up.
  auto store = std::move(store_);
  // It serves only when both are done.
  runtime::TaskGroup steps(core_);
  steps.Spawn("note owner " + tenant_name_, [&] { noted = NoteOnce(entry); });
  runtime::Yield();  // To open a tenant takes the core for a while: the disk has the entry in hand first.
  opened = tenant::Tenant::Open(core_, tenant_name_, std::move(store));
  steps.Join();
  if (!noted && opened) (*opened)->Close();
  TW_TRY(noted);
  TW_TRY_ASSIGN(auto tenant, std::move(opened));
  host_.Reached(Step::kDestinationNotedOwner);
  epoch_ = epoch;
  Enter(State::kOwner);
  host_.Adopt(std::move(tenant), epoch, [weak = weak_from_this()] {
    const std::shared_ptr<Receiver> self = weak.lock();
    if (!self || self->state_ != State::kOwner) return;
    self->fibers_.Spawn("first served " + self->tenant_name_, [self] {
      if (self->channel_) static_cast<void>(self->channel_->Send(FirstServed{}));
    });
  });
  host_.Reached(Step::kDestinationServes);
  return {};
}

void Receiver::SpawnWatchForEnd() {
  if (!std::exchange(watching_end_, true))
    fibers_.Spawn("watch move " + move_, [this] {
      WatchForEnd();
      watching_end_ = false;
    });
}

// After a restart as owner, and after a lost answer: the move may have ended, and then no sender comes back.
// Or it was turned round.
void Receiver::WatchForEnd() {
  const auto end = is_reverse() ? cluster::MoveState::kCancelled : cluster::MoveState::kDone;
  while (state_ == State::kOwner && !turned_ && !host_.stopping()) {
    const auto record = host_.catalog().GetMove(move_);
    if (record && state_ == State::kOwner && record->state == end) {
      const Result<void> ended = EndMove();
      if (ended) return;
      log::error("move {}: {}", move_, Describe(ended.error()));  // It is tried again.
    }
    if (record && !is_reverse() && !turned_ && record->state == cluster::MoveState::kReverse) {
      turned_ = true;
      on_turned_();
      return;
    }
    state_changed_.WaitUntil(core_.Now() + limits::kCatalogWatch);
  }
}

Result<void> Receiver::TurnRound() {
  if (turned_ || is_reverse()) return {};
  if (state_ == State::kOver)
    return Fail(ErrorKind::kRefused, "MOVE_OVER", "move " + move_ + " is over", "start a move back instead");
  if (state_ != State::kOwner)
    return Fail(ErrorKind::kUnavailable, "MOVE_SWAPPING", "the tenant is changing hands just now",
                "try again");
  const auto answer =
      host_.catalog().SetMoveState(move_, cluster::MoveState::kForward, cluster::MoveState::kReverse, "");
  if (!answer) {
    SpawnWatchForEnd();  // It may have been recorded all the same.
    return Fail(answer.error());
  }
  const cluster::MoveOutcome& recorded = *answer;
  if (!recorded.Shows(cluster::MoveState::kReverse))
    return Fail(ErrorKind::kRefused, "MOVE_OVER", "move " + move_ + " is over", "start a move back instead");
  turned_ = true;
  return {};
}

// -- Dual and finish

Result<void> Receiver::TakePages(const Pages& pages) {
  if (pages.contents.size() != pages.numbers.size() * page_size_) return OutOfTurn("pages of another size");
  if (!served_->presence()) return OutOfTurn("pages after the end");
  for (const PageNumber page : pages.numbers)
    if (page.value < 1 || page.value > served_->presence()->page_count())
      return OutOfTurn("pages of another file");
  TW_TRY(served_->Arrive(pages.numbers, pages.contents));
  if (!has_half_ && served_->presence()->missing() <= served_->presence()->page_count() / 2) {
    has_half_ = true;
    host_.Reached(Step::kDestinationHasHalf);
  }
  unsynced_bytes_ += pages.contents.size();
  NoteWritten(pages.contents.size());
  if (unsynced_bytes_ >= limits::kPresenceSyncBytes && !syncing_) SyncInBackground();
  return {};
}

void Receiver::NoteWritten(uint64_t bytes) {
  unwritten_bytes_ += bytes;
  if (unwritten_bytes_ >= limits::kWritebackBytes && !writing_back_) WriteBackInBackground();
}

// A steady trickle instead of a flood at each sync, which commits of the same disk would have to wait for.
void Receiver::WriteBackInBackground() {
  writing_back_ = true;
  unwritten_bytes_ = 0;
  fibers_.Spawn("write back " + tenant_name_, [this, copy = incoming_] {
    if (copy)
      copy->StartWriteback();
    else if (served_)
      served_->StartWriteback();
    writing_back_ = false;
    state_changed_.NotifyAll();
  });
}

// Keeps the last sync short, and what a crash would have to be sent again little.
void Receiver::SyncInBackground() {
  syncing_ = true;
  unsynced_bytes_ = 0;
  fibers_.Spawn("presence sync " + tenant_name_, [this] {
    if (served_ && served_->presence())
      if (Result<void> synced = served_->SyncPresence(); !synced)
        log::error("move {}: {}", move_, Describe(synced.error()));
    syncing_ = false;
    state_changed_.NotifyAll();
  });
}

Done Receiver::MakeDone() const {
  const auto& counters = served_->pull_counters();
  std::vector<uint32_t> latencies = counters.latencies_us;
  std::sort(latencies.begin(), latencies.end());
  return Done{counters.pulls, Percentile(latencies, 0.5), Percentile(latencies, 0.99)};
}

// Once the sender has said that everything is on its way, and everything has come: pages on the other lane
// may come after that word.
Result<void> Receiver::TryToComplete(PageChannel& channel) {
  if (!complete_) return {};
  const sqlite::PresenceMap* const presence = served_->presence();
  if (!presence || complete_->pages != presence->page_count()) return OutOfTurn("the end of another file");
  if (!presence->complete() || presence->arrived() < complete_->sent) return {};
  TW_TRY(Compare(channel));
  complete_.reset();
  WaitFor(state_changed_, [&] { return !syncing_; });
  TW_TRY(served_->SyncPresence());
  host_.Reached(Step::kDestinationSyncedAll);
  // A repeat after a lost answer finds the state as it wanted it.
  const auto from = is_reverse() ? cluster::MoveState::kReverse : cluster::MoveState::kForward;
  const auto to = is_reverse() ? cluster::MoveState::kCancelled : cluster::MoveState::kDone;
  const auto answer = host_.catalog().SetMoveState(move_, from, to, "");
  if (!answer || !answer->Shows(to)) SpawnWatchForEnd();  // Recorded all the same, or turned round.
  if (!answer) return Fail(answer.error());
  const cluster::MoveOutcome& recorded = *answer;
  if (!recorded.Shows(to))
    return Fail(ErrorKind::kRefused, "MOVE_TURNED_ROUND",
                "the catalog has the move as " + std::string(cluster::MoveStateName(recorded.record.state)));
  host_.Reached(Step::kDestinationRecordedDone);
  const Done done = MakeDone();
  if (Result<void> ended = EndMove(); !ended) {
    SpawnWatchForEnd();  // Which tries it again.
    return ended;
  }
  return channel.Send(done);
}

Result<void> Receiver::Compare(PageChannel& channel) {
  uint64_t sum = served_->presence()->arrived_sum();
  if (rehashed_) sum = std::accumulate(rehashed_->begin(), rehashed_->end(), uint64_t{0});
  if (complete_->sum != sum || (mismatch_ && !rehashed_)) return StopAtMismatch(channel);
  if (!mismatch_) return {};
  TW_TRY(host_.journal().Put(Entry(Role::kOwner)));
  mismatch_ = false;
  log::info("move {} of {}: the sums agree now", move_, tenant_name_);
  return {};
}

// What is here becomes durable first: nothing is asked of the sender after this but to compare, and to go back.
Result<void> Receiver::StopAtMismatch(PageChannel& channel) {
  complete_.reset();
  mismatch_ = true;
  WaitFor(state_changed_, [&] { return !syncing_; });
  if (!served_) return OutOfTurn("the end of a move that is over");
  TW_TRY(served_->SyncPresence());
  TW_TRY(host_.journal().Put(Entry(Role::kMismatch)));
  std::vector<uint64_t> hashes = rehashed_.value_or(std::vector<uint64_t>());
  if (const sqlite::PresenceMap* map = served_ ? served_->presence() : nullptr; map && !rehashed_)
    for (uint32_t value = 1; value <= map->page_count(); ++value)
      hashes.push_back(map->HashOf(PageNumber{value}));
  TW_TRY(SendHashes(channel, hashes));
  return Mismatch();
}

Result<void> Receiver::SendHashes(PageChannel& channel, const std::vector<uint64_t>& hashes) {
  constexpr size_t kPart = 64u << 10;
  for (size_t at = 0; at < hashes.size(); at += kPart) {
    const auto from = hashes.begin() + static_cast<ptrdiff_t>(at);
    const size_t count = std::min(kPart, hashes.size() - at);
    TW_TRY(channel.Send(Hashes{PageNumber{static_cast<uint32_t>(at + 1)},
                               std::vector<uint64_t>(from, from + static_cast<ptrdiff_t>(count))}));
  }
  return {};
}

// The catalog says that it is over: the tenant is an ordinary one. Requires: everything is present and
// durable.
Result<void> Receiver::EndMove() {
  if (std::exchange(ending_, true)) return {};
  WaitFor(state_changed_, [&] { return !syncing_ && !writing_back_; });
  JournalEntry owned{tenant_name_, Role::kOwned, epoch_, "", "", 0, false};
  if (Result<void> noted = host_.journal().Put(owned); !noted) {
    ending_ = false;
    return noted;
  }
  host_.Reached(Step::kDestinationNotedOwned);
  served_->DropPresence();
  served_ = nullptr;
  Enter(State::kOver);
  return core_.disk().Remove(PresencePath());
}

}  // namespace tradewind::move
