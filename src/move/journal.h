// What a node knows for sure about the tenants on its disk, whatever it last heard from anyone: one entry a
// tenant.
//
// File: records, one after the other: payload length u32, xxh3 of the payload u64 (little-endian), payload
// (JSON of an Entry, or {"erase": tenant}). The last record of a tenant counts. Opening writes the file
// anew with one record a tenant, under another name that is then renamed, so the file does not grow
// for ever.
//
// Crash argument. Put() and Erase() return once their record is synced. A crash inside leaves either the
// whole record or a torn tail that its hash gives away; the tail was never acknowledged to anyone, and is
// dropped. A record is never changed in place. The rename in Open() happens after the new file is synced, and
// the folder is synced after it: before or after, a whole journal with the same entries is there.
//
// Roles and what a restart makes of them (protocol.md; I1, I4, I5):
//   creating    the tenant is being made here: the catalog says whether it was
//   owned       the tenant is served at `epoch`, without asking the catalog
//   swapping    the sender may have sent the swap: it starts nothing, and repeats the swap until its answer
//               is known
//   dual        the swap happened: the sender answers pulls and pushes; it serves no one. The frozen copy
//               of a tenant that is coming back is `dual` too, until it is ready
//   deleting    the move is done: the copy here is deleted
//   receiving   a copy that no ready was sent for: it is deleted
//   ready       the copy of `list` is durable: neither served nor dropped until the catalog says owner or
//               cancelled
//   frozen      the tenant comes back to its source, whose copy is neither served nor dropped
//   owner       the receiver owns at `epoch`: it serves, and pulls what it lacks
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/core.h"
#include "runtime/disk.h"
#include "runtime/fiber.h"

namespace tradewind::move {

enum class Role { kCreating, kOwned, kSwapping, kDual, kDeleting, kReceiving, kReady, kOwner, kFrozen };

struct JournalEntry {
  TenantName tenant;
  Role role = Role::kOwned;
  Epoch epoch;
  MoveId move;           // Empty without one.
  NodeName peer;         // The other side of the move.
  uint64_t list = 0;     // Of `ready`.
  bool reverse = false;  // The move was turned round: its destination sends.
};

class Journal {
 public:
  // Reads, drops a torn tail, and writes the file anew. Suspends.
  static Result<std::unique_ptr<Journal>> Open(runtime::Core& core, const std::string& path);

  // Durable when they return; calls that wait at the same time share a sync. Suspend. After a failure the
  // node must not go on with what the entry was to allow.
  Result<void> Put(const JournalEntry& entry);
  Result<void> Erase(const TenantName& tenant);

  const std::map<TenantName, JournalEntry>& entries() const { return entries_; }

 private:
  Journal() = default;
  Result<void> Append(const std::string& payload);

  std::unique_ptr<runtime::File> file_;
  uint64_t end_ = 0;     // Written so far,
  uint64_t synced_ = 0;  // and durable.
  bool syncing_ = false;
  bool failed_ = false;
  runtime::WaitQueue sync_ended_;
  std::map<TenantName, JournalEntry> entries_;
};

}  // namespace tradewind::move
