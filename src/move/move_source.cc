#include "move/move_source.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/planted_bug.h"

namespace tradewind::move {

namespace {

constexpr int kAttempts = 5;
constexpr std::chrono::seconds kFreezePauseLongest{8};
constexpr std::string_view kBusyCode = "NODE_BUSY";

}  // namespace

MoveSource::MoveSource(MoveHost& host, tenant::HostedTenant& tenant, Engine& engine, Receipt start,
                       MoveOptions options, Direction direction)
    : host_(host),
      core_(host.core()),
      tenant_(tenant),
      direction_(direction),
      peer_(direction == Direction::kForward ? start.destination : start.source),
      options_(options),
      receipt_(std::move(start)),
      pace_(core_, host.paced_throttle(), options_),
      payload_(engine.MakeSource(*this)),
      clock_(core_),
      session_(core_, receipt_.id, news_, [this](SourceSession& session, Message message) {
        return Take(session, std::move(message));
      }) {
  receipt_.method = NameOf(options.method);
}

MoveSource::~MoveSource() = default;

Receipt MoveSource::receipt() const {
  Receipt receipt = receipt_;
  receipt.bytes_sent = bytes_sent();
  payload_->Describe(receipt);
  pace_.Describe(receipt, bytes_left());
  return receipt;
}

void MoveSource::SetPace(const Pace& pace) {
  options_.pace = pace;
  pace_.OptionsChanged();
}

void MoveSource::Recall(const MoveOptions& options, int64_t started_at_ms) {
  options_ = options;
  receipt_.method = NameOf(options.method);
  receipt_.started_at = started_at_ms;
  SetPace(options.pace);
}

void MoveSource::Enter(Phase phase) {
  clock_.Enter(receipt_, phase);
  log::info("move {} of {}: {}", receipt_.id, receipt_.tenant, PhaseName(phase));
}

JournalEntry MoveSource::Entry(Role role) const {
  return JournalEntry{
      receipt_.tenant, role, receipt_.epoch, receipt_.id, peer_, 0, direction_ == Direction::kReverse,
      PinTo(core_)};
}

// -- What is asked of it

void MoveSource::Stop() {
  session_.Break();
  pace_.Wake();
  news_.NotifyAll();
}

Result<void> MoveSource::Cancel() {
  if (direction_ == Direction::kReverse) return {};  // It is on its way back already.
  if (undecided_)
    return Fail(ErrorKind::kUnavailable, "MOVE_SWAPPING", "the tenant is changing hands just now",
                "try again");
  if (receipt_.phase != Phase::kInit && receipt_.phase != Phase::kHandover)
    return Fail(ErrorKind::kRefused, "MOVE_OWNED_BY_DESTINATION",
                "node " + peer_ + " owns the tenant: it reverses the move");
  cancel_ = Error{ErrorKind::kRefused, "MOVE_CANCELLED", "cancelled on request", ""};
  session_.Break();
  pace_.Wake();
  news_.NotifyAll();
  return {};
}

void MoveSource::Reverse() {
  receipt_.waiting_for = "transactions that were open here, to end: the tenant comes back";
  tenant_.JoinTransactions(core_.Now() + limits::kReverseGrace);
  reversed_ = true;
  session_.Break();
  pace_.Wake();
  news_.NotifyAll();
}

void MoveSource::Pause() {
  WaitForUntil(news_, core_.Now() + limits::kReconnectPause, [&] { return ending(); });
}

// -- The channel

void MoveSource::CloseSession() {
  session_.Close();
  if (session_) payload_->EndSession();
  session_.Drop();
}

// The first attempt of a small tenant is one round trip: it does not wait for Hello. What it sends late,
// after it was given up, a destination that is ready by then tells from what a living source sends
// (MoveDestination::Answer).
Result<void> MoveSource::Connect(OfferKind kind, int attempt) {
  CloseSession();
  const runtime::TimePoint deadline = core_.Now() + limits::kNodeCall;
  TW_TRY_ASSIGN(auto channel, host_.OpenChannel(peer_, receipt_.tenant, deadline));
  payload_->BeginSession();
  const auto session = session_.Begin(kind, std::move(channel));
  // The other node answers no request for what is lacking any more once it has this offer.
  if (kind == OfferKind::kReverse && payload_->may_lack_parts()) AwaitQuiet();
  if (is_ending()) session->channel->Close();
  TW_TRY(session->channel->Send(Offer{kind, static_cast<uint32_t>(attempt), receipt_.epoch, receipt_.id,
                                      receipt_.tenant, host_.self(), std::string(tenant_.engine()),
                                      payload_->DescribeCopy()}));
  host_.Reached(Step::kSourceOffered);
  if (attempt == 1 && payload_->is_small()) return {};
  if (!WaitForUntil(news_, core_.Now() + limits::kNodeCall, [&] { return session->hello || session->lost; }))
    return Fail(ErrorKind::kTimeout, "DESTINATION_SILENT",
                "node " + peer_ + " does not answer the move's offer");
  if (!session->hello) return Fail(*session->lost);
  return {};
}

// -- Init and hand-over

// Going back, the old source has ended its transactions when it says hello.
Result<void> MoveSource::Attempt(int attempt) {
  if (direction_ == Direction::kForward) {
    TW_TRY(Connect(OfferKind::kInit, attempt));
    if (session_->hello && session_->hello->owner)
      return Fail(ErrorKind::kRefused, "DESTINATION_CONFUSED",
                  "node " + peer_ + " believes that it owns the tenant");
    ++list_;
  } else {
    TW_TRY(Connect(OfferKind::kReverse));
    list_ = std::max(list_, session_->hello->list) + 1;  // Not one that was on its way and got lost.
  }
  TW_TRY(payload_->Prepare(*session_));
  if (receipt_.phase == Phase::kInit) TW_TRY(BeginHandOver());
  TW_TRY_ASSIGN(Part part, payload_->MakeList(*session_));
  session_->sent_list = true;
  TW_TRY(session_->channel->Send(List{list_, receipt_.epoch, std::move(part)}));
  host_.Reached(Step::kSourceSentList);
  return AwaitReady();
}

// A transaction that is still open at the list could not write any more.
void MoveSource::AwaitQuiet() {
  const runtime::TimePoint began = core_.Now();
  receipt_.waiting_for = "transactions that are open, to end";
  const bool quiet = tenant_.AwaitQuiet(options_.open_writer_grace, [this] { return is_ending(); });
  receipt_.waiting_for.clear();
  receipt_.quiet_ms = receipt_.quiet_ms.value_or(0) + Milliseconds(core_.Now() - began);
  if (!quiet && !is_ending())
    log::info("move {} of {}: a transaction stays open, and the hand-over does not wait for it", receipt_.id,
              receipt_.tenant);
}

void MoveSource::Park() {
  clock_.NoteParked();
  tenant_.Park();
}

Result<void> MoveSource::BeginHandOver() {
  TW_TRY(Freeze());
  Park();
  Enter(Phase::kHandover);
  return {};
}

// Again until it succeeds: the tenant is served in between, longer each time, and the move can be given up.
Result<void> MoveSource::Freeze() {
  runtime::Duration pause = limits::kFreezePause;
  while (true) {
    clock_.NoteUnparked();
    Result<void> frozen = payload_->Freeze(core_.Now() + limits::kFreezeWait);
    if (frozen || frozen.error().code != kFreezeFailedCode) return frozen;
    payload_->Thaw();
    tenant_.Unpark();
    log::info("move {} of {}: {}; it is tried again", receipt_.id, receipt_.tenant, Describe(frozen.error()));
    receipt_.waiting_for = "a moment at which the tenant can be frozen: " + frozen.error().message;
    WaitForUntil(news_, core_.Now() + pause, [&] { return is_ending() || session_->lost; });
    pause = std::min<runtime::Duration>(2 * pause, kFreezePauseLongest);
    receipt_.waiting_for.clear();
    if (is_ending()) return frozen;
    if (session_->lost) return Fail(*session_->lost);
  }
}

Result<void> MoveSource::AwaitReady() {
  const runtime::TimePoint deadline = core_.Now() + limits::kReadyWait;
  if (!WaitForUntil(news_, deadline, [&] { return session_->ready_list || session_->lost; }))
    return Fail(ErrorKind::kTimeout, "DESTINATION_SLOW", "node " + peer_ + " did not get ready in time",
                "try the move again when its disk is less busy");
  if (!session_->ready_list) return Fail(*session_->lost);
  if (session_->ready_list != list_)
    return Fail(ErrorKind::kCorrupt, "CHANNEL_CONFUSED", "node " + peer_ + " is ready for another list");
  host_.Reached(Step::kSourceHeardReady);
  return {};
}

// The swap was not sent: everything is as before the attempt.
void MoveSource::TakeBack() {
  payload_->GiveUp();
  payload_->Thaw();
  clock_.NoteUnparked();
  tenant_.Unpark();
  CloseSession();
  if (receipt_.phase == Phase::kHandover) Enter(Phase::kInit);
}

bool MoveSource::IsWorthAnotherTry(const Error& error, int attempt) const {
  if (cancel_ || host_.stopping()) return false;
  if (error.code == kBusyCode) return clock_.since_start() < limits::kBusyWait;
  const bool connection = error.kind == ErrorKind::kIo || error.kind == ErrorKind::kTimeout ||
                          error.kind == ErrorKind::kUnavailable || error.code == "FRAME_CORRUPT";
  return connection && attempt < kAttempts;
}

MoveSource::Outcome MoveSource::Ended(Outcome outcome) {
  CloseSession();
  if (outcome == Outcome::kReversed) payload_->Reverse();
  return outcome;
}

MoveSource::Outcome MoveSource::Run() {
  return Ended(Send());
}

MoveSource::Outcome MoveSource::Send() {
  const bool reverse = direction_ == Direction::kReverse;
  for (int attempt = 1;; ++attempt) {
    Result<void> ready = Attempt(attempt);
    if (!ready && session_ && session_->lost) ready = Fail(*session_->lost);  // Why the channel was closed.
    if (ready && cancel_) ready = Fail(*cancel_);
    if (ready) ready = NoteSwapping();
    if (ready) return PassOn();
    if (undecided_) return Outcome::kStopped;  // What the journal says of it is not known.
    TakeBack();
    if (!reverse && !IsWorthAnotherTry(ready.error(), attempt))
      return RecordCancelled(cancel_ ? *cancel_ : ready.error());
    if (host_.stopping()) return Outcome::kStopped;
    log::warn("move {} of {}: {}; it begins anew", receipt_.id, receipt_.tenant, Describe(ready.error()));
    receipt_.waiting_for = "node " + peer_ + ": " + ready.error().message;
    Pause();
    receipt_.waiting_for.clear();
  }
}

// Until this entry is durable a crash leaves the tenant owned here; once it is, there is no taking back. When it
// fails, the tenant is served again only after it is certain that a restart does not find the entry.
Result<void> MoveSource::NoteSwapping() {
  undecided_ = true;
  if (Planted(PlantedBug::kNoJournal)) return {};
  const Result<void> noted = host_.journal().Put(Entry(Role::kSwapping));
  if (noted) {
    host_.Reached(Step::kSourceNotedSwapping);
    return noted;
  }
  log::error("move {}: {}", receipt_.id, Describe(noted.error()));
  if (PersistsUntilDone([this] { return host_.journal().Settle(); })) undecided_ = false;
  return noted;
}

// For what a disk that fails or is full keeps from being done: again until it succeeds, or the node ends (false).
bool MoveSource::PersistsUntilDone(const std::function<Result<void>()>& step) {
  for (Result<void> done = step(); !done; done = step()) {
    if (host_.stopping()) return false;
    receipt_.waiting_for = "the disk of node " + host_.self() + ": " + done.error().message;
    WaitForUntil(news_, core_.Now() + limits::kDiskRetryPause, [&] { return host_.stopping(); });
  }
  receipt_.waiting_for.clear();
  return true;
}

MoveSource::Outcome MoveSource::PassOn() {
  if (Result<void> swapped = SwapOwnership(); !swapped) return Outcome::kStopped;
  host_.Reached(Step::kSourceSwapped);
  tenant_.SetMoved();
  Result<void> told = session_->channel->Send(Own{receipt_.epoch});
  host_.Reached(Step::kSourceToldOwner);
  payload_->PassedOn();
  if (told)
    WaitForUntil(news_, core_.Now() + limits::kReadyWait, [&] { return session_->owned || session_->lost; });
  receipt_.handover_ms = Milliseconds(clock_.since_phase());
  Enter(Phase::kDual);
  undecided_ = false;
  // A small tenant is over in a moment, and `swapping` leads to the same after a restart.
  if (!payload_->is_small() || !session_->owned) {
    if (Result<void> noted = host_.journal().Put(Entry(Role::kDual)); !noted)
      log::warn("move {}: {}", receipt_.id, Describe(noted.error()));
  }
  host_.Reached(Step::kSourceNotedDual);
  return DualToDone();
}

// The swap: journalled before it is sent, and repeated until its outcome is known (docs/move.md, step 5). Fails
// only when the node is ending.
Result<void> MoveSource::SwapOwnership() {
  while (!host_.stopping()) {
    auto answer = host_.catalog().Swap(receipt_.tenant, {host_.self(), receipt_.epoch}, peer_, receipt_.id);
    const Result<bool> swapped = IsSwapped(answer);
    if (swapped && *swapped) {
      receipt_.epoch = receipt_.epoch.Next();
      receipt_.waiting_for.clear();
      return {};
    }
    receipt_.waiting_for = swapped ? "the catalog, which shows another owner at an earlier epoch"
                                   : "the catalog: " + swapped.error().message;
    Pause();
  }
  return Fail(ErrorKind::kUnavailable, "STOPPING", "the node is ending");
}

// Only this node sends this swap, so any later epoch means that an earlier try was applied; the tenant may
// have moved on since, or be gone.
Result<bool> MoveSource::IsSwapped(const Result<catalog::SwapOutcome>& answer) {
  if (answer) return answer->record.ownership.epoch > receipt_.epoch;
  if (answer.error().kind != ErrorKind::kNotFound) return Fail(answer.error());
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(receipt_.id));
  return catalog::IsOver(record.state);
}

// -- Dual, finish

// One try at pushing everything and hearing that it is done.
Result<void> MoveSource::Finish() {
  const std::shared_ptr<SourceSession> session = session_.shared();
  TW_TRY(payload_->SendRest(*session));
  Completion complete = payload_->MakeCompletion();
  session->sent_complete = true;
  TW_TRY(session->channel->Send(Complete{std::move(complete.part)},
                                payload_->is_small() ? Urgency::kUrgent : Urgency::kBulk));
  host_.Reached(Step::kSourceSentComplete);
  if (Planted(PlantedBug::kDeletesBeforeDone)) done_ = true;
  WaitFor(news_, [&] { return done_ || session->lost || reversed_; });
  if (!done_) return Fail(session->lost.value_or(Error{ErrorKind::kIo, "CHANNEL_CLOSED", "", ""}));
  receipt_.verified = true;
  receipt_.hash = complete.sum;
  return {};
}

// The destination may have finished while the connection was away. A move that the catalog has forgotten is
// over, if the tenant has gone on without it.
bool MoveSource::RecordedAsEnded() {
  const auto record = host_.catalog().GetMove(receipt_.id);
  if (record && record->state == catalog::MoveState::kCancelled && WasDeleted()) {
    deleted_ = true;
    return true;
  }
  if (record)
    return record->state ==
           (direction_ == Direction::kForward ? catalog::MoveState::kDone : catalog::MoveState::kCancelled);
  if (record.error().kind != ErrorKind::kNotFound) return false;
  const auto tenant = host_.catalog().GetTenant(receipt_.tenant);
  return tenant && tenant->move != receipt_.id && tenant->ownership.epoch >= receipt_.epoch;
}

// Ownership has passed on, so nobody but a delete takes the tenant from the catalog, or its name to an epoch beyond.
bool MoveSource::WasDeleted() {
  const auto tenant = host_.catalog().GetTenant(receipt_.tenant);
  if (!tenant) return tenant.error().kind == ErrorKind::kNotFound;
  return direction_ == Direction::kForward && tenant->ownership.epoch > receipt_.epoch;
}

Result<void> MoveSource::Reconnect() {
  TW_TRY(Connect(offer_));
  return payload_->GoOn(*session_);
}

// From here on only the operator goes on: nothing is compared again by itself, and nothing deleted.
void MoveSource::StopAtMismatch() {
  offer_ = OfferKind::kDual;
  verify_asked_ = false;
  receipt_.stopped = kMismatchCode;
  receipt_.waiting_for.clear();
  const std::optional<std::string> difference = payload_->TakeDifference();
  const bool forward = direction_ == Direction::kForward;
  receipt_.error =
      std::string(kMismatchCode) + ": " + difference.value_or("the copies at the two nodes differ") +
      "; node " + peer_ +
      " serves the tenant, both copies are kept, and the move has stopped; compare again with: " +
      "tradewind move set " + receipt_.id + " --verify-again" +
      (forward ? "; or go back with: tradewind move cancel " + receipt_.id : "");
  log::error("move {} of {}: {}", receipt_.id, receipt_.tenant, receipt_.error);
  CloseSession();
  // After a restart of this node the difference is not known, and the catalog has a better receipt.
  if (difference) {
    if (auto saved = host_.catalog().SaveReceipt(receipt_.id, ToJson(receipt())); !saved)
      log::warn("move {}: its receipt could not be saved: {}", receipt_.id, Describe(saved.error()));
  }
  WaitFor(news_, [&] { return verify_asked_ || ending(); });
  receipt_.stopped.clear();
  receipt_.error.clear();
  if (verify_asked_) offer_ = OfferKind::kVerify;
}

Result<void> MoveSource::VerifyAgain() {
  if (receipt_.stopped.empty())
    return Fail(ErrorKind::kRefused, "MOVE_NOT_STOPPED",
                "the sums of move " + receipt_.id + " have not been found to differ",
                "tradewind move show " + receipt_.id + " says where it is");
  verify_asked_ = true;
  news_.NotifyAll();
  return {};
}

MoveSource::Outcome MoveSource::DualToDone() {
  receipt_.waiting_for = "a transaction that was open at the source";
  payload_->EndWriters();
  receipt_.waiting_for.clear();
  Enter(Phase::kFinish);
  while (!done_ && !ending()) {
    Result<void> finished = Fail(ErrorKind::kIo, "CHANNEL_CLOSED", "the channel of the move is closed");
    if (session_) finished = session_->lost ? Result<void>(Fail(*session_->lost)) : Finish();
    if (done_ || ending()) break;
    if (!finished && finished.error().code == kMismatchCode && !RecordedAsEnded()) {
      StopAtMismatch();
      continue;
    }
    log::warn("move {}: {}", receipt_.id, Describe(finished.error()));
    receipt_.waiting_for = "node " + peer_ + ": " + finished.error().message;
    if (RecordedAsEnded()) {
      receipt_.verified = !deleted_;
      if (deleted_)
        receipt_.error = "the tenant was deleted while the move could not go on";
      else
        receipt_.hash = payload_->MakeCompletion().sum;
      done_ = true;
      break;
    }
    Pause();
    if (ending()) break;
    if (const Result<void> connected = Reconnect(); connected) {
      receipt_.waiting_for.clear();
    } else {
      receipt_.waiting_for = "node " + peer_ + ": " + connected.error().message;
      if (session_) session_->lost = connected.error();
    }
  }
  if (done_) return End();
  return reversed_ ? Outcome::kReversed : Outcome::kStopped;
}

MoveSource::Outcome MoveSource::End() {
  host_.Reached(Step::kSourceHeardDone);
  receipt_.waiting_for = "transactions that were open at the source";
  tenant_.JoinTransactions(core_.Now() + limits::kOldTransactions);
  tenant_.AwaitRollbacks(core_.Now() + limits::kStreamIdle);
  receipt_.waiting_for = "an export at the source";
  while (tenant_.exports() > 0 && !host_.stopping()) runtime::SleepFor(limits::kReconnectPause);
  receipt_.waiting_for.clear();
  CloseSession();
  Enter(direction_ == Direction::kForward && !deleted_ ? Phase::kDone : Phase::kCancelled);
  if (auto saved = host_.catalog().SaveReceipt(receipt_.id, ToJson(receipt())); !saved)
    log::warn("move {}: its receipt could not be saved: {}", receipt_.id, Describe(saved.error()));
  if (!PersistsUntilDone([this] { return host_.journal().Put(Entry(Role::kDeleting)); }))
    return Outcome::kStopped;
  host_.Reached(Step::kSourceNotedDeleting);
  return Outcome::kMoved;
}

MoveSource::Outcome MoveSource::RecordCancelled(const Error& error) {
  log::warn("move {} of {} is given up: {}", receipt_.id, receipt_.tenant, Describe(error));
  receipt_.error = Describe(error);
  Enter(Phase::kCancelled);
  while (!host_.stopping()) {  // The tenant is served all the while; the destination waits for this word.
    auto recorded = host_.catalog().SetMoveState(receipt_.id, catalog::MoveState::kForward,
                                                 catalog::MoveState::kCancelled, ToJson(receipt()));
    if (recorded) break;
    log::warn("move {}: {}", receipt_.id, Describe(recorded.error()));
    if (recorded.error().kind == ErrorKind::kNotFound || recorded.error().kind == ErrorKind::kRefused) break;
    receipt_.waiting_for = "the catalog, to record that the move is cancelled";
    Pause();
  }
  receipt_.waiting_for.clear();
  return Outcome::kCancelled;
}

// -- After a restart

MoveSource::Outcome MoveSource::Resume(Role role) {
  TW_CHECK(role == Role::kSwapping || role == Role::kDual, "a source resumes from swapping or dual");
  return Ended(GoOn(role));
}

MoveSource::Outcome MoveSource::GoOn(Role role) {
  Enter(Phase::kHandover);
  receipt_.init_ms.reset();  // An earlier process had that.
  undecided_ = true;
  if (role == Role::kSwapping) {
    if (Result<void> swapped = SwapOwnership(); !swapped) return Outcome::kStopped;
  }
  tenant_.SetMoved();
  if (Result<void> resumed = payload_->Resume(); !resumed) {
    log::error("move {}: {}", receipt_.id, Describe(resumed.error()));
    return Outcome::kStopped;
  }
  Enter(Phase::kDual);
  undecided_ = false;
  // After a restart `swapping` leads to the same.
  if (Result<void> noted = host_.journal().Put(Entry(Role::kDual)); !noted)
    log::warn("move {}: {}", receipt_.id, Describe(noted.error()));
  return DualToDone();
}

}  // namespace tradewind::move
