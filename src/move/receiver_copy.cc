// The half of Receiver that makes a copy, until it is ready: pages before the list, the list, what a restart
// finds of them.
#include <array>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "move/receiver.h"
#include "sqlite/database_file.h"
#include "sqlite/error_code.h"

namespace tradewind::move {

namespace {

constexpr std::array<const char*, 4> kSuffixes = {"", "-wal", "-journal", "-presence"};

// A copy that was ready and that nobody has opened since is as long as its map says; later on SQLite may cut it.
Result<void> CheckCopy(runtime::Disk& disk, const std::string& path, const std::string& presence_path,
                       bool untouched) {
  uint64_t least = 1;
  if (untouched) {
    TW_TRY_ASSIGN(const auto presence, sqlite::PresenceMap::Load(disk, presence_path));
    least = uint64_t{presence->page_count()} * presence->page_size();
  }
  return sqlite::CheckDatabaseFile(disk, path, least);
}

}  // namespace

// A sender that begins anew has not sent the swap, so what was made for an earlier list is void.
Result<void> Receiver::StartReceiving(const Offer& offer) {
  if (offer.page_size < 512 || offer.page_size > 65536 || (offer.page_size & (offer.page_size - 1)) != 0)
    return Fail(ErrorKind::kCorrupt, "OFFER_CORRUPT", "the offer's page size is none of SQLite's");
  epoch_ = offer.epoch;
  page_size_ = offer.page_size;
  TW_TRY(host_.journal().Put(Entry(Role::kReceiving)));
  Enter(State::kReceiving);
  host_.Reached(Step::kDestinationNotedReceiving);
  store_.reset();
  incoming_hashes_.clear();
  incoming_presence_.reset();
  for (const char* suffix : kSuffixes) TW_TRY(core_.disk().Remove(path_ + suffix));
  TW_TRY_ASSIGN(incoming_, core_.disk().Open(path_, runtime::OpenMode::kCreateExclusive));
  TW_TRY(sqlite::KeepOthersOut(core_, *incoming_, path_));
  return {};
}

// From here on the file is changed, so it is no sender's any more.
Result<void> Receiver::StartFrozen(const Offer& offer) {
  page_size_ = offer.page_size;
  epoch_ = offer.epoch;
  TW_TRY(host_.journal().Put(Entry(Role::kFrozen)));
  Enter(State::kFrozen);
  host_.Reached(Step::kDestinationNotedReceiving);
  store_.reset();
  incoming_hashes_.clear();
  incoming_presence_.reset();
  // The last connection has copied the WAL into the file, synced that and removed the WAL, but its name may
  // come back with a loss of power: its frames would hide what comes now.
  for (const char* suffix : {"-wal", "-journal"}) TW_TRY(core_.disk().Remove(path_ + suffix));
  TW_TRY(core_.disk().SyncDirectory(FolderOf(path_)));
  TW_TRY_ASSIGN(incoming_, core_.disk().Open(path_, runtime::OpenMode::kExisting));
  TW_TRY(sqlite::KeepOthersOut(core_, *incoming_, path_));
  return CheckPageSize(offer);
}

// Pages of another size would go over others of the frozen copy.
Result<void> Receiver::CheckPageSize(const Offer& offer) {
  TW_TRY_ASSIGN(const uint32_t page_size, sqlite::PageSizeOf(*incoming_));
  if (page_size == offer.page_size) return {};
  incoming_.reset();
  return OutOfTurn("an offer of pages of another size");
}

Result<void> Receiver::TakeInitPages(const Pages& pages) {
  if (!incoming_ || pages.contents.size() != pages.numbers.size() * page_size_)
    return OutOfTurn("pages of another size");
  const Bytes contents(pages.contents);
  for (size_t at = 0; at < pages.numbers.size();) {
    if (pages.numbers[at].value == 0 || pages.numbers[at].value > kMostPages)
      return OutOfTurn("pages of another file");
    size_t run = 1;
    while (at + run < pages.numbers.size() && pages.numbers[at + run].value == pages.numbers[at].value + run)
      ++run;
    TW_TRY(incoming_->Write(uint64_t{pages.numbers[at].value - 1} * page_size_,
                            contents.subspan(at * page_size_, run * page_size_)));
    // Single pages are left to the sync: a disk that is sent them one by one is slower, and so are the writes
    // beside it.
    if (run > 1) NoteWritten(run * page_size_);
    for (const size_t end = at + run; at < end; ++at)
      incoming_hashes_[pages.numbers[at]] =
          sqlite::HashPage(pages.numbers[at], contents.subspan(at * page_size_, page_size_));
  }
  return {};
}

// The file was cut: what had come past its end has to come again.
void Receiver::ForgetCutPages(uint32_t page_count) {
  std::erase_if(incoming_hashes_, [&](const auto& one) { return one.first.value > page_count; });
}

// Lays the copy out and makes what has come durable, so that the list, during which requests wait, has little
// left to sync.
Result<void> Receiver::TakePrepare(PageChannel& channel, const Prepare& prepare) {
  if (state_ != State::kReceiving || !incoming_ || incoming_presence_ || prepare.page_count == 0)
    return OutOfTurn("a preparation");
  TW_TRY(incoming_->Truncate(uint64_t{prepare.page_count} * page_size_));
  ForgetCutPages(prepare.page_count);
  const auto make_map = [&]() -> Result<void> {
    TW_TRY_ASSIGN(incoming_presence_, sqlite::PresenceMap::Create(core_.disk(), PresencePath(), page_size_,
                                                                  prepare.page_count, list_ + 1));
    // Nobody believes it yet; what the list does not hold is forgotten again.
    for (const auto& [page, hash] : incoming_hashes_)
      if (page.value <= prepare.page_count) incoming_presence_->NoteArrived(page, hash);
    return {};
  };
  TW_TRY(SyncIncoming(make_map));
  TW_TRY(core_.disk().SyncDirectory(FolderOf(path_)));
  host_.Reached(Step::kDestinationPrepared);
  return channel.Send(Prepared{});
}

// The disk has the data in hand while the map is made. That may be durable before the data that it speaks of:
// until the journal says ready, nobody believes it.
Result<void> Receiver::SyncIncoming(const std::function<Result<void>()>& make_map) {
  Result<void> data, map;
  runtime::TaskGroup syncs(core_);
  syncs.Spawn("sync copy " + tenant_name_, [&] { data = incoming_->Sync(); });
  syncs.Spawn("sync map " + tenant_name_, [&] {
    map = sqlite::OrOutOfMemory<void>([&]() -> Result<void> {
      TW_TRY(make_map());
      return incoming_presence_->Write(incoming_presence_->TakeChanges());
    });
  });
  syncs.Join();
  TW_TRY(data);
  return map;
}

// The map of exactly the list (protocol.md step 3).
Result<void> Receiver::NoteListed(const List& list) {
  const auto handed = sqlite::PageSet::FromWords(list.handed);
  const auto free = sqlite::PageSet::FromWords(list.free);
  sqlite::PresenceMap& map = *incoming_presence_;
  for (const auto& [page, hash] : incoming_hashes_)
    if (page.value <= list.page_count && (!handed.Has(page) || free.Has(page) || map.HashOf(page) != hash))
      map.Forget(page);
  bool complete = true;
  handed.ForEach([&](PageNumber page) {
    if (page.value == 0 || page.value > list.page_count) return;
    if (free.Has(page)) {
      map.NoteArrived(page, sqlite::HashPage(page, {}));
    } else if (const auto found = incoming_hashes_.find(page); found != incoming_hashes_.end()) {
      map.NoteArrived(page, found->second);
    } else if (is_reverse()) {
      map.NoteWrittenHere(page);  // Before the move, and not written since.
    } else {
      complete = false;
    }
  });
  return complete ? Result<void>() : OutOfTurn("a list of pages that never came");
}

Result<void> Receiver::TakeList(PageChannel& channel, const List& list) {
  if (!is_filling() || !incoming_ || (!incoming_presence_ && !is_reverse())) return OutOfTurn("a list");
  if (list.number <= list_) return OutOfTurn("a list that came before");
  if (list.epoch != epoch_ || list.page_count == 0) return OutOfTurn("a list of something else");
  const bool same_map = incoming_presence_ && incoming_presence_->list() == list.number &&
                        incoming_presence_->SetPageCount(list.page_count);
  TW_TRY(incoming_->Truncate(uint64_t{list.page_count} * page_size_));
  ForgetCutPages(list.page_count);
  const auto make_map = [&]() -> Result<void> {
    if (!same_map) {
      TW_TRY_ASSIGN(incoming_presence_, sqlite::PresenceMap::Create(core_.disk(), PresencePath(), page_size_,
                                                                    list.page_count, list.number));
      TW_TRY(core_.disk().SyncDirectory(FolderOf(path_)));
    }
    return NoteListed(list);
  };
  // First the data and the map, then the journal, then the word: each speaks of what is durable before it.
  TW_TRY(SyncIncoming(make_map));
  host_.Reached(Step::kDestinationSyncedList);
  incoming_.reset();
  incoming_hashes_.clear();
  TW_TRY(OpenStore(std::move(incoming_presence_)));
  list_ = list.number;
  TW_TRY(host_.journal().Put(Entry(Role::kReady)));
  host_.Reached(Step::kDestinationNotedReady);
  Enter(State::kReady);
  if (!watching_) fibers_.Spawn("watch catalog " + tenant_name_, [this] { WatchCatalog(); });
  TW_TRY(channel.Send(Ready{list_}));
  host_.Reached(Step::kDestinationSentReady);
  return {};
}

Result<void> Receiver::OpenStore(std::unique_ptr<sqlite::PresenceMap> presence) {
  TW_TRY_ASSIGN(store_, sqlite::PageStore::Open(core_, path_, runtime::OpenMode::kExisting));
  store_->SetPresence(std::move(presence), [this](PageNumber page) {
    pulls_.push_back(page);
    pull_wanted_.NotifyAll();
  });
  return {};
}

// Never a frozen copy: it is the newest version of most pages (I5).
Result<void> Receiver::DropCopy() {
  TW_CHECK(!is_reverse(), "the copy of a tenant that comes back is dropped");
  // What is ready cannot be missing, so the journal goes first. A `ready` that failed must not be there either.
  TW_TRY(host_.journal().Settle());
  if (state_ == State::kReady) TW_TRY(host_.journal().Put(Entry(Role::kReceiving)));
  store_.reset();
  incoming_.reset();
  incoming_presence_.reset();
  for (const char* suffix : kSuffixes) TW_TRY(core_.disk().Remove(path_ + suffix));
  // A file that came back with a loss of power would be in the way of the tenant's next move for good.
  TW_TRY(core_.disk().SyncDirectory(FolderOf(path_)));
  TW_TRY(host_.journal().Erase(tenant_name_));
  Enter(State::kOver);
  return {};
}

// The copy as it was made durable for the list.
Result<void> Receiver::OpenFromDisk() {
  TW_TRY_ASSIGN(auto presence, sqlite::PresenceMap::Load(core_.disk(), PresencePath()));
  // The journal says ready only once the map is of its list, and something else before that map goes.
  if (presence->list() != list_)
    return Fail(ErrorKind::kCorrupt, "PRESENCE_MAP_CORRUPT",
                "the presence map of " + tenant_name_ + " is not that of its list");
  page_size_ = presence->page_size();
  return OpenStore(std::move(presence));
}

Result<void> Receiver::Resume(const JournalEntry& entry) {
  epoch_ = entry.epoch;
  list_ = entry.list;
  if (entry.role == Role::kReceiving) return DropCopy();
  if (entry.role == Role::kFrozen) return {};
  TW_TRY(CheckCopy(core_.disk(), path_, PresencePath(), entry.role == Role::kReady));
  TW_TRY(OpenFromDisk());
  state_ = State::kReady;
  if (entry.role == Role::kReady) {
    fibers_.Spawn("watch catalog " + tenant_name_, [this] { WatchCatalog(); });
    return {};
  }
  served_ = store_.get();
  mismatch_ = entry.role == Role::kMismatch;
  TW_TRY(OpenAsOwner(entry.epoch));
  SpawnWatchForEnd();
  return {};
}

}  // namespace tradewind::move
