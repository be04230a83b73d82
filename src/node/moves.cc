#include "node/moves.h"

#include <fmt/format.h>

#include <array>

#include "base/limits.h"
#include "base/log.h"

namespace tradewind::node {

namespace {

MoveId NewMoveId(runtime::Core& core) {
  std::array<std::byte, 6> random;
  core.FillRandom(random);
  std::string id = "m";
  for (const std::byte byte : random) id += fmt::format("{:02x}", std::to_integer<int>(byte));
  return id;
}

}  // namespace

Moves::Moves(move::MoveHost& host, LocalTenants& tenants,
             std::function<void(const TenantName&)> end_idle_streams)
    : host_(host), tenants_(tenants), end_idle_streams_(std::move(end_idle_streams)), fibers_(host.core()) {}

Moves::~Moves() = default;

// -- Source
// ---------------------------------------------------------------------------------------------------------------

Result<move::Receipt> Moves::Start(const MoveRequest& request) {
  TW_TRY_ASSIGN(auto use, tenants_.Find(request.tenant));
  cluster::MoveRecord record;
  record.id = NewMoveId(host_.core());
  record.tenant = request.tenant;
  record.source = host_.self();
  record.destination = request.to;
  record.method = "zephyr";
  record.epoch_before = use.epoch();
  TW_TRY_ASSIGN(record, host_.catalog().BeginMove(record));

  move::Receipt start;
  start.id = record.id;
  start.tenant = record.tenant;
  start.source = record.source;
  start.destination = record.destination;
  start.epoch = record.epoch_before;
  start.started_at = host_.core().UnixMilliseconds();
  auto source = std::make_shared<move::Source>(host_, *use, start, request.options);
  sources_[request.tenant] = source;
  Run(source, request.tenant, std::move(use), std::nullopt);
  return source->receipt();
}

void Moves::Run(const std::shared_ptr<move::Source>& source, const TenantName& tenant, LocalTenants::Use use,
                std::optional<move::Role> resumed) {
  auto pinned = std::make_shared<LocalTenants::Use>(std::move(use));
  fibers_.Spawn("move of " + tenant, [this, source, tenant, resumed, pinned]() mutable {
    const auto outcome = resumed ? source->Resume(*resumed) : source->Run();
    pinned.reset();
    EndSource(tenant, outcome);
  });
}

void Moves::EndSource(const TenantName& tenant, move::Source::Outcome outcome) {
  sources_.erase(
      tenant);  // Its receipt looks into the tenant, which may go now; the catalog has the last one.
  if (outcome == move::Source::Outcome::kMoved) {
    end_idle_streams_(tenant);
    tenants_.CloseAndForget(tenant);
    Result<void> removed = tenants_.RemoveFiles(tenant);
    if (removed) removed = host_.journal().Erase(tenant);
    if (!removed)
      log::error("the moved tenant {} could not be removed here: {}", tenant, Describe(removed.error()));
  }
}

std::optional<std::string> Moves::LiveReceipt(const MoveId& id) const {
  for (const auto& [tenant, source] : sources_)
    if (const move::Receipt receipt = source->receipt(); receipt.id == id) return move::ToJson(receipt);
  return std::nullopt;
}

std::optional<std::string> Moves::LiveReceiptOf(const TenantName& tenant) const {
  const auto found = sources_.find(tenant);
  if (found == sources_.end()) return std::nullopt;
  return move::ToJson(found->second->receipt());
}

// -- Destination
// ----------------------------------------------------------------------------------------------------------

// A tenant that comes back finds its old copy here until that has been deleted; so does one whose last move
// was given up.
Result<void> Moves::AwaitRoom(const TenantName& tenant) {
  const runtime::TimePoint deadline = host_.core().Now() + limits::kReadyWait;
  const auto in_the_way = [&] {
    const auto found = destinations_.find(tenant);
    return tenants_.Has(tenant) ||
           (found != destinations_.end() && found->second->state() != move::Destination::State::kOver);
  };
  while (in_the_way()) {
    if (host_.core().Now() >= deadline || host_.stopping())
      return Fail(ErrorKind::kUnavailable, "COPY_IN_THE_WAY",
                  "an earlier copy of " + tenant + " is still being dropped here", "try again");
    runtime::SleepFor(limits::kLocatePause);
  }
  return {};
}

void Moves::ServeChannel(std::unique_ptr<move::PageChannel> channel) {
  ++channels_served_;
  const auto serve = [&]() -> Result<void> {
    TW_TRY_ASSIGN(const move::Message first, channel->ReceiveUntil(host_.core().Now() + limits::kNodeCall));
    const auto* offer = std::get_if<move::Offer>(&first);
    if (!offer) return Fail(ErrorKind::kCorrupt, "CHANNEL_CONFUSED", "a page channel begins with an offer");
    TW_TRY_ASSIGN(const auto record, host_.catalog().GetMove(offer->move));
    if (record.destination != host_.self() || record.tenant != offer->tenant || cluster::IsOver(record.state))
      return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "the catalog has no such move to this node");
    if (!offer->dual) TW_TRY(AwaitRoom(offer->tenant));
    auto found = destinations_.find(offer->tenant);
    if (found != destinations_.end() && found->second->move() != offer->move) found = destinations_.end();
    if (found == destinations_.end() && offer->dual)
      return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "this node has no copy for the move " + offer->move);
    if (found == destinations_.end())
      found = destinations_
                  .insert_or_assign(offer->tenant, std::make_shared<move::Destination>(
                                                       host_, offer->move, offer->tenant, offer->source))
                  .first;
    const std::shared_ptr<move::Destination> destination = found->second;
    channels_[offer->tenant] = channel.get();
    destination->Serve(*channel, *offer);
    if (const auto current = channels_.find(offer->tenant);
        current != channels_.end() && current->second == channel.get())
      channels_.erase(current);
    if (destination->state() == move::Destination::State::kOver ||
        destination->state() == move::Destination::State::kEmpty) {
      destination->Join();
      if (const auto current = destinations_.find(offer->tenant);
          current != destinations_.end() && current->second == destination)
        destinations_.erase(current);
    }
    return {};
  };
  if (Result<void> served = serve(); !served) {
    log::warn("a page channel: {}", Describe(served.error()));
    static_cast<void>(channel->Send(move::Failed{served.error().code, served.error().message}));
  }
  channel->Close();
  --channels_served_;
  channel_ended_.NotifyAll();
}

bool Moves::IsMoving(const TenantName& tenant) const {
  const auto found = destinations_.find(tenant);
  return sources_.contains(tenant) ||
         (found != destinations_.end() && found->second->state() != move::Destination::State::kOver);
}

Result<void> Moves::AwaitArrival(const TenantName& tenant, runtime::TimePoint deadline) {
  const auto found = destinations_.find(tenant);
  if (found == destinations_.end()) return {};
  const std::shared_ptr<move::Destination> destination = found->second;
  return destination->AwaitOwnership(deadline);
}

// -- Restart and end
// --------------------------------------------------------------------------------------------------------

Result<void> Moves::Resume(const move::JournalEntry& entry) {
  if (entry.role == move::Role::kSwapping || entry.role == move::Role::kDual) {
    // The epoch of `dual` is the new owner's: a gateway that took it for ours would wait for one beyond it.
    const Epoch owned{entry.role == move::Role::kDual ? entry.epoch.value - 1 : entry.epoch.value};
    tenants_.AddOwned(entry.tenant, owned);
    TW_TRY_ASSIGN(auto use, tenants_.Find(entry.tenant));
    use->Park();
    move::Receipt start;
    start.id = entry.move;
    start.tenant = entry.tenant;
    start.source = host_.self();
    start.destination = entry.peer;
    start.epoch = entry.epoch;
    start.started_at = host_.core().UnixMilliseconds();
    auto source = std::make_shared<move::Source>(host_, *use, start, move::MoveOptions{});
    sources_[entry.tenant] = source;
    Run(source, entry.tenant, std::move(use), entry.role);
    return {};
  }
  auto destination = std::make_shared<move::Destination>(host_, entry.move, entry.tenant, entry.peer);
  TW_TRY(destination->Resume(entry));
  if (destination->state() != move::Destination::State::kOver) destinations_[entry.tenant] = destination;
  return {};
}

void Moves::Stop() {
  for (const auto& [tenant, channel] : channels_) channel->Close();
  for (const auto& [tenant, source] : sources_) source->Stop();
  WaitFor(channel_ended_, [&] { return channels_served_ == 0; });
  for (const auto& [tenant, destination] : destinations_) destination->Join();
  fibers_.Join();
  destinations_.clear();
}

}  // namespace tradewind::node
