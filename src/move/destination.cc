#include "move/destination.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace tradewind::move {

namespace {

constexpr uint64_t kOnlyList = 1;  // A source makes one list for a move; a second try is another move.

tl::unexpected<Error> OutOfTurn(const char* what) {
  return Fail(ErrorKind::kCorrupt, "CHANNEL_CONFUSED",
              std::string("the source sent ") + what + " out of turn");
}

uint32_t Percentile(std::vector<uint32_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

Destination::Destination(MoveHost& host, MoveId move, TenantName tenant, NodeName source)
    : host_(host),
      core_(host.core()),
      move_(std::move(move)),
      tenant_name_(std::move(tenant)),
      source_(std::move(source)),
      path_(host.TenantPath(tenant_name_)),
      fibers_(core_) {}

Destination::~Destination() = default;

void Destination::Join() {
  pull_wanted_.NotifyAll();
  state_changed_.NotifyAll();
  fibers_.Join();
}

JournalEntry Destination::Entry(Role role) const {
  return JournalEntry{tenant_name_, role, epoch_, move_, source_, list_};
}

// -- A connection
// -----------------------------------------------------------------------------------------------------------

void Destination::Serve(PageChannel& channel, const Offer& offer) {
  if (channel_) channel_->Close();
  channel_ = &channel;
  const auto run = [&]() -> Result<void> {
    if (offer.dual) {
      if (state_ == State::kReady) SpawnBecomeOwner(offer.epoch);
      if (state_ != State::kOwner && state_ != State::kReady)
        return Fail(ErrorKind::kRefused, "MOVE_UNKNOWN", "this node has no copy for the move " + move_);
    } else {
      if (state_ != State::kEmpty) return OutOfTurn("a second offer");
      TW_TRY(StartReceiving(offer));
    }
    TW_TRY_ASSIGN(const Hello hello, MakeHello());
    TW_TRY(channel.Send(hello));
    if (served_) pulls_ = served_->wanted();
    runtime::TaskGroup sender(core_);
    sender.Spawn("move pulls " + move_, [this] { SendPulls(); });
    Result<void> outcome;
    while (outcome && state_ != State::kOver) {
      Result<Message> message = channel.Receive();
      outcome = message ? Receive(channel, *message) : Result<void>(Fail(std::move(message).error()));
      // Pushes can come as fast as they are read: requests have their turn in between.
      runtime::Yield();
    }
    // Closing at once could take the last message with it: the source closes when it has read it.
    if (state_ == State::kOver && outcome) {
      const runtime::TimePoint deadline = core_.Now() + limits::kReconnectPause;
      while (channel.ReceiveUntil(deadline)) continue;
    }
    if (channel_ == &channel) channel_ = nullptr;
    channel.Close();
    pull_wanted_.NotifyAll();
    sender.Join();
    return outcome;
  };
  if (Result<void> outcome = run(); !outcome) {
    log::warn("move {} of {}, destination: {}", move_, tenant_name_, Describe(outcome.error()));
    static_cast<void>(channel.Send(Failed{outcome.error().code, outcome.error().message}));
  }
  if (channel_ == &channel) channel_ = nullptr;
  channel.Close();
  if (state_ == State::kReceiving) {  // No ready was sent: the source stays owner.
    if (Result<void> dropped = DropCopy(); !dropped)
      log::warn("move {}: {}", move_, Describe(dropped.error()));
  }
}

Result<void> Destination::Receive(PageChannel& channel, const Message& message) {
  if (const auto* pages = std::get_if<Pages>(&message)) {
    if (state_ != State::kReceiving && !served_) return OutOfTurn("pages");
    TW_TRY(state_ == State::kReceiving ? TakeInitPages(*pages) : TakePages(*pages));
    return channel.Send(Took{static_cast<uint32_t>(pages->contents.size())});
  }
  if (const auto* prepare = std::get_if<Prepare>(&message)) return TakePrepare(channel, *prepare);
  if (const auto* list = std::get_if<List>(&message)) return TakeList(channel, *list);
  if (const auto* own = std::get_if<Own>(&message)) {
    SpawnBecomeOwner(own->epoch);
    return {};
  }
  if (const auto* complete = std::get_if<Complete>(&message)) return TakeComplete(channel, *complete);
  return OutOfTurn("a message of the destination");
}

// The peer asks for what it lacks from here on; sent when a reader of the tenant waits for a page.
void Destination::SendPulls() {
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

// -- Init and the list
// --------------------------------------------------------------------------------------------------------

Result<void> Destination::StartReceiving(const Offer& offer) {
  if (offer.page_size < 512 || offer.page_size > 65536 || (offer.page_size & (offer.page_size - 1)) != 0)
    return Fail(ErrorKind::kCorrupt, "OFFER_CORRUPT", "the offer's page size is none of SQLite's");
  epoch_ = offer.epoch;
  page_size_ = offer.page_size;
  TW_TRY(host_.journal().Put(Entry(Role::kReceiving)));
  state_ = State::kReceiving;
  for (const char* suffix : {"", "-wal", "-journal", "-presence"})
    TW_TRY(core_.disk().Remove(path_ + suffix));
  TW_TRY_ASSIGN(incoming_, core_.disk().Open(path_, runtime::OpenMode::kCreateExclusive));
  return {};
}

Result<void> Destination::TakeInitPages(const Pages& pages) {
  if (pages.contents.size() != pages.numbers.size() * page_size_) return OutOfTurn("pages of another size");
  for (size_t index = 0; index < pages.numbers.size(); ++index) {
    const PageNumber page = pages.numbers[index];
    const Bytes content = Bytes(pages.contents).subspan(index * page_size_, page_size_);
    if (page.value == 0) return OutOfTurn("a page without a number");
    TW_TRY(incoming_->Write(uint64_t{page.value - 1} * page_size_, content));
    incoming_hashes_[page] = sqlite::HashPage(page, content);
  }
  return {};
}

// Lays the copy out and makes what has come durable, so that the list, during which requests wait, has little
// left to sync.
Result<void> Destination::TakePrepare(PageChannel& channel, const Prepare& prepare) {
  if (state_ != State::kReceiving) return OutOfTurn("a preparation");
  TW_TRY(incoming_->Truncate(uint64_t{prepare.page_count} * page_size_));
  TW_TRY_ASSIGN(incoming_presence_, sqlite::PresenceMap::Create(core_.disk(), PresencePath(), page_size_,
                                                                prepare.page_count, kOnlyList));
  TW_TRY(SyncIncoming());
  TW_TRY(core_.disk().SyncDirectory(path_.substr(0, path_.rfind('/'))));
  return channel.Send(Prepared{});
}

// The map may be durable before the data that it speaks of: until the journal says ready, nobody believes it.
Result<void> Destination::SyncIncoming() {
  Result<void> data, map;
  runtime::TaskGroup syncs(core_);
  syncs.Spawn("sync copy " + tenant_name_, [&] { data = incoming_->Sync(); });
  syncs.Spawn("sync map " + tenant_name_,
              [&] { map = incoming_presence_->Write(incoming_presence_->TakeChanges()); });
  syncs.Join();
  TW_TRY(data);
  return map;
}

Result<void> Destination::TakeList(PageChannel& channel, const List& list) {
  if (state_ != State::kReceiving || !incoming_presence_) return OutOfTurn("a list");
  if (list.number != kOnlyList) return OutOfTurn("another list");
  list_ = list.number;
  const auto handed = sqlite::PageSet::FromWords(list.handed);
  TW_TRY(incoming_->Truncate(uint64_t{list.page_count} * page_size_));
  if (!incoming_presence_->SetPageCount(list.page_count)) {
    TW_TRY_ASSIGN(incoming_presence_, sqlite::PresenceMap::Create(core_.disk(), PresencePath(), page_size_,
                                                                  list.page_count, list.number));
    TW_TRY(core_.disk().SyncDirectory(path_.substr(0, path_.rfind('/'))));
  }
  for (uint32_t value = 1; value <= list.page_count; ++value) {
    const PageNumber page{value};
    if (!handed.Has(page)) continue;
    const auto found = incoming_hashes_.find(page);
    if (found == incoming_hashes_.end()) return OutOfTurn("a list of pages that never came");
    incoming_presence_->NoteArrived(page, found->second);
  }
  // First the data and the map, then the journal, then the word: each speaks of what is durable before it.
  TW_TRY(SyncIncoming());
  incoming_.reset();
  incoming_hashes_.clear();
  TW_TRY_ASSIGN(store_, sqlite::PageStore::Open(core_, path_, runtime::OpenMode::kExisting));
  store_->SetPresence(std::move(incoming_presence_), [this](PageNumber page) {
    pulls_.push_back(page);
    pull_wanted_.NotifyAll();
  });
  TW_TRY(host_.journal().Put(Entry(Role::kReady)));
  state_ = State::kReady;
  state_changed_.NotifyAll();
  if (!watching_) fibers_.Spawn("watch catalog " + tenant_name_, [this] { WatchCatalog(); });
  return channel.Send(Ready{list_});
}

// -- Ownership
// ------------------------------------------------------------------------------------------------------------------

void Destination::WatchCatalog() {
  watching_ = true;
  while (state_ == State::kReady && !host_.stopping()) {
    // As a rule the source says so first.
    state_changed_.WaitUntil(core_.Now() + limits::kCatalogWatch);
    if (state_ != State::kReady || host_.stopping()) break;
    if (auto record = host_.catalog().GetTenant(tenant_name_);
        record && record->ownership.owner == host_.self() && record->ownership.epoch > epoch_) {
      if (Result<void> owner = BecomeOwner(record->ownership.epoch); !owner)
        log::error("move {} of {}: {}", move_, tenant_name_, Describe(owner.error()));
      continue;
    }
    auto record = host_.catalog().GetMove(move_);
    if (record && record->state == cluster::MoveState::kCancelled && state_ == State::kReady &&
        !becoming_owner_) {
      if (Result<void> dropped = DropCopy(); !dropped)
        log::warn("move {}: {}", move_, Describe(dropped.error()));
    }
  }
  watching_ = false;
}

Result<void> Destination::AwaitOwnership(runtime::TimePoint deadline) {
  while (state_ == State::kReady || state_ == State::kReceiving || becoming_owner_) {
    if (!state_changed_.WaitUntil(deadline))
      return Fail(ErrorKind::kUnavailable, "TENANT_MOVING", "the tenant is on its way to this node",
                  "try again");
  }
  return {};
}

// In a fiber of its own: opening the tenant may pull a page, which the fiber that calls this has to receive.
void Destination::SpawnBecomeOwner(Epoch epoch) {
  fibers_.Spawn("become owner " + tenant_name_, [this, epoch] {
    if (Result<void> owner = BecomeOwner(epoch); !owner)
      log::error("move {} of {}: {}", move_, tenant_name_, Describe(owner.error()));
  });
}

Result<void> Destination::BecomeOwner(Epoch epoch) {
  if (state_ == State::kOwner || state_ == State::kOver) return {};
  if (becoming_owner_) {
    WaitFor(state_changed_, [&] { return !becoming_owner_; });
    return {};
  }
  if (state_ != State::kReady || epoch <= epoch_) return OutOfTurn("ownership");
  becoming_owner_ = true;
  served_ = store_.get();
  Result<void> opened = OpenAsOwner(epoch);
  becoming_owner_ = false;
  state_changed_.NotifyAll();
  if (opened && channel_)
    static_cast<void>(channel_->Send(Owned{}));  // A broken channel shows when it is read.
  return opened;
}

Result<void> Destination::OpenAsOwner(Epoch epoch) {
  JournalEntry entry = Entry(Role::kOwner);
  entry.epoch = epoch;
  Result<void> noted;
  Result<std::unique_ptr<tenant::Tenant>> opened;
  // It serves only when both are done.
  runtime::TaskGroup steps(core_);
  steps.Spawn("note owner " + tenant_name_, [&] { noted = host_.journal().Put(entry); });
  opened = tenant::Tenant::Open(core_, tenant_name_, std::move(store_));
  steps.Join();
  if (!noted && opened) (*opened)->Close();
  TW_TRY(noted);
  TW_TRY_ASSIGN(auto tenant, std::move(opened));
  epoch_ = epoch;
  state_ = State::kOwner;
  host_.Adopt(std::move(tenant), epoch, [weak = weak_from_this()] {
    const std::shared_ptr<Destination> self = weak.lock();
    if (!self || self->state_ != State::kOwner) return;
    self->fibers_.Spawn("first served " + self->tenant_name_, [self] {
      if (self->channel_) static_cast<void>(self->channel_->Send(FirstServed{}));
    });
  });
  return {};
}

Result<void> Destination::DropCopy() {
  store_.reset();
  incoming_.reset();
  incoming_presence_.reset();
  for (const char* suffix : {"", "-wal", "-journal", "-presence"})
    TW_TRY(core_.disk().Remove(path_ + suffix));
  TW_TRY(host_.journal().Erase(tenant_name_));
  state_ = State::kOver;
  state_changed_.NotifyAll();
  return {};
}

Result<void> Destination::Resume(const JournalEntry& entry) {
  epoch_ = entry.epoch;
  list_ = entry.list;
  if (entry.role == Role::kReceiving) return DropCopy();
  TW_TRY_ASSIGN(auto presence, sqlite::PresenceMap::Load(core_.disk(), PresencePath()));
  page_size_ = presence->page_size();
  if (entry.role == Role::kReady && presence->list() != entry.list)
    return Fail(ErrorKind::kCorrupt, "PRESENCE_MAP_CORRUPT",
                "the presence map of " + tenant_name_ + " is not that of its list");
  TW_TRY_ASSIGN(store_, sqlite::PageStore::Open(core_, path_, runtime::OpenMode::kExisting));
  store_->SetPresence(std::move(presence), [this](PageNumber page) {
    pulls_.push_back(page);
    pull_wanted_.NotifyAll();
  });
  state_ = State::kReady;
  if (entry.role == Role::kReady) {
    fibers_.Spawn("watch catalog " + tenant_name_, [this] { WatchCatalog(); });
    return {};
  }
  served_ = store_.get();
  TW_TRY(OpenAsOwner(entry.epoch));
  fibers_.Spawn("watch move " + move_, [this] { WatchForDone(); });
  return {};
}

void Destination::WatchForDone() {
  while (state_ == State::kOwner && !host_.stopping()) {
    auto record = host_.catalog().GetMove(move_);
    if (record && record->state != cluster::MoveState::kDone) return;  // The source comes back and goes on.
    if (record && state_ == State::kOwner) {
      if (Result<void> ended = EndMove(); !ended) log::error("move {}: {}", move_, Describe(ended.error()));
      return;
    }
    state_changed_.WaitUntil(core_.Now() + limits::kCatalogWatch);
  }
}

// -- Dual and finish
// --------------------------------------------------------------------------------------------------------------

Result<Hello> Destination::MakeHello() const {
  Hello hello;
  const sqlite::PageStore* const store = active_store();
  if (!store || !store->presence()) return hello;
  hello.owner = true;
  hello.arrived = store->presence()->Arrived().words();
  hello.present = store->presence()->Present().words();
  return hello;
}

Result<void> Destination::TakePages(const Pages& pages) {
  if (pages.contents.size() != pages.numbers.size() * page_size_) return OutOfTurn("pages of another size");
  for (size_t index = 0; index < pages.numbers.size(); ++index) {
    const PageNumber page = pages.numbers[index];
    const Bytes content = Bytes(pages.contents).subspan(index * page_size_, page_size_);
    if (page.value == 0) return OutOfTurn("a page without a number");
    TW_TRY(served_->Arrive(page, content, sqlite::HashPage(page, content)));
  }
  unsynced_bytes_ += pages.contents.size();
  if (unsynced_bytes_ >= limits::kPresenceSyncBytes && !syncing_) SyncInBackground();
  return {};
}

// Keeps the last sync short, and what a crash would have to be sent again little.
void Destination::SyncInBackground() {
  syncing_ = true;
  unsynced_bytes_ = 0;
  fibers_.Spawn("presence sync " + tenant_name_, [this] {
    if (served_->presence())
      if (Result<void> synced = served_->SyncPresence(); !synced)
        log::error("move {}: {}", move_, Describe(synced.error()));
    syncing_ = false;
    state_changed_.NotifyAll();
  });
}

Done Destination::MakeDone() const {
  const auto& counters = served_->pull_counters();
  std::vector<uint32_t> latencies = counters.latencies_us;
  std::sort(latencies.begin(), latencies.end());
  return Done{counters.pulls, Percentile(latencies, 0.5), Percentile(latencies, 0.99)};
}

Result<void> Destination::TakeComplete(PageChannel& channel, const Complete& complete) {
  if (state_ != State::kOwner) return OutOfTurn("its end");
  WaitFor(state_changed_, [&] { return !syncing_; });
  const sqlite::PresenceMap* presence = served_->presence();
  if (!presence || complete.pages != presence->page_count()) return OutOfTurn("the end of another file");
  if (!presence->complete())
    return Fail(ErrorKind::kUnavailable, "PAGES_MISSING",
                std::to_string(presence->missing()) + " pages have not arrived");
  if (complete.sum != presence->arrived_sum())
    return Fail(ErrorKind::kCorrupt, "HASH_MISMATCH",
                "the pages at the two nodes differ; the source keeps its copy",
                "keep both nodes as they are and report this");
  TW_TRY(served_->SyncPresence());
  // A repeat after a lost answer finds the state as it wanted it.
  TW_TRY_ASSIGN(const auto recorded, host_.catalog().SetMoveState(move_, cluster::MoveState::kForward,
                                                                  cluster::MoveState::kDone, ""));
  if (!recorded.Shows(cluster::MoveState::kDone))
    return Fail(ErrorKind::kRefused, "MOVE_NOT_FORWARD",
                "the catalog has the move as " + std::string(cluster::MoveStateName(recorded.record.state)));
  const Done done = MakeDone();
  TW_TRY(EndMove());
  return channel.Send(done);
}

// The catalog says done: the tenant is an ordinary one. Requires: everything is present and durable.
Result<void> Destination::EndMove() {
  TW_TRY(host_.journal().Put(Entry(Role::kOwned)));
  served_->DropPresence();
  served_ = nullptr;
  state_ = State::kOver;
  state_changed_.NotifyAll();
  pull_wanted_.NotifyAll();
  return core_.disk().Remove(PresencePath());
}

}  // namespace tradewind::move
