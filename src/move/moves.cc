#include "move/moves.h"

#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "move/catalog_receipt.h"
#include "runtime/random_id.h"

namespace tradewind::move {

Moves::Moves(MoveHost& host, tenant::LocalTenants& tenants, tenant::NameClaims& claims,
             std::function<void(const TenantName&)> end_streams, std::function<void()> pace_changed)
    : host_(host),
      tenants_(tenants),
      claims_(claims),
      fibers_(host.core()),
      outgoing_(host, tenants, fibers_,
                {std::move(end_streams), std::move(pace_changed),
                 [this](const TenantName& tenant) { incoming_.Abandon(tenant); }}),
      incoming_(host, tenants, claims, outgoing_, fibers_) {}

// -- Start

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
  TW_TRY_ASSIGN(Engine* const engine, KnownEngine(host_, use.hosted().engine()));
  TW_TRY(engine->CheckMovable(use.hosted(), request.options));
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
  outgoing_.AwaitEndOf(request.tenant);
  if (Result<void> ended = AwaitEndOfArrival(request.tenant); !ended) {
    GiveUpLater(record, claim);
    return Fail(std::move(ended).error());
  }
  return outgoing_.Send(std::move(use), FirstReceipt(record, record.epoch_before), options,
                        Direction::kForward);
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
  while (IsArriving(tenant)) {
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
    Receipt receipt = FirstReceipt(record, record.epoch_before);
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
  return outgoing_.AwaitEnd(started.id).value_or(started);
}

// -- Cancel

Result<Receipt> Moves::Cancel(const MoveId& id) {
  host_.core().AssertHere();
  if (incoming_.Knows(id) && !outgoing_.Find(id)) TW_TRY(incoming_.Reverse(id));
  TW_TRY_ASSIGN(const auto source, outgoing_.Find(id));
  TW_TRY(source->Cancel());
  return source->receipt();
}

// -- What they are

bool Moves::Knows(const MoveId& id) const {
  return outgoing_.Find(id) || incoming_.Knows(id);
}

bool Moves::IsArriving(const TenantName& tenant) const {
  const MoveDestination* const destination = incoming_.Find(tenant);
  return destination && destination->state() != DestinationState::kOver;
}

bool Moves::IsMoving(const TenantName& tenant) const {
  host_.core().AssertHere();
  return outgoing_.IsSending(tenant) || IsArriving(tenant);
}

bool Moves::IsCutOff(const TenantName& tenant) const {
  host_.core().AssertHere();
  const MoveDestination* const destination = incoming_.Find(tenant);
  return destination && !outgoing_.IsSending(tenant) && IsOwner(destination->state()) &&
         destination->state() != DestinationState::kReversed && !destination->has_channel();
}

// -- Restart and end

Result<void> Moves::Resume(const JournalEntry& entry) {
  host_.core().AssertHere();
  const bool sends = entry.role == Role::kSwapping || entry.role == Role::kDual;
  return sends ? outgoing_.Resume(entry) : incoming_.Resume(entry);
}

bool Moves::MayResumeLater(const Error& why) {
  return why.kind == ErrorKind::kUnavailable || why.kind == ErrorKind::kTooLarge;
}

void Moves::ResumeLater(const JournalEntry& entry) {
  fibers_.Spawn("resume move of " + entry.tenant, [this, entry] {
    std::string said;
    while (!host_.stopping()) {
      changed_.WaitUntil(host_.core().Now() + limits::kDiskRetryPause);
      // Whoever deletes it, or takes its copy for one that nobody needs, has the name meanwhile.
      const auto claim = claims_.ClaimName(entry.tenant, host_.core().Now());
      const auto now = host_.journal().Find(entry.tenant);
      const bool goes_on =
          now && now->role == entry.role && now->move == entry.move && !IsMoving(entry.tenant);
      if (!goes_on || host_.stopping()) return;
      if (!claim) continue;
      const Result<void> resumed = Resume(entry);
      if (resumed) {
        tenants_.ForgetUnserved(entry.tenant);
        return;
      }
      const Error& why = resumed.error();
      if (why.code != tenant::kFileInUseCode) tenants_.AddUnserved(entry.tenant, why);
      if (!MayResumeLater(why) || Describe(why) != said)
        log::error("tenant {} is not served here: {}", entry.tenant, Describe(why));
      said = Describe(why);
      if (!MayResumeLater(why)) return;
    }
  });
}

void Moves::Stop() {
  host_.core().AssertHere();
  incoming_.CloseChannels();
  outgoing_.Stop();
  changed_.NotifyAll();
  incoming_.Join();
  fibers_.Join();
  incoming_.Join();  // Of one that was just resumed.
  incoming_.Clear();
}

}  // namespace tradewind::move
