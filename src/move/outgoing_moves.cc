#include "move/outgoing_moves.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "move/catalog_receipt.h"

namespace tradewind::move {

OutgoingMoves::OutgoingMoves(MoveHost& host, tenant::LocalTenants& tenants, runtime::TaskGroup& fibers,
                             Callbacks callbacks)
    : host_(host), tenants_(tenants), fibers_(fibers), callbacks_(std::move(callbacks)) {}

Receipt OutgoingMoves::Send(tenant::LocalTenants::Use use, Receipt start, const MoveOptions& options,
                            Direction direction) {
  return Run(std::move(use), std::move(start), options, direction, std::nullopt)->receipt();
}

std::shared_ptr<MoveSource> OutgoingMoves::Run(tenant::LocalTenants::Use use, Receipt start,
                                               const MoveOptions& options, Direction direction,
                                               std::optional<Role> resumed) {
  const TenantName tenant = start.tenant;
  TW_CHECK(!moves_.contains(tenant), "a tenant is sent twice at a time");
  // A tenant is here only if its engine is.
  Engine& engine = **KnownEngine(host_, use.hosted().engine());
  auto source =
      std::make_shared<MoveSource>(host_, use.hosted(), engine, std::move(start), options, direction);
  const auto last = std::make_shared<std::optional<Receipt>>();
  moves_[tenant] = Outgoing{source, last};
  auto pinned = std::make_shared<tenant::LocalTenants::Use>(std::move(use));
  fibers_.Spawn("move of " + tenant, [this, source, last, tenant, resumed, pinned]() mutable {
    const auto outcome = resumed ? source->Resume(*resumed) : source->Run();
    const Receipt receipt = source->receipt();  // It looks into the tenant, which may go now.
    pinned.reset();
    moves_.erase(tenant);
    Count(receipt, source->direction(), outcome);
    EndSource(tenant, source->direction(), outcome);
    *last = receipt;
    ended_.NotifyAll();
  });
  callbacks_.pace_changed();
  return source;
}

// One that stopped goes on after a restart, and one that was reversed ends where the tenant is sent back from.
void OutgoingMoves::Count(const Receipt& last, Direction direction, MoveSource::Outcome outcome) {
  if (outcome == MoveSource::Outcome::kStopped || outcome == MoveSource::Outcome::kReversed) return;
  const bool moved = outcome == MoveSource::Outcome::kMoved;
  const char* const name = !moved ? "cancelled" : direction == Direction::kForward ? "done" : "sent_back";
  totals_.Record(last, name, host_.core().UnixMilliseconds());
}

void OutgoingMoves::EndSource(const TenantName& tenant, Direction direction, MoveSource::Outcome outcome) {
  switch (outcome) {
    case MoveSource::Outcome::kStopped:
    case MoveSource::Outcome::kCancelled: return;
    case MoveSource::Outcome::kReversed:
      // What closes it makes its files one copy, to be made current.
      callbacks_.end_streams(tenant);
      tenants_.CloseAndForget(tenant, tenant::LocalTenants::Files::kStay);
      return;
    case MoveSource::Outcome::kMoved: break;
  }
  if (direction == Direction::kReverse) callbacks_.sent_back(tenant);
  RemoveCopy(tenant);
}

void OutgoingMoves::RemoveCopy(const TenantName& tenant) {
  callbacks_.end_streams(tenant);
  tenants_.CloseAndForget(tenant, tenant::LocalTenants::Files::kGo);
  const auto remove = [&]() -> Result<void> {
    TW_TRY(tenants_.RemoveFiles(tenant));
    return host_.journal().Erase(tenant);
  };
  // What is left here would be in the way when the tenant comes back.
  for (Result<void> removed = remove(); !removed; removed = remove()) {
    log::error("the moved tenant {} could not be removed here: {}", tenant, Describe(removed.error()));
    if (host_.stopping()) return;
    WaitForUntil(ended_, host_.core().Now() + limits::kDiskRetryPause, [this] { return host_.stopping(); });
  }
  host_.Reached(Step::kSourceDeleted);
}

// -- After a restart

// A tenant of which not all arrived before it was sent back.
Result<tenant::LocalTenants::Use> OutgoingMoves::OpenForReverse(const JournalEntry& entry, Epoch owned) {
  TW_TRY_ASSIGN(auto tenant, host_.EngineOf(entry.tenant).OpenToSendBack(host_, entry.tenant));
  tenants_.Adopt(std::move(tenant), owned, {});
  return tenants_.Find(entry.tenant);
}

Result<void> OutgoingMoves::Resume(const JournalEntry& entry) {
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
  const auto source = Run(std::move(use), FirstReceipt(record, entry.epoch), {}, direction, entry.role);
  // The catalog may be away; what is asked of this node is answered without it.
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

// -- What is asked of them

const OutgoingMoves::Outgoing* OutgoingMoves::FindMove(const MoveId& id) const {
  const auto found = std::find_if(moves_.begin(), moves_.end(),
                                  [&](const auto& entry) { return entry.second.source->id() == id; });
  return found == moves_.end() ? nullptr : &found->second;
}

Result<std::shared_ptr<MoveSource>> OutgoingMoves::Find(const MoveId& id) const {
  host_.core().AssertHere();
  if (const Outgoing* const move = FindMove(id)) return move->source;
  return Fail(ErrorKind::kNotFound, "MOVE_NOT_HERE",
              "move " + id + " is not under way at node " + host_.self());
}

void OutgoingMoves::AwaitEndOf(const TenantName& tenant) {
  WaitFor(ended_, [&] { return !moves_.contains(tenant); });
}

std::optional<Receipt> OutgoingMoves::AwaitEnd(const MoveId& id) {
  const Outgoing* const move = FindMove(id);
  if (!move) return std::nullopt;
  const auto last = move->last;
  WaitFor(ended_, [&] { return last->has_value(); });
  return *last;
}

void OutgoingMoves::Reverse(const MoveId& id) {
  const Outgoing* const move = FindMove(id);
  if (!move) return;
  const auto source = move->source;
  const auto last = move->last;
  source->Reverse();
  WaitFor(ended_, [&] { return last->has_value() || host_.stopping(); });
}

std::vector<std::shared_ptr<MoveSource>> OutgoingMoves::sources() const {
  std::vector<std::shared_ptr<MoveSource>> sources;
  for (const auto& [tenant, move] : moves_) sources.push_back(move.source);
  return sources;
}

std::vector<Receipt> OutgoingMoves::receipts() const {
  host_.core().AssertHere();
  std::vector<Receipt> receipts;
  for (const auto& [tenant, move] : moves_) receipts.push_back(move.source->receipt());
  return receipts;
}

Result<Receipt> OutgoingMoves::SetPace(const MoveId& id, const Pace& pace) {
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(id));
  TW_TRY_ASSIGN(auto options, ParseMoveOptions(record.options));
  options.pace = pace;
  TW_TRY(Find(id));
  TW_TRY(host_.catalog().SetMoveOptions(id, ToText(options)));
  TW_TRY_ASSIGN(const auto source, Find(id));  // It may have ended meanwhile.
  source->SetPace(pace);
  callbacks_.pace_changed();
  return source->receipt();
}

Result<Receipt> OutgoingMoves::VerifyAgain(const MoveId& id) {
  TW_TRY_ASSIGN(const auto source, Find(id));
  TW_TRY(source->VerifyAgain());
  return source->receipt();
}

void OutgoingMoves::Stop() {
  for (const auto& [tenant, move] : moves_) move.source->Stop();
  ended_.NotifyAll();
}

}  // namespace tradewind::move
