// The half of MoveDestination that owns: how it learns that it does, what it does then, and how the move ends.
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "move/move_destination.h"

namespace tradewind::move {

// Once on a channel that began with an offer of a copy, and for the epoch after that offer's; the catalog may have
// said so before.
Result<void> MoveDestination::TakeOwn(const Own& own) {
  const bool learns = state_ == State::kReady && own.epoch == epoch_.Next();
  if (std::exchange(said_.told, true) || (!learns && state_ != State::kOpening && !IsOwner(state_)))
    return OutOfTurn("ownership");
  SpawnBecomeOwner(own.epoch);
  return {};
}

void MoveDestination::SpawnWatchCatalog() {
  if (!watching_) fibers_.Spawn("watch catalog " + tenant_, [this] { WatchCatalog(); });
}

void MoveDestination::WatchCatalog() {
  watching_ = true;
  const auto waits = [this] { return state_ == State::kReady || state_ == State::kOpening; };
  while (waits() && !host_.stopping()) {
    // As a rule the source says so first.
    state_changed_.WaitUntil(core_.Now() + limits::kCatalogWatch);
    if (!waits() || host_.stopping()) break;
    const auto tenant = host_.catalog().GetTenant(tenant_);
    if (!waits()) break;
    if (tenant && tenant->ownership.owner == host_.self() && tenant->ownership.epoch > epoch_) {
      if (Result<void> owner = BecomeOwner(tenant->ownership.epoch); !owner)
        log::error("move {} of {}: {}", move_, tenant_, Describe(owner.error()));
      continue;
    }
    if (is_reverse()) continue;
    const auto record = host_.catalog().GetMove(move_);
    if (record && record->state == catalog::MoveState::kCancelled && state_ == State::kReady) {
      if (channel_) channel_->Close();
      if (Result<void> dropped = DropCopy(); !dropped) {
        log::warn("move {}: {}", move_, Describe(dropped.error()));
        state_changed_.WaitUntil(core_.Now() + limits::kDiskRetryPause);
        DropUntilItIs();
      }
    }
  }
  watching_ = false;
}

Result<void> MoveDestination::AwaitOwnership(runtime::TimePoint deadline) {
  while (IsArriving(state_)) {
    if (host_.stopping() || !state_changed_.WaitUntil(deadline))
      return Fail(ErrorKind::kUnavailable, "TENANT_MOVING", "the tenant is on its way to this node",
                  "try again");
  }
  return {};
}

// In a fiber of its own: opening the tenant may need something that the fiber that calls this has to receive.
void MoveDestination::SpawnBecomeOwner(Epoch epoch) {
  fibers_.Spawn("become owner " + tenant_, [this, epoch] {
    if (Result<void> owner = BecomeOwner(epoch); !owner)
      log::error("move {} of {}: {}", move_, tenant_, Describe(owner.error()));
  });
}

Result<void> MoveDestination::BecomeOwner(Epoch epoch) {
  if (IsOwner(state_) || state_ == State::kOver) return {};
  if (state_ == State::kOpening) {
    WaitFor(state_changed_, [&] { return state_ != State::kOpening; });
    return {};
  }
  if (state_ != State::kReady || epoch <= epoch_) return OutOfTurn("ownership");
  Enter(State::kOpening);
  Result<void> opened = payload_->Load(list_);  // It went with an opening that failed.
  if (opened) opened = OpenAsOwner(epoch, Role::kOwner);
  if (!opened && state_ == State::kOpening) Enter(State::kReady);
  if (opened && channel_)
    static_cast<void>(channel_->Send(Owned{}));  // A broken channel shows when it is read.
  return opened;
}

// After a restart the journal says so already.
Result<void> MoveDestination::NoteOnce(const JournalEntry& entry) {
  if (host_.journal().Find(entry.tenant) == entry) return {};
  return host_.journal().Put(entry);
}

// Requires: the copy is loaded.
Result<void> MoveDestination::OpenAsOwner(Epoch epoch, Role role) {
  payload_->Own();
  JournalEntry entry = Entry(role);
  entry.epoch = epoch;
  Result<void> noted;
  Result<std::unique_ptr<tenant::HostedTenant>> opened;
  // It serves only when both are done.
  runtime::TaskGroup steps(core_);
  steps.Spawn("note owner " + tenant_, [&] { noted = NoteOnce(entry); });
  runtime::Yield();  // To open a tenant takes the core for a while: the disk has the entry in hand first.
  opened = payload_->Open();
  steps.Join();
  if (noted && state_ != State::kOpening) noted = OutOfTurn("ownership of a tenant that is gone");
  if (!noted && opened) (*opened)->Close(/*keep_log=*/false);
  if (!noted || !opened) payload_->Unload();
  TW_TRY(noted);
  TW_TRY_ASSIGN(auto tenant, std::move(opened));
  host_.Reached(Step::kDestinationNotedOwner);
  epoch_ = epoch;
  Enter(role == Role::kMismatch ? State::kMismatch : State::kOwner);
  host_.Adopt(std::move(tenant), epoch, [weak = weak_from_this()] {
    const std::shared_ptr<MoveDestination> self = weak.lock();
    if (!self || !IsOwner(self->state_)) return;
    self->fibers_.Spawn("first served " + self->tenant_, [self] {
      if (self->channel_) static_cast<void>(self->channel_->Send(FirstServed{}));
    });
  });
  host_.Reached(Step::kDestinationServes);
  return {};
}

void MoveDestination::SpawnWatchForEnd() {
  if (!std::exchange(watching_end_, true))
    fibers_.Spawn("watch move " + move_, [this] {
      WatchForEnd();
      watching_end_ = false;
    });
}

// After a restart as owner, and after a lost answer: the move may have ended, and then no source comes back.
// Or it was reversed.
void MoveDestination::WatchForEnd() {
  const auto end = is_reverse() ? catalog::MoveState::kCancelled : catalog::MoveState::kDone;
  const auto waits = [this] {
    return state_ == State::kOwner || state_ == State::kMismatch || state_ == State::kEnding;
  };
  while (waits() && !host_.stopping()) {
    const auto record = host_.catalog().GetMove(move_);
    if (record && record->state == end && IsOwnerInCatalog() && state_ == State::kOwner) {
      const Result<void> ended = EndMove();
      if (ended) return;
      log::error("move {}: {}", move_, Describe(ended.error()));  // It is tried again.
    }
    if (record && !is_reverse() && IsLegal(state_, State::kReversed) &&
        record->state == catalog::MoveState::kReverse) {
      Enter(State::kReversed);
      on_reversed_();
      return;
    }
    state_changed_.WaitUntil(core_.Now() + limits::kCatalogWatch);
  }
}

// A move that is cancelled after the hand-over has gone back, or the tenant was deleted on its way: then what is here
// is the tenant no more, whatever name it has, and goes (TenantMaker::WatchStranded).
bool MoveDestination::IsOwnerInCatalog() {
  const auto tenant = host_.catalog().GetTenant(tenant_);
  return tenant && tenant->ownership == catalog::Ownership{host_.self(), epoch_};
}

tl::unexpected<Error> MoveDestination::Over() const {
  return Fail(ErrorKind::kRefused, "MOVE_OVER", "move " + move_ + " is over", "start a move back instead");
}

// In a fiber of its own, so that Join() waits for it: the move may end, and this be forgotten, while the catalog is asked.
Result<void> MoveDestination::Reverse() {
  if (state_ == State::kReversed || is_reverse()) return {};
  if (state_ == State::kOver) return Over();
  Result<void> recorded;
  runtime::Event done;
  fibers_.Spawn("reverse move " + move_, [&] {
    recorded = RecordReverse();
    done.Set();
  });
  done.Wait();
  return recorded;
}

Result<void> MoveDestination::RecordReverse() {
  if (!IsOwner(state_))
    return Fail(ErrorKind::kUnavailable, "MOVE_SWAPPING", "the tenant is changing hands just now",
                "try again");
  const auto answer =
      host_.catalog().SetMoveState(move_, catalog::MoveState::kForward, catalog::MoveState::kReverse, "");
  if (!answer) {
    SpawnWatchForEnd();  // The change may have been made although its answer was lost.
    return Fail(answer.error());
  }
  if (!answer->Shows(catalog::MoveState::kReverse) || state_ == State::kOver) return Over();
  if (IsLegal(state_, State::kReversed)) Enter(State::kReversed);
  return {};
}

// -- Dual and finish

// Once the source has said that everything is on its way, and everything has come: what travels on the other lane
// may come after that word.
Result<void> MoveDestination::TryToComplete(MoveChannel& channel) {
  if (!said_.complete) return {};
  TW_TRY_ASSIGN(const bool has_all, payload_->HasAll(*said_.complete));
  if (!has_all) return {};
  TW_TRY(Compare(channel));
  said_.complete.reset();
  if (!Planted(PlantedBug::kDoneFromMemory)) TW_TRY(payload_->MakeDurable());
  host_.Reached(Step::kDestinationSyncedAll);
  // A repeat after a lost answer finds the state as it wanted it.
  const auto from = is_reverse() ? catalog::MoveState::kReverse : catalog::MoveState::kForward;
  const auto to = is_reverse() ? catalog::MoveState::kCancelled : catalog::MoveState::kDone;
  const auto answer = host_.catalog().SetMoveState(move_, from, to, "");
  if (!answer || !answer->Shows(to))
    SpawnWatchForEnd();  // Recorded although the answer was lost, or reversed.
  if (!answer) return Fail(answer.error());
  if (!answer->Shows(to))
    return Fail(ErrorKind::kRefused, "MOVE_TURNED_ROUND",
                "the catalog has the move as " + std::string(catalog::MoveStateName(answer->record.state)));
  host_.Reached(Step::kDestinationRecordedDone);
  Done done{payload_->DescribeDone()};
  if (Result<void> ended = EndMove(); !ended) {
    SpawnWatchForEnd();  // Which tries it again.
    return ended;
  }
  return channel.Send(done);
}

Result<void> MoveDestination::Compare(MoveChannel& channel) {
  if (!payload_->Agrees(*said_.complete) || (state_ == State::kMismatch && !said_.verifying))
    return StopAtMismatch(channel);
  if (state_ != State::kMismatch) return {};
  TW_TRY(host_.journal().Put(Entry(Role::kOwner)));
  if (state_ == State::kMismatch) Enter(State::kOwner);
  log::info("move {} of {}: the sums agree now", move_, tenant_);
  return {};
}

// What is here becomes durable first: nothing is asked of the source after this but to compare, and to go back.
Result<void> MoveDestination::StopAtMismatch(MoveChannel& channel) {
  said_.complete.reset();
  if (state_ == State::kOwner) Enter(State::kMismatch);
  TW_TRY(payload_->MakeDurable());
  if (state_ != State::kMismatch) return OutOfTurn("the end of a move that is over, or goes back");
  TW_TRY(host_.journal().Put(Entry(Role::kMismatch)));
  TW_TRY(payload_->SendDifference(channel));
  return Fail(ErrorKind::kCorrupt, std::string(kMismatchCode), "the copies at the two nodes differ");
}

// The catalog says that it is over: the tenant is an ordinary one. Requires: everything is here and durable.
Result<void> MoveDestination::EndMove() {
  if (!IsLegal(state_, State::kEnding)) return {};  // Somebody is at it, or it is abandoned.
  Enter(State::kEnding);
  payload_->Settle();
  const JournalEntry owned{tenant_, Role::kOwned, epoch_, "", "", 0, false, PinTo(core_)};
  if (Result<void> noted = host_.journal().Put(owned); !noted) {
    if (state_ == State::kEnding) Enter(State::kOwner);
    return noted;
  }
  host_.Reached(Step::kDestinationNotedOwned);
  if (state_ != State::kOver) Enter(State::kOver);
  return payload_->End();
}

}  // namespace tradewind::move
