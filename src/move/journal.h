// What a node knows for sure about the tenants on its disk, whatever it last heard from anyone: one entry a
// tenant (journal_entry.h). The bytes are described in journal_format.h.
//
// Crash argument. Put() and Erase() return once their record is synced. A crash inside leaves the whole
// record or a torn tail, which was never acknowledged to anyone, and which the next start drops, keeping a
// copy of the file beside it. A record is never changed in place. The file is written anew, under another
// name that is then renamed, at each start, when it has grown while the node runs, and when a sync of it has
// failed. The rename happens after the new file is synced, and nothing is appended before the folder is synced
// after it: at any moment a whole journal with the same entries is there.
//
// Damage (a flipped bit, a part that is missing) of what was synced: the journal does not open and the file
// stays as it is, since a tenant that is forgotten is worse than a node that does not start.
// `tradewind node repair` makes a new one.
//
// A failing disk:
//   a write      The file has room beyond its end, so hardly any record needs room of the disk. A record
//                that finds none fails with DISK_FULL, and nothing of it counts; the next finds room when
//                there is some. The last part of the room is kept for what ends something (docs/files.md).
//   a sync       What the disk holds of the file is not known any more, so it is written anew, with the
//                records that the sync was to cover. If that fails too, they fail with JOURNAL_FAILED, and may
//                be on the disk or not until Settle() has succeeded, which every later call tries first.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "move/journal_entry.h"
#include "move/journal_format.h"
#include "runtime/core.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"

namespace tradewind::move {

inline constexpr std::string_view kJournalCorruptCode = "JOURNAL_CORRUPT";
inline constexpr std::string_view kJournalFailedCode = "JOURNAL_FAILED";

class Journal {
 public:
  // What to do without a file, or with an empty one.
  enum class Missing { kMake, kRefuse };

  // Fails with JOURNAL_CORRUPT, JOURNAL_MISSING or JOURNAL_FORMAT (all kCorrupt), and leaves the file as it
  // is; or as the disk does. Suspends.
  static Result<std::unique_ptr<Journal>> Open(runtime::Core& core, const std::string& path,
                                               Missing missing = Missing::kMake);
  // Makes a new journal with these entries, whatever is there; that must have been kept elsewhere. Suspends.
  static Result<void> WriteNew(runtime::Core& core, const std::string& path, const JournalEntries& entries);
  ~Journal();  // Requires: Close() has returned.
  // Seals the end, so that damage of the last record shows as well. Later calls fail. Suspends.
  void Close();

  // Put() requires a legal step between roles (journal_roles.h), and the pin of a core of this node.
  // Durable when they return; calls that wait at the same time share a sync. Suspend. Fail with DISK_FULL
  // (kTooLarge) or another error of the disk, and then a restart does not find the record; or with
  // JOURNAL_FAILED (kIo), and then it may find it until Settle() has succeeded.
  Result<void> Put(const JournalEntry& entry);
  Result<void> Erase(const TenantName& tenant);
  // Success: what the file holds is known, and is entries(). Does nothing as a rule. Suspends.
  Result<void> Settle();
  // What it says of a tenant, on any core as the three above; on another one than its own this suspends.
  std::optional<JournalEntry> Find(const TenantName& tenant) const;

  // On its own core. At the start all are pinned to a core of the node.
  const JournalEntries& entries() const { return entries_; }
  uint64_t size_bytes() const { return tail_.end; }  // Of head and records.

 private:
  struct Pending {
    JournalChange change;
    std::optional<Result<void>>* outcome;
  };

  Journal(runtime::Core& core, std::string path);
  Result<void> KeepEvidence(Bytes bytes) const;
  Result<void> PutHere(const JournalEntry& entry);
  Result<void> SettleHere();
  Result<void> Append(JournalChange change, bool begins);
  Result<void> MakeRoom(uint64_t record_bytes, bool begins);
  Result<void> GrowTo(uint64_t bytes);
  void SyncPending();
  void WriteSlot();
  Result<void> Rewrite(const JournalEntries& entries, uint64_t room_bytes);
  Result<void> RewriteWith(const std::vector<Pending>& batch);
  void RewriteIfGrown();
  void SealWhenQuiet();

  runtime::Core& core_;
  const std::string path_;
  std::unique_ptr<runtime::File> file_;
  JournalTail tail_;
  uint64_t synced_ = 0;    // Up to here the file is durable.
  uint64_t room_end_ = 0;  // Up to here it is zeros.
  uint64_t slot_ = 0;      // The number of the newest.
  bool slot_synced_ = true;
  uint64_t live_bytes_ = 0;  // What the file would be, written anew; as of the last time.
  uint64_t rewrite_at_bytes_ = 0;
  bool syncing_ = false;
  bool rewriting_ = false;
  bool distrusted_ = false;  // Its file is to be written anew before anything else.
  bool closed_ = false;
  bool sealing_ = false;
  runtime::TimePoint last_change_;
  runtime::WaitQueue changed_;  // A sync or a rewrite has ended.
  runtime::WaitQueue seal_wake_;
  std::vector<Pending> pending_;  // Written and not synced, in order.
  JournalEntries entries_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::move
