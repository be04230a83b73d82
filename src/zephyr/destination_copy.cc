// The half of Destination that makes a copy, until it is ready: pages before the list, the list, what a restart
// finds of them.
#include <array>
#include <unordered_map>
#include <utility>

#include "base/limits.h"
#include "base/out_of_memory.h"
#include "base/path.h"
#include "move/host.h"
#include "sqlite/database_file.h"
#include "zephyr/destination.h"

namespace tradewind::zephyr {

using move::OutOfTurn;

namespace {

constexpr std::array<const char*, 4> kSuffixes = {"", "-wal", "-journal", "-presence"};

}  // namespace

Result<void> Destination::CheckOffer(Bytes part) const {
  TW_TRY_ASSIGN([[maybe_unused]] const CopyPart copy, DecodePart<CopyPart>(part));
  return {};
}

void Destination::ForgetCopy() {
  store_.reset();
  incoming_.reset();
  incoming_hashes_.clear();
  incoming_presence_.reset();
}

Result<void> Destination::Begin(Bytes part) {
  TW_TRY_ASSIGN(const CopyPart copy, DecodePart<CopyPart>(part));
  page_size_ = copy.page_size;
  ForgetCopy();
  if (is_reverse()) return BeginFrozen();
  for (const char* suffix : kSuffixes) TW_TRY(core_.disk().Remove(path_ + suffix));
  TW_TRY_ASSIGN(incoming_, core_.disk().Open(path_, runtime::OpenMode::kCreateExclusive));
  return sqlite::KeepOthersOut(core_, *incoming_, path_);
}

Result<void> Destination::BeginFrozen() {
  // The last connection has copied the WAL into the file, synced that and removed the WAL, but its name may
  // come back with a loss of power: its frames would hide what comes now.
  for (const char* suffix : {"-wal", "-journal"}) TW_TRY(core_.disk().Remove(path_ + suffix));
  TW_TRY(core_.disk().SyncDirectory(FolderOf(path_)));
  TW_TRY_ASSIGN(incoming_, core_.disk().Open(path_, runtime::OpenMode::kExisting));
  TW_TRY(sqlite::KeepOthersOut(core_, *incoming_, path_));
  // Pages of another size would go over others of the frozen copy.
  TW_TRY_ASSIGN(const uint32_t page_size, sqlite::PageSizeOf(*incoming_));
  if (page_size == page_size_) return {};
  incoming_.reset();
  return OutOfTurn("an offer of pages of another size");
}

Result<void> Destination::TakeInitPages(const Pages& pages) {
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
void Destination::ForgetCutPages(uint32_t page_count) {
  std::erase_if(incoming_hashes_, [&](const auto& one) { return one.first.value > page_count; });
}

// Lays the copy out and makes what has come durable, so that the list, during which requests wait, has little
// left to sync.
Result<void> Destination::TakePrepare(move::MoveChannel& channel, const Prepare& prepare) {
  if (is_reverse() || !incoming_ || incoming_presence_ || prepare.page_count == 0)
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
  move_.host.Reached(move::Step::kDestinationPrepared);
  return Send(channel, Prepared{});
}

// The disk has the data in hand while the map is made. That may be durable before the data that it speaks of:
// until the journal says ready, nobody believes it.
Result<void> Destination::SyncIncoming(const std::function<Result<void>()>& make_map) {
  Result<void> data, map;
  runtime::TaskGroup syncs(core_);
  syncs.Spawn("sync copy " + move_.tenant, [&] { data = incoming_->Sync(); });
  syncs.Spawn("sync map " + move_.tenant, [&] {
    map = OrOutOfMemory<void>([&]() -> Result<void> {
      TW_TRY(make_map());
      return incoming_presence_->Write(incoming_presence_->TakeChanges());
    });
  });
  syncs.Join();
  TW_TRY(data);
  return map;
}

// The map of exactly the list (docs/move.md, step 3).
Result<void> Destination::NoteListed(const ListPart& list) {
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

Result<void> Destination::MakeReady(uint64_t number, Bytes part) {
  TW_TRY_ASSIGN(const ListPart list, DecodePart<ListPart>(part));
  if (!incoming_ || (!incoming_presence_ && !is_reverse())) return OutOfTurn("a list");
  if (list.page_count == 0) return OutOfTurn("a list of something else");
  const bool same_map = incoming_presence_ && incoming_presence_->list() == number &&
                        incoming_presence_->SetPageCount(list.page_count);
  TW_TRY(incoming_->Truncate(uint64_t{list.page_count} * page_size_));
  ForgetCutPages(list.page_count);
  const auto make_map = [&]() -> Result<void> {
    if (!same_map) {
      TW_TRY_ASSIGN(incoming_presence_, sqlite::PresenceMap::Create(core_.disk(), PresencePath(), page_size_,
                                                                    list.page_count, number));
      TW_TRY(core_.disk().SyncDirectory(FolderOf(path_)));
    }
    return NoteListed(list);
  };
  TW_TRY(SyncIncoming(make_map));
  move_.host.Reached(move::Step::kDestinationSyncedList);
  incoming_.reset();
  incoming_hashes_.clear();
  list_ = number;
  return OpenStore(std::move(incoming_presence_));
}

Result<void> Destination::Drop() {
  ForgetCopy();
  for (const char* suffix : kSuffixes) TW_TRY(core_.disk().Remove(path_ + suffix));
  // A file that came back with a loss of power would be in the way of the tenant's next move for good.
  return core_.disk().SyncDirectory(FolderOf(path_));
}

// A copy that was ready and that nobody has opened since is as long as its map says; later on SQLite may cut it.
Result<void> Destination::Check(bool untouched) const {
  uint64_t least = 1;
  if (untouched) {
    TW_TRY_ASSIGN(const auto presence, sqlite::PresenceMap::Load(core_.disk(), PresencePath()));
    least = uint64_t{presence->page_count()} * presence->page_size();
  }
  return sqlite::CheckDatabaseFile(core_.disk(), path_, least);
}

Result<void> Destination::OpenStore(std::unique_ptr<sqlite::PresenceMap> presence) {
  TW_TRY_ASSIGN(store_, sqlite::PageStore::Open(core_, path_, runtime::OpenMode::kExisting));
  store_->SetPresence(std::move(presence), [this](PageNumber page) {
    pulls_.push_back(page);
    pull_wanted_.NotifyAll();
  });
  return {};
}

// The copy as it was made durable for the list.
Result<void> Destination::Load(uint64_t list) {
  if (store_) return {};
  TW_TRY_ASSIGN(auto presence, sqlite::PresenceMap::Load(core_.disk(), PresencePath()));
  // The journal says ready only once the map is of its list, and something else before that map goes.
  if (presence->list() != list)
    return Fail(ErrorKind::kCorrupt, "PRESENCE_MAP_CORRUPT",
                "the presence map of " + move_.tenant + " is not that of its list");
  page_size_ = presence->page_size();
  list_ = list;
  return OpenStore(std::move(presence));
}

}  // namespace tradewind::zephyr
