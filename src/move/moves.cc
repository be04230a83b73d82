#include "move/moves.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "move/messages.h"
#include "runtime/random_id.h"

namespace tradewind::move {

namespace {

Receipt ReceiptFor(const catalog::MoveRecord& record, Epoch epoch) {
  Receipt receipt;
  receipt.id = record.id;
  receipt.tenant = record.tenant;
  receipt.source = record.source;
  receipt.destination = record.destination;
  receipt.epoch = epoch;
  receipt.started_at = record.started_at_ms;
  return receipt;
}

tl::unexpected<Error> NotHere(const MoveId& id, const NodeName& self) {
  return Fail(ErrorKind::kNotFound, "MOVE_NOT_HERE", "move " + id + " is not under way at node " + self);
}

}  // namespace

Moves::Moves(MoveHost& host, tenant::LocalTenants& tenants, tenant::NameClaims& claims,
             std::function<void(const TenantName&)> end_streams, std::function<void()> pace_changed)
    : host_(host),
      tenants_(tenants),
      claims_(claims),
      end_streams_(std::move(end_streams)),
      pace_changed_(std::move(pace_changed)),
      fibers_(host.core()) {}

Moves::~Moves() = default;

// -- Sending

void Moves::AllowStarts() {
  starts_allowed_ = true;
  changed_.NotifyAll();
}

Result<Receipt> Moves::Start(const MoveRequest& request) {
  host_.core().AssertHere();
  const auto may_start = [this] { return starts_allowed_ || host_.stopping(); };
  if (!WaitForUntil(changed_, host_.core().Now() + limits::kNodeCall, may_start) || host_.stopping())
    return Fail(ErrorKind::kUnavailable, "NODE_STARTING", "node " + host_.self() + " is starting or ending",
                "try again");
  // Nobody deletes it, or makes it anew, until its move is known here.
  TW_TRY_ASSIGN(auto claimed, claims_.ClaimName(request.tenant, host_.core().Now() + limits::kNameWait));
  const auto claim = std::make_shared<tenant::NameClaims::Claim>(std::move(claimed));
  TW_TRY_ASSIGN(auto use, tenants_.Find(request.tenant));
  TW_TRY_ASSIGN(Engine* const engine, KnownEngine(use.hosted().engine()));
  TW_TRY(engine->CheckMovable(use.hosted()));
  MoveOptions options = request.options;
  if (request.finish_within)
    options.finish_by_ms = host_.core().UnixMilliseconds() +
                           std::chrono::ceil<std::chrono::milliseconds>(*request.finish_within).count();
  catalog::MoveRecord record;
  record.id = "m" + runtime::RandomId(host_.core());
  record.tenant = request.tenant;
  record.source = host_.self();
  record.destination = request.to;
  record.method = NameOf(options.method);
  record.options = ToText(options);
  record.epoch_before = use.epoch();
  TW_TRY_ASSIGN(record, Begin(record, claim));
  // The next process cancels it.
  if (host_.stopping())
    return Fail(ErrorKind::kUnavailable, "NODE_STOPPING", "node " + host_.self() + " is stopping",
                "ask again when it is back");
  // The move before this one is over for the catalog, but its fiber may not have ended.
  WaitFor(changed_, [&] { return !outgoing_.contains(request.tenant); });
  if (Result<void> ended = AwaitEndOfArrival(request.tenant); !ended) {
    GiveUpLater(record, claim);
    return Fail(std::move(ended).error());
  }
  const Outgoing& outgoing = Run(request.tenant, std::move(use), ReceiptFor(record, record.epoch_before),
                                 options, Direction::kForward, std::nullopt);
  return outgoing.source->receipt();
}

// The catalog has the move when this returns it. When that is not known, it is asked again, and in the end the
// move is given up: left alone, it would keep the tenant from being moved and deleted until this node restarts.
Result<catalog::MoveRecord> Moves::Begin(const catalog::MoveRecord& record,
                                         std::shared_ptr<tenant::NameClaims::Claim> claim) {
  const runtime::TimePoint deadline = host_.core().Now() + limits::kNameWait;
  bool may_be_sent = false;
  while (true) {
    auto begun = host_.catalog().BeginMove(record);
    if (begun) return begun;
    const bool unknown = catalog::OutcomeIsUnknown(begun.error());
    if (!unknown && (!may_be_sent || begun.error().kind != ErrorKind::kUnavailable)) return begun;
    may_be_sent = true;
    if (host_.core().Now() >= deadline || host_.stopping()) {
      GiveUpLater(record, std::move(claim));
      return begun;
    }
    runtime::SleepFor(limits::kReconnectPause);
  }
}

// The same of the move that brought the tenant here: its destination has yet to write `owned` into the journal, over
// what this move would write there, and uses the tenant.
Result<void> Moves::AwaitEndOfArrival(const TenantName& tenant) {
  const runtime::TimePoint deadline = host_.core().Now() + limits::kNameWait;
  const auto arriving = [&] {
    const auto found = incoming_.find(tenant);
    return found != incoming_.end() && found->second->state() != DestinationState::kOver;
  };
  while (arriving()) {
    if (host_.core().Now() >= deadline || host_.stopping())
      return Fail(ErrorKind::kUnavailable, "MOVE_ENDING",
                  "the move that brought tenant " + tenant + " to node " + host_.self() +
                      " is over, but its journal does not say so yet",
                  "try again");
    runtime::SleepFor(limits::kLocatePause);
  }
  return {};
}

// With the claim, so that nothing else begins with the tenant meanwhile. The beginning may still be on its way;
// sent again it is there, and can be cancelled.
void Moves::GiveUpLater(const catalog::MoveRecord& record, std::shared_ptr<tenant::NameClaims::Claim> claim) {
  fibers_.Spawn("give up move of " + record.tenant, [this, record, claim = std::move(claim)] {
    Receipt receipt = ReceiptFor(record, record.epoch_before);
    receipt.phase = Phase::kCancelled;
    receipt.error = "whether the catalog had recorded the move was not known in time; the tenant stayed";
    while (!host_.stopping()) {
      const auto begun = host_.catalog().BeginMove(record);
      Result<void> over;
      if (begun) {
        receipt.started_at = begun->started_at_ms;
        receipt.ended_at = host_.core().UnixMilliseconds();
        const auto set = host_.catalog().SetMoveState(record.id, catalog::MoveState::kForward,
                                                      catalog::MoveState::kCancelled, ToJson(receipt));
        if (!set) over = Fail(set.error());
      } else {
        over = Fail(begun.error());
      }
      const bool again =
          !over && (catalog::OutcomeIsUnknown(over.error()) || over.error().kind == ErrorKind::kUnavailable);
      if (!again) return;
      runtime::SleepFor(limits::kReconnectPause);
    }
  });
}

Result<Receipt> Moves::RunToEnd(const MoveRequest& request) {
  TW_TRY_ASSIGN(const Receipt started, Start(request));
  const Outgoing* const outgoing = FindOutgoing(started.id);
  if (!outgoing) return started;
  const auto last = outgoing->last;
  WaitFor(changed_, [&] { return last->has_value(); });
  return **last;
}

Moves::Outgoing& Moves::Run(const TenantName& tenant, tenant::LocalTenants::Use use, Receipt start,
                            MoveOptions options, Direction direction, std::optional<Role> resumed) {
  // A tenant is here only if its engine is.
  Engine& engine = **KnownEngine(use.hosted().engine());
  auto source =
      std::make_shared<MoveSource>(host_, use.hosted(), engine, std::move(start), options, direction);
  Outgoing& outgoing = outgoing_[tenant];
  outgoing = Outgoing{source, std::make_shared<std::optional<Receipt>>()};
  auto pinned = std::make_shared<tenant::LocalTenants::Use>(std::move(use));
  fibers_.Spawn("move of " + tenant, [this, source, last = outgoing.last, tenant, resumed, pinned]() mutable {
    const auto outcome = resumed ? source->Resume(*resumed) : source->Run();
    const Receipt receipt = source->receipt();  // It looks into the tenant, which may go now.
    pinned.reset();
    outgoing_.erase(tenant);
    EndSource(tenant, source->direction(), outcome);
    *last = receipt;
    changed_.NotifyAll();
  });
  pace_changed_();
  return outgoing;
}

void Moves::EndSource(const TenantName& tenant, Direction direction, MoveSource::Outcome outcome) {
  switch (outcome) {
    case MoveSource::Outcome::kStopped:
    case MoveSource::Outcome::kCancelled: return;
    case MoveSource::Outcome::kTurnedRound:
      // What closes it makes its files one copy, to be made current.
      end_streams_(tenant);
      tenants_.CloseAndForget(tenant, tenant::LocalTenants::Files::kStay);
      return;
    case MoveSource::Outcome::kMoved: break;
  }
  if (direction == Direction::kReverse) Abandon(tenant);
  RemoveCopy(tenant);
}

bool Moves::Knows(const MoveId& id) const {
  host_.core().AssertHere();
  return FindOutgoing(id) || std::any_of(incoming_.begin(), incoming_.end(),
                                         [&](const auto& entry) { return entry.second->move() == id; });
}

bool Moves::IsMoving(const TenantName& tenant) const {
  host_.core().AssertHere();
  const auto found = incoming_.find(tenant);
  return outgoing_.contains(tenant) ||
         (found != incoming_.end() && found->second->state() != DestinationState::kOver);
}

bool Moves::IsCutOff(const TenantName& tenant) const {
  host_.core().AssertHere();
  const auto found = incoming_.find(tenant);
  return found != incoming_.end() && !outgoing_.contains(tenant) && IsOwner(found->second->state()) &&
         found->second->state() != DestinationState::kTurned && !found->second->has_channel();
}

void Moves::Abandon(const TenantName& tenant) {
  host_.core().AssertHere();
  WaitFor(changed_, [&] { return !resuming_.contains(tenant); });
  const auto found = incoming_.find(tenant);
  if (found == incoming_.end()) return;
  const Destination destination = found->second;
  destination->Abandon();
  destination->Join();
  if (const auto still = incoming_.find(tenant); still != incoming_.end() && still->second == destination)
    incoming_.erase(still);
}

void Moves::RemoveCopy(const TenantName& tenant) {
  end_streams_(tenant);
  tenants_.CloseAndForget(tenant, tenant::LocalTenants::Files::kGo);
  const auto remove = [&]() -> Result<void> {
    TW_TRY(tenants_.RemoveFiles(tenant));
    return host_.journal().Erase(tenant);
  };
  // What is left here would be in the way when the tenant comes back.
  for (Result<void> removed = remove(); !removed; removed = remove()) {
    log::error("the moved tenant {} could not be removed here: {}", tenant, Describe(removed.error()));
    if (host_.stopping()) return;
    WaitForUntil(changed_, host_.core().Now() + limits::kDiskRetryPause, [this] { return host_.stopping(); });
  }
  host_.Reached(Step::kSourceDeleted);
}

const Moves::Outgoing* Moves::FindOutgoing(const MoveId& id) const {
  const auto found = std::find_if(outgoing_.begin(), outgoing_.end(),
                                  [&](const auto& entry) { return entry.second.source->id() == id; });
  return found == outgoing_.end() ? nullptr : &found->second;
}

std::optional<std::string> Moves::LiveReceipt(const MoveId& id) const {
  if (const Outgoing* outgoing = FindOutgoing(id)) return ToJson(outgoing->source->receipt());
  return std::nullopt;
}

std::vector<std::shared_ptr<MoveSource>> Moves::sources() const {
  std::vector<std::shared_ptr<MoveSource>> sources;
  for (const auto& [tenant, outgoing] : outgoing_) sources.push_back(outgoing.source);
  return sources;
}

std::vector<Receipt> Moves::LiveReceipts() const {
  host_.core().AssertHere();
  std::vector<Receipt> receipts;
  for (const auto& [tenant, outgoing] : outgoing_) receipts.push_back(outgoing.source->receipt());
  return receipts;
}

// -- Cancel, set

Result<Receipt> Moves::Cancel(const MoveId& id) {
  host_.core().AssertHere();
  if (const Outgoing* outgoing = FindOutgoing(id)) {
    TW_TRY(outgoing->source->Cancel());
    return outgoing->source->receipt();
  }
  const auto found = std::find_if(incoming_.begin(), incoming_.end(),
                                  [&](const auto& entry) { return entry.second->move() == id; });
  if (found == incoming_.end()) return NotHere(id, host_.self());
  const Destination destination = found->second;
  TW_TRY(destination->TurnRound());
  if (Result<void> sent = SendBack(destination->tenant()); !sent) {
    SendBackLater(destination->tenant());
    return Fail(std::move(sent).error());
  }
  const Outgoing* outgoing = FindOutgoing(id);
  if (!outgoing) return NotHere(id, host_.self());
  return outgoing->source->receipt();
}

// The catalog has the move as turned round: this node, its destination, sends the tenant back.
Result<void> Moves::SendBack(const TenantName& tenant) {
  if (outgoing_.contains(tenant)) return {};  // It is on its way.
  const auto found = incoming_.find(tenant);
  if (found == incoming_.end()) return {};
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(found->second->move()));
  TW_TRY_ASSIGN(const auto options, ParseMoveOptions(record.options));
  TW_TRY_ASSIGN(auto use, tenants_.Find(tenant));
  if (outgoing_.contains(tenant)) return {};
  Receipt start = ReceiptFor(record, use.epoch());
  start.error = "cancelled on request after the hand-over; the tenant goes back to node " + record.source;
  Run(tenant, std::move(use), std::move(start), options, Direction::kReverse, std::nullopt);
  return {};
}

// Once the catalog has it as turned round nothing but this brings the move to an end.
void Moves::SendBackLater(const TenantName& tenant) {
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

Result<Receipt> Moves::SetPace(const MoveId& id, const Pace& pace) {
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(id));
  TW_TRY_ASSIGN(auto options, ParseMoveOptions(record.options));
  options.pace = pace;
  if (!FindOutgoing(id)) return NotHere(id, host_.self());
  TW_TRY(host_.catalog().SetMoveOptions(id, ToText(options)));
  const Outgoing* outgoing = FindOutgoing(id);
  if (!outgoing) return NotHere(id, host_.self());
  outgoing->source->SetPace(pace);
  pace_changed_();
  return outgoing->source->receipt();
}

Result<Receipt> Moves::VerifyAgain(const MoveId& id) {
  const Outgoing* outgoing = FindOutgoing(id);
  if (!outgoing) return NotHere(id, host_.self());
  TW_TRY(outgoing->source->VerifyAgain());
  return outgoing->source->receipt();
}

// -- Restart and end

Result<void> Moves::Resume(const JournalEntry& entry) {
  host_.core().AssertHere();
  if (entry.role == Role::kSwapping || entry.role == Role::kDual) return ResumeSource(entry);
  DropLast(entry.tenant);
  const Destination destination =
      MakeDestination(entry.move, entry.tenant, entry.peer, host_.EngineOf(entry.tenant),
                      entry.reverse ? Direction::kReverse : Direction::kForward);
  resuming_.insert(entry.tenant);
  Result<void> resumed = destination->Resume(entry);
  resuming_.erase(entry.tenant);
  changed_.NotifyAll();
  if (resumed && destination->state() != DestinationState::kOver) return {};
  incoming_.erase(entry.tenant);
  destination->Join();
  return resumed;
}

void Moves::ResumeWhenFree(const JournalEntry& entry) {
  fibers_.Spawn("resume move of " + entry.tenant, [this, entry] {
    while (!host_.stopping()) {
      changed_.WaitUntil(host_.core().Now() + limits::kFileInUseWait);
      const auto now = host_.journal().Find(entry.tenant);
      const bool goes_on =
          now && now->role == entry.role && now->move == entry.move && !IsMoving(entry.tenant);
      if (!goes_on || host_.stopping()) return;
      const Result<void> resumed = Resume(entry);
      if (resumed) return;
      if (resumed.error().code == tenant::kFileInUseCode) continue;
      log::error("tenant {} is not served here: {}", entry.tenant, Describe(resumed.error()));
      return;
    }
  });
}

// A tenant of which not all arrived before it was sent back.
Result<tenant::LocalTenants::Use> Moves::OpenForReverse(const JournalEntry& entry, Epoch owned) {
  TW_TRY_ASSIGN(auto tenant, host_.EngineOf(entry.tenant).OpenToSendBack(host_, entry.tenant));
  tenants_.Adopt(std::move(tenant), owned, {});
  return tenants_.Find(entry.tenant);
}

Result<void> Moves::ResumeSource(const JournalEntry& entry) {
  // The epoch of `dual` is the new owner's: a gateway that took it for ours would wait for one beyond it.
  const Epoch owned{entry.role == Role::kDual ? entry.epoch.value - 1 : entry.epoch.value};
  if (!entry.reverse) tenants_.AddOwned(entry.tenant, owned);
  Result<tenant::LocalTenants::Use> found =
      entry.reverse ? OpenForReverse(entry, owned) : tenants_.Find(entry.tenant);
  if (!found) {
    // A request that opened it later would be served as if it had not been handed over.
    tenants_.CloseAndForget(entry.tenant, tenant::LocalTenants::Files::kStay);
    return Fail(std::move(found).error());
  }
  tenant::LocalTenants::Use use = std::move(*found);
  use.hosted().Park();
  catalog::MoveRecord record;
  record.id = entry.move;
  record.tenant = entry.tenant;
  record.source = entry.reverse ? entry.peer : host_.self();
  record.destination = entry.reverse ? host_.self() : entry.peer;
  record.started_at_ms = host_.core().UnixMilliseconds();
  const auto direction = entry.reverse ? Direction::kReverse : Direction::kForward;
  const auto source =
      Run(entry.tenant, std::move(use), ReceiptFor(record, entry.epoch), {}, direction, entry.role).source;
  // The catalog may be away, and what is asked of this node must be answered all the same.
  fibers_.Spawn("options of move " + entry.move, [this, source] {
    const auto known = host_.catalog().GetMove(source->id());
    const auto options = known ? ParseMoveOptions(known->options) : Result<MoveOptions>(Fail(known.error()));
    if (options)
      source->Recall(*options, known->started_at_ms);
    else
      log::warn("move {}: what it was asked for is not known: {}", source->id(), Describe(options.error()));
  });
  return {};
}

void Moves::StopWaits() {
  for (const auto& [tenant, destination] : incoming_) destination->StopWaits();
}

void Moves::Stop() {
  host_.core().AssertHere();
  for (const auto& [channel, tenant] : channels_) channel->Close();
  for (const auto& [tenant, outgoing] : outgoing_) outgoing.source->Stop();
  changed_.NotifyAll();
  WaitFor(changed_, [&] { return channels_.empty(); });
  for (const auto& [tenant, destination] : incoming_) destination->Join();
  fibers_.Join();
  for (const auto& [tenant, destination] : incoming_) destination->Join();  // Of one that was just resumed.
  incoming_.clear();
}

}  // namespace tradewind::move
