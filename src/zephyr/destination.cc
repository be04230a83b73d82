#include "zephyr/destination.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/nearest_rank.h"
#include "base/out_of_memory.h"
#include "move/host.h"
#include "tenant/tenant.h"

namespace tradewind::zephyr {

using move::OutOfTurn;

Destination::Destination(const move::DestinationMove& move)
    : move_(move), core_(move.host.core()), path_(move.host.TenantPath(move.tenant)), fibers_(core_) {}

Destination::~Destination() = default;

void Destination::StopWaits() {
  if (sqlite::PageStore* const store = served_ ? served_ : store_.get()) store->arrival().StopPulls();
}

// -- A channel

void Destination::BeginChannel(move::MoveChannel& channel) {
  channel_ = &channel;
  if (served_) pulls_ = served_->arrival().wanted();
  puller_.emplace(core_);
  puller_->Spawn("move pulls " + move_.move, [this, &channel] { SendPulls(channel); });
}

void Destination::EndChannel() {
  channel_ = nullptr;
  pull_wanted_.NotifyAll();
  if (puller_) puller_->Join();
  puller_.reset();
  rehashed_.reset();
}

// The source is asked for what is lacking from here on, when a reader of the tenant waits for a page.
void Destination::SendPulls(move::MoveChannel& channel) {
  while (channel_ == &channel) {
    if (pulls_.empty()) {
      pull_wanted_.Wait();
      continue;
    }
    const PageNumber page = pulls_.front();
    pulls_.erase(pulls_.begin());
    if (!Send(channel, Pull{page})) return;
  }
}

move::Part Destination::Greet() const {
  const sqlite::PageStore* const store = active_store();
  if (!store || !store->arrival().presence()) return {};
  return EncodePart(GreetingPart{store->arrival().presence()->Arrived().words(),
                                 store->arrival().presence()->Present().words()});
}

Result<void> Destination::Take(move::MoveChannel& channel, move::EngineMessage raw) {
  TW_TRY_ASSIGN(const Message message, Decode(std::move(raw)));
  if (const auto* pages = std::get_if<Pages>(&message)) {
    if (!incoming_ && !served_) return OutOfTurn("pages");
    TW_TRY(incoming_ ? TakeInitPages(*pages) : TakePages(*pages));
    if (!pages->pushed) return {};
    return Send(channel, Ack{static_cast<uint32_t>(pages->contents.size())});
  }
  if (const auto* prepare = std::get_if<Prepare>(&message)) return TakePrepare(channel, *prepare);
  return OutOfTurn("a message of a destination");
}

// -- Ownership

Result<std::unique_ptr<tenant::HostedTenant>> Destination::Open() {
  TW_TRY_ASSIGN(auto tenant, tenant::Tenant::Open(core_, move_.tenant, std::move(store_)));
  return std::unique_ptr<tenant::HostedTenant>(std::move(tenant));
}

Result<void> Destination::TakePages(const Pages& pages) {
  if (pages.contents.size() != pages.numbers.size() * page_size_) return OutOfTurn("pages of another size");
  if (!served_->arrival().presence()) return OutOfTurn("pages after the end");
  for (const PageNumber page : pages.numbers)
    if (page.value < 1 || page.value > served_->arrival().presence()->page_count())
      return OutOfTurn("pages of another file");
  TW_TRY(served_->arrival().Arrive(pages.numbers, pages.contents));
  if (!has_half_ &&
      served_->arrival().presence()->missing() <= served_->arrival().presence()->page_count() / 2) {
    has_half_ = true;
    move_.host.Reached(move::Step::kDestinationHasHalf);
  }
  unsynced_bytes_ += pages.contents.size();
  NoteWritten(pages.contents.size());
  if (unsynced_bytes_ >= limits::kPresenceSyncBytes && !syncing_) SyncInBackground();
  return {};
}

void Destination::NoteWritten(uint64_t bytes) {
  unwritten_bytes_ += bytes;
  if (unwritten_bytes_ >= limits::kWritebackBytes && !writing_back_) WriteBackInBackground();
}

// A steady trickle instead of a flood at each sync, which commits of the same disk would have to wait for.
void Destination::WriteBackInBackground() {
  writing_back_ = true;
  unwritten_bytes_ = 0;
  fibers_.Spawn("write back " + move_.tenant, [this, copy = incoming_] {
    if (copy)
      copy->StartWriteback();
    else if (served_)
      served_->StartWriteback();
    writing_back_ = false;
    background_.NotifyAll();
  });
}

// Keeps the last sync short, and what a crash would have to be sent again little.
void Destination::SyncInBackground() {
  syncing_ = true;
  unsynced_bytes_ = 0;
  fibers_.Spawn("presence sync " + move_.tenant, [this] {
    if (served_ && served_->arrival().presence())
      if (Result<void> synced = served_->SyncPresence(); !synced)
        log::error("move {}: {}", move_.move, Describe(synced.error()));
    syncing_ = false;
    background_.NotifyAll();
  });
}

// -- The end

Result<bool> Destination::HasAll(Bytes completion) {
  TW_TRY_ASSIGN(const SumPart sum, DecodePart<SumPart>(completion));
  const sqlite::PresenceMap* const presence = served_ ? served_->arrival().presence() : nullptr;
  if (!presence || sum.pages != presence->page_count()) return OutOfTurn("the end of another file");
  return presence->complete() && presence->arrived() >= sum.sent;
}

bool Destination::Agrees(Bytes completion) const {
  const auto theirs = DecodePart<SumPart>(completion);
  if (!theirs) return false;
  if (rehashed_) return theirs->sum == std::accumulate(rehashed_->begin(), rehashed_->end(), uint64_t{0});
  const sqlite::PresenceMap* const presence = served_ ? served_->arrival().presence() : nullptr;
  return presence && theirs->sum == presence->arrived_sum();
}

Result<void> Destination::MakeSumAnew() {
  if (!served_ || !served_->arrival().presence())
    return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN",
                "this node has no copy to compare for the move " + move_.move);
  TW_TRY_ASSIGN(rehashed_, served_->arrival().RehashArrived());
  return {};
}

Result<void> Destination::MakeDurable() {
  WaitFor(background_, [this] { return !syncing_; });
  if (!served_) return OutOfTurn("the end of a move that is over");
  return served_->SyncPresence();
}

Result<void> Destination::SendDifference(move::MoveChannel& channel) {
  std::vector<uint64_t> hashes = rehashed_.value_or(std::vector<uint64_t>());
  if (const sqlite::PresenceMap* map = served_ ? served_->arrival().presence() : nullptr; map && !rehashed_)
    for (uint32_t value = 1; value <= map->page_count(); ++value)
      hashes.push_back(map->HashOf(PageNumber{value}));
  constexpr size_t kPart = 64u << 10;
  for (size_t at = 0; at < hashes.size(); at += kPart) {
    const auto from = hashes.begin() + static_cast<ptrdiff_t>(at);
    const size_t count = std::min(kPart, hashes.size() - at);
    TW_TRY(Send(channel, Hashes{PageNumber{static_cast<uint32_t>(at + 1)},
                                std::vector<uint64_t>(from, from + static_cast<ptrdiff_t>(count))}));
  }
  return {};
}

move::Part Destination::DescribeDone() const {
  if (!served_) return EncodePart(FiguresPart{});
  const auto& counters = served_->arrival().pull_counters();
  std::vector<uint32_t> latencies = counters.latencies_us;
  std::sort(latencies.begin(), latencies.end());
  const auto percentile = [&](double share) { return latencies.empty() ? 0 : NearestRank(latencies, share); };
  return EncodePart(FiguresPart{counters.pulls, percentile(0.5), percentile(0.99)});
}

void Destination::Settle() {
  WaitFor(background_, [this] { return !syncing_ && !writing_back_; });
}

Result<void> Destination::End() {
  if (sqlite::PageStore* const served = std::exchange(served_, nullptr)) served->arrival().DropPresence();
  return core_.disk().Remove(PresencePath());
}

}  // namespace tradewind::zephyr
