#include "node/moves.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "move/messages.h"
#include "runtime/random_id.h"
#include "sqlite/database_file.h"

namespace tradewind::node {

namespace {

move::Receipt ReceiptFor(const cluster::MoveRecord& record, Epoch epoch) {
  move::Receipt receipt;
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

Moves::Moves(move::MoveHost& host, LocalTenants& tenants, std::function<void(const TenantName&)> end_streams,
             std::function<void()> pace_changed)
    : host_(host),
      tenants_(tenants),
      end_streams_(std::move(end_streams)),
      pace_changed_(std::move(pace_changed)),
      fibers_(host.core()) {}

Moves::~Moves() = default;

// -- Sending

void Moves::AllowStarts() {
  starts_allowed_ = true;
  changed_.NotifyAll();
}

Result<move::Receipt> Moves::Start(const MoveRequest& request) {
  const auto may_start = [this] { return starts_allowed_ || host_.stopping(); };
  if (!WaitForUntil(changed_, host_.core().Now() + limits::kNodeCall, may_start) || host_.stopping())
    return Fail(ErrorKind::kUnavailable, "NODE_STARTING", "node " + host_.self() + " is starting or ending",
                "try again");
  // Nobody deletes it, or makes it anew, until its move is known here.
  TW_TRY_ASSIGN(auto claimed, tenants_.ClaimName(request.tenant, host_.core().Now() + limits::kNameWait));
  const auto claim = std::make_shared<LocalTenants::Claim>(std::move(claimed));
  TW_TRY_ASSIGN(auto use, tenants_.Find(request.tenant));
  if (use->store().page_count() > move::kMostPages)
    return Fail(ErrorKind::kTooLarge, "TENANT_TOO_LARGE",
                fmt::format("tenant {} has more than the {} pages that a move can list", request.tenant,
                            move::kMostPages),
                "export it and import it at the other node");
  move::MoveOptions options = request.options;
  if (request.finish_within)
    options.finish_by_ms = host_.core().UnixMilliseconds() +
                           std::chrono::ceil<std::chrono::milliseconds>(*request.finish_within).count();
  cluster::MoveRecord record;
  record.id = "m" + runtime::RandomId(host_.core());
  record.tenant = request.tenant;
  record.source = host_.self();
  record.destination = request.to;
  record.method = move::NameOf(options.method);
  record.options = move::ToText(options);
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
                                 options, move::Sender::Direction::kForward, std::nullopt);
  return outgoing.sender->receipt();
}

// The catalog has the move when this returns it. When that is not known, it is asked again, and in the end the
// move is given up: left alone, it would keep the tenant from being moved and deleted until this node restarts.
Result<cluster::MoveRecord> Moves::Begin(const cluster::MoveRecord& record,
                                         std::shared_ptr<LocalTenants::Claim> claim) {
  const runtime::TimePoint deadline = host_.core().Now() + limits::kNameWait;
  bool may_be_sent = false;
  while (true) {
    auto begun = host_.catalog().BeginMove(record);
    if (begun) return begun;
    const bool unknown = cluster::OutcomeIsUnknown(begun.error());
    if (!unknown && (!may_be_sent || begun.error().kind != ErrorKind::kUnavailable)) return begun;
    may_be_sent = true;
    if (host_.core().Now() >= deadline || host_.stopping()) {
      GiveUpLater(record, std::move(claim));
      return begun;
    }
    runtime::SleepFor(limits::kReconnectPause);
  }
}

// The same of the move that brought the tenant here: its receiver has yet to write `owned` into the journal, over
// what this move would write there, and uses the tenant.
Result<void> Moves::AwaitEndOfArrival(const TenantName& tenant) {
  const runtime::TimePoint deadline = host_.core().Now() + limits::kNameWait;
  const auto arriving = [&] {
    const auto found = receivers_.find(tenant);
    return found != receivers_.end() && found->second->state() != move::Receiver::State::kOver;
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
void Moves::GiveUpLater(const cluster::MoveRecord& record, std::shared_ptr<LocalTenants::Claim> claim) {
  fibers_.Spawn("give up move of " + record.tenant, [this, record, claim = std::move(claim)] {
    move::Receipt receipt = ReceiptFor(record, record.epoch_before);
    receipt.phase = move::Phase::kCancelled;
    receipt.error = "whether the catalog had recorded the move was not known in time; the tenant stayed";
    while (!host_.stopping()) {
      const auto begun = host_.catalog().BeginMove(record);
      Result<void> over;
      if (begun) {
        receipt.started_at = begun->started_at_ms;
        receipt.ended_at = host_.core().UnixMilliseconds();
        const auto set = host_.catalog().SetMoveState(record.id, cluster::MoveState::kForward,
                                                      cluster::MoveState::kCancelled, move::ToJson(receipt));
        if (!set) over = Fail(set.error());
      } else {
        over = Fail(begun.error());
      }
      const bool again =
          !over && (cluster::OutcomeIsUnknown(over.error()) || over.error().kind == ErrorKind::kUnavailable);
      if (!again) return;
      runtime::SleepFor(limits::kReconnectPause);
    }
  });
}

Result<move::Receipt> Moves::RunToEnd(const MoveRequest& request) {
  TW_TRY_ASSIGN(const move::Receipt started, Start(request));
  const Outgoing* const outgoing = FindOutgoing(started.id);
  if (!outgoing) return started;
  const auto last = outgoing->last;
  WaitFor(changed_, [&] { return last->has_value(); });
  return **last;
}

Moves::Outgoing& Moves::Run(const TenantName& tenant, LocalTenants::Use use, move::Receipt start,
                            move::MoveOptions options, move::Sender::Direction direction,
                            std::optional<move::Role> resumed) {
  auto sender = std::make_shared<move::Sender>(host_, *use, std::move(start), options, direction);
  Outgoing& outgoing = outgoing_[tenant];
  outgoing = Outgoing{sender, std::make_shared<std::optional<move::Receipt>>()};
  auto pinned = std::make_shared<LocalTenants::Use>(std::move(use));
  fibers_.Spawn("move of " + tenant, [this, sender, last = outgoing.last, tenant, resumed, pinned]() mutable {
    const auto outcome = resumed ? sender->Resume(*resumed) : sender->Run();
    const move::Receipt receipt = sender->receipt();  // It looks into the tenant, which may go now.
    pinned.reset();
    outgoing_.erase(tenant);
    EndSender(tenant, *sender, outcome);
    *last = receipt;
    changed_.NotifyAll();
  });
  pace_changed_();
  return outgoing;
}

void Moves::EndSender(const TenantName& tenant, move::Sender& sender, move::Sender::Outcome outcome) {
  switch (outcome) {
    case move::Sender::Outcome::kStopped:
    case move::Sender::Outcome::kCancelled: return;
    case move::Sender::Outcome::kTurnedRound:
      // The last connection copies the WAL into the file: what is in it would hide what comes back.
      end_streams_(tenant);
      if (auto use = tenants_.Find(tenant)) (*use)->AllowCheckpoints();
      tenants_.CloseAndForget(tenant, LocalTenants::Files::kStay);
      return;
    case move::Sender::Outcome::kMoved: break;
  }
  if (sender.direction() == move::Sender::Direction::kReverse) {
    Abandon(tenant);
  }
  RemoveCopy(tenant);
}

bool Moves::IsCutOff(const TenantName& tenant) const {
  const auto found = receivers_.find(tenant);
  return found != receivers_.end() && !outgoing_.contains(tenant) && !found->second->turned() &&
         found->second->state() == move::Receiver::State::kOwner && !found->second->has_channel();
}

void Moves::Abandon(const TenantName& tenant) {
  const auto found = receivers_.find(tenant);
  if (found == receivers_.end()) return;
  const Receiver receiver = found->second;
  receiver->Abandon();
  receiver->Join();
  if (const auto still = receivers_.find(tenant); still != receivers_.end() && still->second == receiver)
    receivers_.erase(still);
}

void Moves::RemoveCopy(const TenantName& tenant) {
  end_streams_(tenant);
  tenants_.CloseAndForget(tenant, LocalTenants::Files::kGo);
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
  host_.Reached(move::Step::kSourceDeleted);
}

const Moves::Outgoing* Moves::FindOutgoing(const MoveId& id) const {
  const auto found = std::find_if(outgoing_.begin(), outgoing_.end(),
                                  [&](const auto& entry) { return entry.second.sender->id() == id; });
  return found == outgoing_.end() ? nullptr : &found->second;
}

std::optional<std::string> Moves::LiveReceipt(const MoveId& id) const {
  if (const Outgoing* outgoing = FindOutgoing(id)) return move::ToJson(outgoing->sender->receipt());
  return std::nullopt;
}

std::optional<std::string> Moves::LiveReceiptOf(const TenantName& tenant) const {
  const auto found = outgoing_.find(tenant);
  if (found == outgoing_.end()) return std::nullopt;
  return move::ToJson(found->second.sender->receipt());
}

std::vector<std::shared_ptr<move::Sender>> Moves::senders() const {
  std::vector<std::shared_ptr<move::Sender>> senders;
  for (const auto& [tenant, outgoing] : outgoing_) senders.push_back(outgoing.sender);
  return senders;
}

std::vector<move::Receipt> Moves::LiveReceipts() const {
  std::vector<move::Receipt> receipts;
  for (const auto& [tenant, outgoing] : outgoing_) receipts.push_back(outgoing.sender->receipt());
  return receipts;
}

// -- Cancel, set

Result<move::Receipt> Moves::Cancel(const MoveId& id) {
  if (const Outgoing* outgoing = FindOutgoing(id)) {
    TW_TRY(outgoing->sender->Cancel());
    return outgoing->sender->receipt();
  }
  const auto found = std::find_if(receivers_.begin(), receivers_.end(),
                                  [&](const auto& entry) { return entry.second->move() == id; });
  if (found == receivers_.end()) return NotHere(id, host_.self());
  const Receiver receiver = found->second;
  TW_TRY(receiver->TurnRound());
  if (Result<void> sent = SendBack(receiver->tenant()); !sent) {
    SendBackLater(receiver->tenant());
    return Fail(std::move(sent).error());
  }
  const Outgoing* outgoing = FindOutgoing(id);
  if (!outgoing) return NotHere(id, host_.self());
  return outgoing->sender->receipt();
}

// The catalog has the move as turned round: this node, its destination, sends the tenant back.
Result<void> Moves::SendBack(const TenantName& tenant) {
  if (outgoing_.contains(tenant)) return {};  // It is on its way.
  const auto found = receivers_.find(tenant);
  if (found == receivers_.end()) return {};
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(found->second->move()));
  TW_TRY_ASSIGN(const auto options, move::ParseMoveOptions(record.options));
  TW_TRY_ASSIGN(auto use, tenants_.Find(tenant));
  if (outgoing_.contains(tenant)) return {};
  move::Receipt start = ReceiptFor(record, use.epoch());
  start.error = "cancelled on request after the hand-over; the tenant goes back to node " + record.source;
  Run(tenant, std::move(use), std::move(start), options, move::Sender::Direction::kReverse, std::nullopt);
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

Result<move::Receipt> Moves::SetPace(const MoveId& id, const move::Pace& pace) {
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(id));
  TW_TRY_ASSIGN(auto options, move::ParseMoveOptions(record.options));
  options.pace = pace;
  if (!FindOutgoing(id)) return NotHere(id, host_.self());
  TW_TRY(host_.catalog().SetMoveOptions(id, move::ToText(options)));
  const Outgoing* outgoing = FindOutgoing(id);
  if (!outgoing) return NotHere(id, host_.self());
  outgoing->sender->SetPace(pace);
  pace_changed_();
  return outgoing->sender->receipt();
}

Result<move::Receipt> Moves::VerifyAgain(const MoveId& id) {
  const Outgoing* outgoing = FindOutgoing(id);
  if (!outgoing) return NotHere(id, host_.self());
  TW_TRY(outgoing->sender->VerifyAgain());
  return outgoing->sender->receipt();
}

// -- Receiving

Moves::Receiver Moves::MakeReceiver(const MoveId& move, const TenantName& tenant, const NodeName& peer,
                                    move::Receiver::Direction direction) {
  auto receiver = std::make_shared<move::Receiver>(host_, move, tenant, peer, direction,
                                                   [this, tenant] { SendBackLater(tenant); });
  receivers_[tenant] = receiver;
  return receiver;
}

// A tenant that comes back finds its old copy here until that has been deleted; so does one whose last move
// was given up.
Result<void> Moves::AwaitRoom(const TenantName& tenant) {
  const runtime::TimePoint deadline = host_.core().Now() + limits::kReadyWait;
  const auto in_the_way = [&] {
    const auto found = receivers_.find(tenant);
    return tenants_.IsClaimed(tenant) || tenants_.Has(tenant) || host_.journal().entries().contains(tenant) ||
           (found != receivers_.end() && found->second->state() != move::Receiver::State::kOver);
  };
  while (in_the_way()) {
    if (host_.core().Now() >= deadline || host_.stopping())
      return Fail(ErrorKind::kUnavailable, "COPY_IN_THE_WAY",
                  "an earlier copy of " + tenant + " is still being dropped here", "try again");
    runtime::SleepFor(limits::kLocatePause);
  }
  // No tenant of this node is in the way, so a file would be one that nobody knows: it is not written over.
  TW_TRY_ASSIGN(const bool exists, host_.core().disk().Exists(host_.TenantPath(tenant)));
  if (exists)
    return Fail(ErrorKind::kRefused, "FILE_IN_THE_WAY",
                "the file " + host_.TenantPath(tenant) + " of node " + host_.self() +
                    " belongs to no tenant that it knows",
                "move it out of the folder");
  return {};
}

size_t Moves::receiving() const {
  return static_cast<size_t>(std::count_if(receivers_.begin(), receivers_.end(), [](const auto& entry) {
    return entry.second->state() != move::Receiver::State::kOver;
  }));
}

Result<Moves::Receiver> Moves::ReceiverFor(const move::Offer& offer) {
  if (const auto found = receivers_.find(offer.tenant);
      found != receivers_.end() && found->second->move() == offer.move &&
      found->second->state() != move::Receiver::State::kOver)
    return found->second;
  if (offer.kind != move::OfferKind::kInit)
    return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "this node has no copy for the move " + offer.move);
  if (receiving() >= limits::kMovesIn)
    return Fail(ErrorKind::kUnavailable, "NODE_BUSY",
                "node " + host_.self() + " is receiving as many tenants as it may", "try again");
  TW_TRY(AwaitRoom(offer.tenant));
  return MakeReceiver(offer.move, offer.tenant, offer.source, move::Receiver::Direction::kForward);
}

// The tenant comes back: its old source stops sending, ends what is open, and has its copy ready to be made
// current.
Result<Moves::Receiver> Moves::ReceiverForReverse(const move::Offer& offer) {
  if (const auto outgoing = outgoing_.find(offer.tenant);
      outgoing != outgoing_.end() && outgoing->second.sender->id() == offer.move) {
    const auto sender = outgoing->second.sender;
    const auto last = outgoing->second.last;
    sender->TurnRound();
    WaitFor(changed_, [&] { return last->has_value() || host_.stopping(); });
  }
  if (const auto found = receivers_.find(offer.tenant);
      found != receivers_.end() && found->second->move() == offer.move &&
      found->second->direction() == move::Receiver::Direction::kReverse)
    return found->second;
  const auto entry = host_.journal().entries().find(offer.tenant);
  const bool has_copy =
      entry != host_.journal().entries().end() && entry->second.move == offer.move &&
      (entry->second.role == move::Role::kDual || entry->second.role == move::Role::kSwapping);
  if (!has_copy || tenants_.Has(offer.tenant) || host_.stopping())
    return Fail(ErrorKind::kUnavailable, "MOVE_UNKNOWN", "this node has no copy for the move " + offer.move);
  // Frozen means that the file alone is the whole copy.
  const std::string path = host_.TenantPath(offer.tenant);
  TW_TRY_ASSIGN(bool has_wal, host_.core().disk().Exists(path + "-wal"));
  if (has_wal) {  // The disk was full when the tenant was closed; to open it copies the WAL, too.
    TW_TRY_ASSIGN(auto store, sqlite::PageStore::Open(host_.core(), path, runtime::OpenMode::kExisting));
    TW_TRY_ASSIGN(auto tenant, tenant::Tenant::Open(host_.core(), offer.tenant, std::move(store)));
    tenant->Close();
    TW_TRY_ASSIGN(has_wal, host_.core().disk().Exists(path + "-wal"));
  }
  if (has_wal)
    return Fail(ErrorKind::kIo, "CHECKPOINT_INCOMPLETE",
                "the WAL of " + offer.tenant + " could not be copied into its file",
                "this is tried again; free space on the disk of node " + host_.self());
  return MakeReceiver(offer.move, offer.tenant, offer.source, move::Receiver::Direction::kReverse);
}

Result<void> Moves::ServeOffered(move::PageChannel& channel) {
  TW_TRY_ASSIGN(const move::Message first, channel.ReceiveUntil(host_.core().Now() + limits::kNodeCall));
  const auto* offer = std::get_if<move::Offer>(&first);
  if (!offer) return Fail(ErrorKind::kCorrupt, "CHANNEL_CONFUSED", "a page channel begins with an offer");
  TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(offer->move));
  const bool reverse = record.state == cluster::MoveState::kReverse;
  const NodeName& to = reverse && offer->source == record.destination ? record.source : record.destination;
  const NodeName& from = &to == &record.source ? record.destination : record.source;
  if (to != host_.self() || offer->source != from || record.tenant != offer->tenant ||
      cluster::IsOver(record.state) || (offer->kind == move::OfferKind::kReverse && !reverse) ||
      (offer->kind == move::OfferKind::kInit && offer->epoch != record.epoch_before))
    return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "the catalog has no such move to this node");
  channels_[&channel] = offer->tenant;
  auto receiver = offer->kind == move::OfferKind::kReverse ? ReceiverForReverse(*offer) : ReceiverFor(*offer);
  if (!receiver) return Fail(std::move(receiver).error());
  (*receiver)->Serve(channel, *offer);
  DropIfOver(*receiver);
  return {};
}

void Moves::DropIfOver(const Receiver& receiver) {
  if (receiver->state() != move::Receiver::State::kOver && receiver->state() != move::Receiver::State::kEmpty)
    return;
  receiver->Join();
  if (const auto current = receivers_.find(receiver->tenant());
      current != receivers_.end() && current->second == receiver)
    receivers_.erase(current);
}

void Moves::ServeChannel(std::unique_ptr<move::PageChannel> channel) {
  channels_[channel.get()] = "";
  if (Result<void> served = host_.stopping() ? Result<void>() : ServeOffered(*channel); !served) {
    log::warn("a page channel: {}", Describe(served.error()));
    static_cast<void>(channel->Send(move::Failed{served.error().code, served.error().message}));
  }
  channel->Close();
  channels_.erase(channel.get());
  channel.reset();
  changed_.NotifyAll();
}

bool Moves::IsMoving(const TenantName& tenant) const {
  const auto found = receivers_.find(tenant);
  return outgoing_.contains(tenant) ||
         (found != receivers_.end() && found->second->state() != move::Receiver::State::kOver);
}

Result<void> Moves::AwaitArrival(const TenantName& tenant, runtime::TimePoint deadline) {
  // The catalog has a new tenant a moment before its node serves it.
  tenants_.AwaitClaim(tenant, deadline);
  const auto found = receivers_.find(tenant);
  if (found == receivers_.end()) return {};
  const Receiver receiver = found->second;
  return receiver->AwaitOwnership(deadline);
}

// -- Restart and end

Result<void> Moves::Resume(const move::JournalEntry& entry) {
  if (entry.role == move::Role::kSwapping || entry.role == move::Role::kDual) return ResumeSender(entry);
  const auto direction =
      entry.reverse ? move::Receiver::Direction::kReverse : move::Receiver::Direction::kForward;
  const Receiver receiver = MakeReceiver(entry.move, entry.tenant, entry.peer, direction);
  Result<void> resumed = receiver->Resume(entry);
  if (!resumed || receiver->state() == move::Receiver::State::kOver) receivers_.erase(entry.tenant);
  return resumed;
}

void Moves::ResumeWhenFree(const move::JournalEntry& entry) {
  fibers_.Spawn("resume move of " + entry.tenant, [this, entry] {
    while (!host_.stopping()) {
      changed_.WaitUntil(host_.core().Now() + limits::kFileInUseWait);
      const auto& entries = host_.journal().entries();
      const auto now = entries.find(entry.tenant);
      const bool goes_on = now != entries.end() && now->second.role == entry.role &&
                           now->second.move == entry.move && !IsMoving(entry.tenant);
      if (!goes_on || host_.stopping()) return;
      const Result<void> resumed = Resume(entry);
      if (resumed) return;
      if (resumed.error().code == sqlite::kFileInUseCode) continue;
      log::error("tenant {} is not served here: {}", entry.tenant, Describe(resumed.error()));
      return;
    }
  });
}

// A tenant whose pages did not all arrive before it was sent back: its map says which.
Result<LocalTenants::Use> Moves::OpenForReverse(const move::JournalEntry& entry, Epoch owned) {
  const std::string path = host_.TenantPath(entry.tenant);
  TW_TRY(sqlite::CheckDatabaseFile(host_.core().disk(), path));
  TW_TRY_ASSIGN(auto presence, sqlite::PresenceMap::Load(host_.core().disk(), path + "-presence"));
  TW_TRY_ASSIGN(auto store, sqlite::PageStore::Open(host_.core(), path, runtime::OpenMode::kExisting));
  store->SetPresence(std::move(presence), [](PageNumber) {});
  store->StopPulls();
  TW_TRY_ASSIGN(auto tenant, tenant::Tenant::Open(host_.core(), entry.tenant, std::move(store)));
  tenants_.Adopt(std::move(tenant), owned, {});
  return tenants_.Find(entry.tenant);
}

Result<void> Moves::ResumeSender(const move::JournalEntry& entry) {
  // The epoch of `dual` is the new owner's: a gateway that took it for ours would wait for one beyond it.
  const Epoch owned{entry.role == move::Role::kDual ? entry.epoch.value - 1 : entry.epoch.value};
  if (!entry.reverse) tenants_.AddOwned(entry.tenant, owned);
  Result<LocalTenants::Use> found =
      entry.reverse ? OpenForReverse(entry, owned) : tenants_.Find(entry.tenant);
  if (!found) {
    // A request that opened it later would be served as if it had not been handed over.
    tenants_.CloseAndForget(entry.tenant, LocalTenants::Files::kStay);
    return Fail(std::move(found).error());
  }
  LocalTenants::Use use = std::move(*found);
  use->Park();
  cluster::MoveRecord record;
  record.id = entry.move;
  record.tenant = entry.tenant;
  record.source = entry.reverse ? entry.peer : host_.self();
  record.destination = entry.reverse ? host_.self() : entry.peer;
  record.started_at_ms = host_.core().UnixMilliseconds();
  const auto direction =
      entry.reverse ? move::Sender::Direction::kReverse : move::Sender::Direction::kForward;
  const auto sender =
      Run(entry.tenant, std::move(use), ReceiptFor(record, entry.epoch), {}, direction, entry.role).sender;
  // The catalog may be away, and pulls must be answered all the same.
  fibers_.Spawn("options of move " + entry.move, [this, sender] {
    const auto known = host_.catalog().GetMove(sender->id());
    const auto options =
        known ? move::ParseMoveOptions(known->options) : Result<move::MoveOptions>(Fail(known.error()));
    if (options)
      sender->Recall(*options, known->started_at_ms);
    else
      log::warn("move {}: what it was asked for is not known: {}", sender->id(), Describe(options.error()));
  });
  return {};
}

void Moves::StopPulls() {
  for (const auto& [tenant, receiver] : receivers_) receiver->StopPulls();
}

void Moves::Stop() {
  for (const auto& [channel, tenant] : channels_) channel->Close();
  for (const auto& [tenant, outgoing] : outgoing_) outgoing.sender->Stop();
  changed_.NotifyAll();
  WaitFor(changed_, [&] { return channels_.empty(); });
  for (const auto& [tenant, receiver] : receivers_) receiver->Join();
  fibers_.Join();
  receivers_.clear();
}

}  // namespace tradewind::node
