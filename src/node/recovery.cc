#include "node/recovery.h"

#include <map>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "mariadb/instance_files.h"
#include "move/receipt.h"
#include "runtime/fiber.h"
#include "sqlite/database_file.h"

namespace tradewind::node {

// -- The journal

Result<void> Recovery::FollowJournal() {
  const std::map<TenantName, move::JournalEntry> entries = parts_.journal.entries();
  std::map<const runtime::Core*, std::vector<const move::JournalEntry*>> owned;
  for (const auto& [tenant, entry] : entries) {
    switch (entry.role) {
      case move::Role::kCreating:
      case move::Role::kDropping: parts_.maker.Resume(entry); break;
      case move::Role::kOwned: {
        const size_t home = parts_.tenants.HomeOf(tenant);
        owned[member_.core.siblings()[home]].push_back(&entry);
        parts_.tenants.table().AssignTo(tenant, home);
        break;
      }
      case move::Role::kDeleting:
        TW_TRY(parts_.tenants.files().RemoveFiles(tenant));
        TW_TRY(parts_.journal.Erase(tenant));
        break;
      case move::Role::kSwapping:
      case move::Role::kDual:
      case move::Role::kReceiving:
      case move::Role::kReady:
      case move::Role::kFrozen:
      case move::Role::kOwner:
      case move::Role::kMismatch: ResumeMove(entry); break;
    }
  }
  parts_.tenants.OnEach([&](gateway::CoreTenants& home) {
    const auto here = owned.find(&home.core);
    if (here == owned.end()) return;
    for (const move::JournalEntry* const entry : here->second)
      home.tenants.AddOwned(entry->tenant, entry->epoch);
  });
  return {};
}

void Recovery::StartInstances() {
  const std::string folder = FolderOf(parts_.tenants.PathOf("any"));
  const auto names = member_.core.disk().List(folder);
  if (!names) return log::error("no server of MariaDB is started: {}", Describe(names.error()));
  for (const std::string& file : *names) {
    if (!file.ends_with(mariadb::kInstanceSuffix)) continue;
    const TenantName tenant = file.substr(0, file.size() - mariadb::kInstanceSuffix.size());
    parts_.tenants.At(tenant, [&](gateway::CoreTenants& home) {
      if (!home.tenants.Has(tenant)) return;
      if (const auto use = home.tenants.Find(tenant); !use)
        log::error("the server of tenant {} is not started: {}", tenant, Describe(use.error()));
    });
  }
}

// One damaged copy does not keep the others from being served.
void Recovery::ResumeMove(const move::JournalEntry& entry) {
  const Result<void> resumed = parts_.tenants.At(entry.tenant, [&](gateway::CoreTenants& home) {
    Result<void> outcome = home.moves.Resume(entry);
    if (outcome) return outcome;
    const Error& why = outcome.error();
    log::error("tenant {} is not served here: {}", entry.tenant, Describe(why));
    if (move::Moves::MayResumeLater(why)) home.moves.ResumeLater(entry);
    if (why.code == sqlite::kFileInUseCode) return outcome;
    const bool missing = why.code == sqlite::kFileGoneCode || why.kind == ErrorKind::kNotFound;
    home.tenants.AddUnserved(entry.tenant,
                             missing ? tenant::TenantFileMissing(entry.tenant, why.message) : why);
    return outcome;
  });
  // A sender looks by itself, once it is resumed. A file that another program has open is not removed.
  const bool sends = entry.role == move::Role::kSwapping || entry.role == move::Role::kDual;
  const bool in_use = !resumed && resumed.error().code == sqlite::kFileInUseCode;
  const bool looks = in_use || (sends && (resumed || move::Moves::MayResumeLater(resumed.error())));
  if (!looks) parts_.maker.WatchStranded(entry);
}

// -- The catalog

void Recovery::FollowCatalog() {
  while (!member_.stopping()) {
    const Result<void> looked = LookForLostTenants();
    if (looked) break;
    log::warn("which tenants are on this node is not compared with the catalog yet: {}",
              Describe(looked.error()));
    runtime::SleepFor(limits::kReconnectPause);
  }
  while (!member_.stopping()) {
    const Result<void> cancelled = CancelForgottenMoves();
    if (cancelled) break;
    log::warn("moves of before the restart wait for the catalog: {}", Describe(cancelled.error()));
    runtime::SleepFor(limits::kReconnectPause);
  }
  parts_.tenants.OnEach([](gateway::CoreTenants& home) { home.moves.AllowStarts(); });
  ResumeDrain();
}

// What the catalog says to be here and nobody here knows of: the folder was lost, or is an older one.
Result<void> Recovery::LookForLostTenants() {
  TW_TRY_ASSIGN(const auto records, member_.catalog.ListTenants());
  for (const catalog::TenantRecord& record : records)
    if (record.ownership.owner == member_.self) parts_.maker.NoteIfLost(record.name);
  return {};
}

// Moves from here that the journal knows nothing about: this node crashed before the swap was sent (docs/move.md,
// step 1). The journal may speak of the move before, which brought the tenant here and whose end is not written yet.
Result<void> Recovery::CancelForgottenMoves() {
  Result<std::vector<catalog::MoveRecord>> records = member_.catalog.ListLiveMoves();
  if (!records) return Fail(records.error());
  for (const catalog::MoveRecord& record : *records) {
    if (record.source != member_.self || record.state != catalog::MoveState::kForward) continue;
    const auto entry = parts_.journal.entries().find(record.tenant);
    if (entry == parts_.journal.entries().end() || entry->second.move == record.id) continue;
    move::Receipt receipt;
    receipt.id = record.id;
    receipt.tenant = record.tenant;
    receipt.source = record.source;
    receipt.destination = record.destination;
    receipt.epoch = record.epoch_before;
    receipt.phase = move::Phase::kCancelled;
    receipt.started_at = record.started_at_ms;
    receipt.ended_at = member_.core.UnixMilliseconds();
    receipt.error = "node " + member_.self + " ended before the hand-over; the tenant stayed there";
    auto set = member_.catalog.SetMoveState(record.id, catalog::MoveState::kForward,
                                            catalog::MoveState::kCancelled, move::ToJson(receipt));
    // Refused: somebody else has seen to it.
    if (!set && set.error().kind != ErrorKind::kRefused && set.error().kind != ErrorKind::kNotFound)
      return Fail(set.error());
  }
  return {};
}

void Recovery::ResumeDrain() {
  while (!member_.stopping()) {
    const auto nodes = member_.catalog.Nodes();
    if (!nodes) {
      runtime::SleepFor(limits::kReconnectPause);
      continue;
    }
    for (const catalog::NodeRecord& node : *nodes)
      if (node.name == member_.self && node.draining) parts_.drain.Resume();
    return;
  }
}

}  // namespace tradewind::node
