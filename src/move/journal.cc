#include "move/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "move/journal_roles.h"
#include "runtime/call_on.h"

namespace tradewind::move {

namespace {

constexpr uint64_t kWriteBytes = 256u << 10;  // Between two turns.
constexpr size_t kRecordsAtOnce = 1'000;
constexpr uint64_t kFreshRoomBytes = limits::kJournalReserveBytes + limits::kJournalRoomBytes;

// What begins something. The rest ends it, or is a step on the way to its end.
bool Begins(Role role) {
  return role == Role::kCreating || role == Role::kReceiving || role == Role::kSwapping ||
         role == Role::kReady;
}

std::string RepairCommand(const std::string& path) {
  return "make a new one from the tenants and the catalog: tradewind node repair --data " + FolderOf(path);
}

tl::unexpected<Error> Refusal(const std::string& path, const ParsedJournal& journal) {
  if (journal.state == ParsedJournal::State::kUnknown)
    return Fail(ErrorKind::kCorrupt, "JOURNAL_FORMAT",
                fmt::format("the journal {} holds {} at byte {}", path, journal.damage, journal.damaged_at),
                "run the version of tradewind that wrote it");
  return Fail(
      ErrorKind::kCorrupt, std::string(kJournalCorruptCode),
      fmt::format("the journal {} is damaged at byte {}: {}", path, journal.damaged_at, journal.damage),
      "keep the file, and " + RepairCommand(path));
}

Result<std::string> ReadWhole(runtime::Disk& disk, const std::string& path) {
  TW_TRY_ASSIGN(const auto file, disk.Open(path, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  std::string bytes(size, '\0');
  TW_TRY_ASSIGN(const size_t got, file->Read(0, std::as_writable_bytes(std::span(bytes))));
  bytes.resize(got);
  return bytes;
}

}  // namespace

Journal::Journal(runtime::Core& core, std::string path)
    : core_(core), path_(std::move(path)), fibers_(core) {}

Journal::~Journal() {
  TW_CHECK(closed_, "a journal goes away before it was closed");
}

// -- Open and close

Result<std::unique_ptr<Journal>> Journal::Open(runtime::Core& core, const std::string& path,
                                               Missing missing) {
  TW_TRY_ASSIGN(const bool exists, core.disk().Exists(path));
  std::string bytes;
  if (exists) {
    TW_TRY_ASSIGN(bytes, ReadWhole(core.disk(), path));
  }
  if (bytes.empty() && missing == Missing::kRefuse)
    return Fail(ErrorKind::kCorrupt, "JOURNAL_MISSING",
                fmt::format("the journal {} is {}, but there are files of tenants beside it", path,
                            exists ? "empty" : "missing"),
                "put it back, or " + RepairCommand(path));
  ParsedJournal parsed = ParseJournal(AsBytes(bytes));
  if (parsed.state == ParsedJournal::State::kDamaged || parsed.state == ParsedJournal::State::kUnknown)
    return Refusal(path, parsed);
  auto journal = std::unique_ptr<Journal>(new Journal(core, path));
  journal->closed_ = true;  // Until it is open.
  if (parsed.state == ParsedJournal::State::kTornTail) {
    log::warn("the journal {} ends at byte {}, since {}; {} bytes behind that are dropped", path,
              parsed.damaged_at, parsed.damage, bytes.size() - parsed.damaged_at);
    TW_TRY(journal->KeepEvidence(AsBytes(bytes)));
  }
  PinAll(parsed.entries, static_cast<uint32_t>(core.siblings().size()));
  journal->entries_ = parsed.entries;
  Result<void> written = journal->Rewrite(parsed.entries, kFreshRoomBytes);
  const bool goes_on = parsed.state == ParsedJournal::State::kWhole && parsed.format == 2 && !bytes.empty();
  if (!written && written.error().code == "DISK_FULL" && goes_on) {
    // A full disk is no reason not to start: the file has its reserve.
    TW_TRY_ASSIGN(journal->file_, core.disk().Open(path, runtime::OpenMode::kExisting));
    written = journal->file_->Sync();
    journal->tail_ = parsed.tail;
    journal->synced_ = parsed.tail.end;
    journal->slot_ = parsed.slot;
    journal->room_end_ = journal->live_bytes_ = bytes.size();
  }
  TW_TRY(written);
  journal->closed_ = false;
  return journal;
}

Result<void> Journal::WriteNew(runtime::Core& core, const std::string& path, const JournalEntries& entries) {
  auto journal = std::unique_ptr<Journal>(new Journal(core, path));
  journal->closed_ = true;
  return journal->Rewrite(entries, kFreshRoomBytes);
}

Result<void> Journal::KeepEvidence(Bytes bytes) const {
  const std::string prefix = path_.substr(path_.rfind('/') + 1) + ".torn-";
  TW_TRY_ASSIGN(std::vector<std::string> names, core_.disk().List(FolderOf(path_)));
  std::erase_if(names, [&](const std::string& name) { return !name.starts_with(prefix); });
  for (size_t i = 0; i + limits::kJournalEvidenceFiles <= names.size(); ++i)
    TW_TRY(core_.disk().Remove(FolderOf(path_) + "/" + names[i]));
  const std::string copy = fmt::format("{}.torn-{}", path_, core_.UnixMilliseconds());
  TW_TRY_ASSIGN(const auto file, core_.disk().Open(copy, runtime::OpenMode::kCreate));
  TW_TRY(file->Write(0, bytes));
  TW_TRY(file->Sync());
  TW_TRY(core_.disk().SyncDirectory(FolderOf(path_)));
  log::warn("the journal as it was found is kept as {}", copy);
  return {};
}

void Journal::Close() {
  if (std::exchange(closed_, true)) return;
  seal_wake_.NotifyAll();
  fibers_.Join();
  WaitFor(changed_, [this] { return !syncing_ && !rewriting_; });
  if (!slot_synced_ && !distrusted_) static_cast<void>(file_->Sync());
}

// -- Records

std::optional<JournalEntry> Journal::Find(const TenantName& tenant) const {
  return runtime::CallOn(core_, [&]() -> std::optional<JournalEntry> {
    const auto found = entries_.find(tenant);
    return found == entries_.end() ? std::nullopt : std::optional(found->second);
  });
}

Result<void> Journal::Put(const JournalEntry& entry) {
  return runtime::CallOn(core_, [&] { return PutHere(entry); });
}

Result<void> Journal::PutHere(const JournalEntry& entry) {
  const size_t cores = core_.siblings().size();
  TW_CHECK(entry.pin ? entry.pin->cores == cores && entry.pin->core < cores : cores == 1,
           "a tenant is in the journal and pinned to no core");
  const auto before = entries_.find(entry.tenant);
  TW_CHECK(IsLegal(before == entries_.end() ? std::nullopt : std::optional(before->second.role), entry.role),
           "an illegal step between the roles of a journal");
  return Append({entry.tenant, entry}, Begins(entry.role));
}

Result<void> Journal::Erase(const TenantName& tenant) {
  return runtime::CallOn(core_, [&] { return Append({tenant, std::nullopt}, false); });
}

Result<void> Journal::Append(JournalChange change, bool begins) {
  TW_TRY(SettleHere());
  // Nothing suspends from here to the end of the write.
  JournalTail next = tail_;
  const std::string record = EncodeJournalRecord(next, synced_, change);
  TW_TRY(MakeRoom(record.size(), begins));
  if (Result<void> written = file_->Write(tail_.end, AsBytes(record)); !written) {
    // Not all of it is there, so nothing of it counts; what is there the next one goes over.
    static_cast<void>(file_->Write(tail_.end, AsBytes(std::string(record.size(), '\0'))));
    return written;
  }
  tail_ = next;
  std::optional<Result<void>> outcome;
  pending_.push_back({std::move(change), &outcome});
  while (!outcome) {
    if (syncing_)
      changed_.Wait();
    else
      SyncPending();
  }
  return *outcome;
}

Result<void> Journal::MakeRoom(uint64_t record_bytes, bool begins) {
  const uint64_t wanted = tail_.end + record_bytes + (begins ? limits::kJournalReserveBytes : 0);
  const uint64_t with_reserve = tail_.end + record_bytes + limits::kJournalReserveBytes;
  if (with_reserve <= room_end_) return {};
  Result<void> grown = GrowTo(with_reserve + limits::kJournalRoomBytes);
  if (wanted <= room_end_) return {};
  if (!grown) grown = GrowTo(wanted);
  if (wanted <= room_end_) return {};
  Error error = grown.error();
  error.message = "the journal has no room for what begins: " + error.message;
  return Fail(std::move(error));
}

// Never suspends. When it fails, part of it may be there.
Result<void> Journal::GrowTo(uint64_t bytes) {
  const std::string zeros(bytes - room_end_, '\0');
  const Result<void> written = file_->Write(room_end_, AsBytes(zeros));
  const Result<uint64_t> size = file_->Size();
  room_end_ = written ? bytes : size ? std::max(room_end_, *size) : room_end_;
  return written;
}

// The fiber that calls it syncs for all that wait.
void Journal::SyncPending() {
  syncing_ = true;
  std::vector<Pending> batch = std::exchange(pending_, {});
  const uint64_t covered = tail_.end;
  Result<void> synced = file_->Sync();
  if (synced) {
    for (const Pending& pending : batch) Apply(pending.change, entries_);
    slot_synced_ = true;
    if (covered > synced_) {
      synced_ = covered;
      WriteSlot();
    }
  } else {
    log::warn("the journal is written anew, since a sync of it failed: {}", Describe(synced.error()));
    batch.insert(batch.end(), pending_.begin(), pending_.end());
    pending_.clear();
    distrusted_ = true;
    synced = RewriteWith(batch);
  }
  for (const Pending& pending : batch) *pending.outcome = synced;
  RewriteIfGrown();
  syncing_ = false;
  changed_.NotifyAll();
  SealWhenQuiet();
}

// Durable with the next sync. If it is lost before that, only the damage of the last records would be taken for
// a torn tail.
void Journal::WriteSlot() {
  const std::string slot = EncodeJournalSlot(tail_.file_id, slot_ + 1, synced_);
  if (!file_->Write(JournalSlotOffset(slot_ + 1), AsBytes(slot))) return;
  ++slot_;
  slot_synced_ = false;
}

void Journal::SealWhenQuiet() {
  last_change_ = core_.Now();
  if (slot_synced_ || closed_ || sealing_) return;
  sealing_ = true;
  fibers_.Spawn("seal " + path_, [this] {
    while (!closed_ && !slot_synced_) {
      const runtime::TimePoint due = last_change_ + limits::kJournalSealPause;
      if (core_.Now() < due)
        seal_wake_.WaitUntil(due);
      else if (syncing_)
        changed_.Wait();
      else if (!distrusted_)
        SyncPending();
      else if (!Settle())
        last_change_ = core_.Now();
    }
    sealing_ = false;
  });
}

// -- Writing anew

Result<void> Journal::Settle() {
  return runtime::CallOn(core_, [&] { return SettleHere(); });
}

Result<void> Journal::SettleHere() {
  while (rewriting_ || (distrusted_ && syncing_)) changed_.Wait();
  if (closed_)
    return Fail(ErrorKind::kIo, std::string(kJournalFailedCode), "the node's journal is closed", "try again");
  if (!distrusted_) return {};
  syncing_ = true;
  const Result<void> rewritten = RewriteWith({});
  syncing_ = false;
  changed_.NotifyAll();
  return rewritten;
}

Result<void> Journal::RewriteWith(const std::vector<Pending>& batch) {
  JournalEntries entries = entries_;
  for (const Pending& pending : batch) Apply(pending.change, entries);
  Result<void> rewritten = Rewrite(entries, kFreshRoomBytes);
  if (!rewritten && rewritten.error().code == "DISK_FULL") rewritten = Rewrite(entries, 0);
  if (rewritten) {
    entries_ = std::move(entries);
    return {};
  }
  log::error("the journal could not be written anew: {}", Describe(rewritten.error()));
  return Fail(ErrorKind::kIo, std::string(kJournalFailedCode),
              "the node's journal could not be synced, nor written anew: " + rewritten.error().message,
              "this is tried again; mend the disk, or free space on it");
}

// One that cannot be is tried again when it has grown by as much once more. Nothing changes the entries meanwhile: only
// who syncs does.
void Journal::RewriteIfGrown() {
  if (distrusted_ || !pending_.empty() || tail_.end < limits::kJournalRewriteBytes ||
      tail_.end < std::max(limits::kJournalRewriteFactor * live_bytes_, rewrite_at_bytes_))
    return;
  rewrite_at_bytes_ = tail_.end + limits::kJournalRewriteBytes;
  if (Result<void> rewritten = Rewrite(entries_, kFreshRoomBytes); !rewritten)
    log::warn("the journal could not be made shorter: {}", Describe(rewritten.error()));
}

// The old file stays in use until the new one has its name.
Result<void> Journal::Rewrite(const JournalEntries& entries, uint64_t room_bytes) {
  rewriting_ = true;
  const Result<void> rewritten = [&]() -> Result<void> {
    uint64_t file_id = 0;
    core_.FillRandom(std::as_writable_bytes(std::span(&file_id, 1)));
    JournalTail tail = NewJournalTail(file_id);
    std::string records;
    size_t encoded = 0;
    for (const auto& [tenant, entry] : entries) {
      records += EncodeJournalRecord(tail, kJournalStart, {tenant, entry});
      if (++encoded % kRecordsAtOnce == 0) runtime::Yield();
    }
    std::string content = EncodeJournalHead(file_id, tail.end) + records;
    content.resize(tail.end + room_bytes, '\0');
    runtime::Disk& disk = core_.disk();
    const std::string fresh = path_ + ".new";
    const auto write = [&]() -> Result<std::unique_ptr<runtime::File>> {
      TW_TRY(disk.Remove(fresh));
      TW_TRY_ASSIGN(auto file, disk.Open(fresh, runtime::OpenMode::kCreate));
      for (uint64_t offset = 0; offset < content.size(); offset += kWriteBytes) {
        TW_TRY(file->Write(offset, AsBytes(content).subspan(
                                       offset, std::min<uint64_t>(kWriteBytes, content.size() - offset))));
        runtime::Yield();
      }
      TW_TRY(file->Sync());
      return file;
    };
    auto file = write();
    if (!file) {
      static_cast<void>(disk.Remove(fresh));
      return Fail(std::move(file).error());
    }
    TW_TRY(disk.Rename(fresh, path_));
    // From here on it is the journal; but the old one may have the name again after a loss of power.
    file_ = std::move(*file);
    tail_ = tail;
    synced_ = tail.end;
    slot_ = 1;
    slot_synced_ = true;
    room_end_ = content.size();
    live_bytes_ = tail.end;
    rewrite_at_bytes_ = 0;
    distrusted_ = true;
    TW_TRY(disk.SyncDirectory(FolderOf(path_)));
    distrusted_ = false;
    return {};
  }();
  rewriting_ = false;
  changed_.NotifyAll();
  return rewritten;
}

}  // namespace tradewind::move
