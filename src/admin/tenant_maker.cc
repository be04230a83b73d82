#include "admin/tenant_maker.h"

#include <array>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace tradewind::admin {

namespace {

using catalog::OutcomeIsUnknown;
using catalog::TenantRecord;
using gateway::CoreTenants;

// Perhaps its maker has asked before and saw no answer, and so no password.
tl::unexpected<Error> Exists(const TenantName& name, std::string_view engine) {
  return Fail(
      ErrorKind::kExists, "TENANT_EXISTS", "tenant " + name + " exists",
      engine == tenant::kSqliteEngine
          ? "choose another name, or delete it first"
          : "choose another name, or delete it first; if it is the one that you want: tradewind tenant "
            "reset-password " +
                name);
}

tl::unexpected<Error> AnswerLost(const TenantName& name, const std::string& what, const Error& cause) {
  return Fail(ErrorKind::kTimeout, std::string(catalog::kAnswerLostCode),
              "whether tenant " + name + " was " + what + " is not known yet (" + Describe(cause) + ")",
              "see tradewind tenant show " + name);
}

}  // namespace

TenantMaker::TenantMaker(const catalog::Member& member, move::Journal& journal, tenant::NameClaims& claims,
                         gateway::NodeTenants& tenants)
    : member_(member),
      core_(member.core),
      journal_(journal),
      claims_(claims),
      tenants_(tenants),
      fibers_(core_) {}

TenantMaker::~TenantMaker() = default;

const move::JournalEntry* TenantMaker::EntryOf(const TenantName& name) const {
  const auto& entries = journal_.entries();
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : &found->second;
}

move::JournalEntry TenantMaker::Entry(const TenantName& name, move::Role role, Epoch epoch) const {
  return {name, role, epoch, "", "", 0, false, move::PinTo(*core_.siblings()[tenants_.HomeOf(name)])};
}

// -- On the core of the tenant

bool TenantMaker::IsCutOff(const TenantName& name) {
  return tenants_.At(name, [&](CoreTenants& home) { return home.moves.IsCutOff(name); });
}

void TenantMaker::RefuseUses(const TenantName& name) {
  tenants_.At(name, [&](CoreTenants& home) { home.tenants.RefuseUses(name); });
}

void TenantMaker::ForgetUnserved(const TenantName& name) {
  tenants_.At(name, [&](CoreTenants& home) { home.tenants.ForgetUnserved(name); });
}

void TenantMaker::Abandon(const TenantName& name) {
  tenants_.At(name, [&](CoreTenants& home) { home.moves.incoming().Abandon(name); });
}

// -- Create

Result<TenantRecord> TenantMaker::Create(const TenantName& name, const std::string& file,
                                         std::string_view engine) {
  core_.AssertHere();
  TW_TRY(CheckEngine(engine));
  if (!IsValidName(name))
    return Fail(ErrorKind::kInvalid, "NAME_INVALID", "'" + name + "' is no name for a tenant",
                "use up to 63 of a-z, 0-9, - and _, beginning with a letter or digit");
  const runtime::TimePoint deadline = core_.Now() + limits::kNameWait;
  TW_TRY_ASSIGN(const auto claim, claims_.ClaimName(name, deadline));
  TW_TRY(SettleIfUnfinished(name));
  // Nobody deletes it meanwhile, so what the journal says holds in the catalog too.
  if (const auto* entry = EntryOf(name); entry && entry->role == move::Role::kOwned)
    return Exists(name, engine);
  const auto known = member_.catalog.GetTenant(name);
  if (known) return Exists(name, engine);
  if (known.error().kind != ErrorKind::kNotFound) return Fail(known.error());
  TW_TRY(AwaitRoom(name, deadline));
  TW_TRY(CheckNothingInTheWay(name));
  TW_TRY(AwaitRoom(name, deadline));  // A copy may have begun to come meanwhile.
  tenants_.table().Assign(name);
  if (Result<void> noted = journal_.Put(Entry(name, move::Role::kCreating, Epoch{})); !noted) {
    tenants_.table().Release(name);
    return Fail(std::move(noted).error());
  }
  return Make(name, *tenants_.files().FilesOf(engine), file);
}

Result<void> TenantMaker::CheckEngine(std::string_view engine) const {
  if (tenants_.files().FilesOf(engine)) return {};
  return Fail(ErrorKind::kRefused, "ENGINE_UNKNOWN",
              "node " + member_.self + " has no engine '" + std::string(engine) + "'");
}

// Of any engine; a file that is no whole tenant is in the way as well.
Result<void> TenantMaker::CheckNothingInTheWay(const TenantName& name) const {
  TW_TRY_ASSIGN(const bool file, core_.disk().Exists(tenants_.PathOf(name)));
  bool other = false;
  if (!file) {
    TW_TRY_ASSIGN(tenant::TenantFiles* const files, tenants_.files().FindFiles(name));
    other = files != nullptr;
  }
  if (!file && !other) return {};
  return Fail(ErrorKind::kRefused, "FILE_IN_THE_WAY",
              (file ? "the file " + tenants_.PathOf(name) : "the instance " + name) + " of node " +
                  member_.self + " belongs to no tenant that it knows",
              "move it out of the folder");
}

// A tenant that was moved away or dropped may still be on its way out.
Result<void> TenantMaker::AwaitRoom(const TenantName& name, runtime::TimePoint deadline) {
  while (EntryOf(name) || tenants_.Has(name) || tenants_.IsMoving(name)) {
    if (core_.Now() >= deadline || member_.stopping())
      return Fail(ErrorKind::kUnavailable, "NAME_BUSY",
                  "an earlier tenant " + name + " is still being removed at node " + member_.self,
                  "try again");
    runtime::SleepFor(limits::kLocatePause);
  }
  return {};
}

Result<TenantRecord> TenantMaker::Make(const TenantName& name, tenant::TenantFiles& files,
                                       const std::string& file) {
  if (Result<void> laid = LayFile(name, files, file); !laid) {
    Undo(name);
    return Fail(std::move(laid).error());
  }
  auto record = Record(name, files.engine(), /*may_be_sent=*/false);
  if (!record) {
    if (OutcomeIsUnknown(record.error())) {
      SettleLater(name);
      return AnswerLost(name, "made", record.error());
    }
    Undo(name);
    return record;
  }
  if (Result<void> owned = Own(*record); !owned) {
    SettleLater(name);
    return Fail(std::move(owned).error());
  }
  return record;
}

Result<void> TenantMaker::LayFile(const TenantName& name, tenant::TenantFiles& files,
                                  const std::string& file) {
  const std::string path = tenants_.PathOf(name);
  TW_TRY(tenants_.files().ClearBeside(name));
  return file.empty() ? files.Make(core_, path) : files.Take(core_, file, path);
}

// The catalog has the tenant, as this node's, when this returns a record. An error that leaves the outcome
// open is repeated for a while: `may_be_sent` says that such a one came before.
Result<TenantRecord> TenantMaker::Record(const TenantName& name, std::string_view engine, bool may_be_sent) {
  const runtime::TimePoint deadline = core_.Now() + limits::kNameWait;
  while (true) {
    auto record = member_.catalog.CreateTenant(name, std::string(engine), member_.self);
    if (record) return record;
    const bool exists = record.error().kind == ErrorKind::kExists;
    if (exists && may_be_sent) {
      // Ours, from before: with the name claimed nobody else makes it for this node.
      auto found = member_.catalog.GetTenant(name);
      if (found && found->ownership.owner == member_.self) return found;
      if (found) return record;
      record = Fail(ErrorKind::kTimeout, std::string(catalog::kAnswerLostCode), found.error().message);
    } else if (!OutcomeIsUnknown(record.error())) {
      const bool was_not_asked = record.error().kind == ErrorKind::kUnavailable;
      if (!may_be_sent || !was_not_asked) return record;
      record = Fail(ErrorKind::kTimeout, std::string(catalog::kAnswerLostCode), record.error().message);
    }
    may_be_sent = true;
    if (core_.Now() >= deadline || member_.stopping()) return record;
    runtime::SleepFor(limits::kReconnectPause);
  }
}

Result<void> TenantMaker::Own(const TenantRecord& record) {
  TW_TRY(journal_.Put(Entry(record.name, move::Role::kOwned, record.ownership.epoch)));
  // One of before a restart is on no core yet.
  if (!tenants_.table().Find(record.name))
    tenants_.table().AssignTo(record.name, tenants_.HomeOf(record.name));
  tenants_.At(record.name, [&](CoreTenants& home) { home.tenants.Own(record.name, record.ownership.epoch); });
  return {};
}

// It was surely not made.
void TenantMaker::Undo(const TenantName& name) {
  if (Result<void> removed = Remove(name); !removed) {
    log::warn("what was made for tenant {} is not removed yet: {}", name, Describe(removed.error()));
    SettleLater(name);
  }
}

// From here on the catalog is not asked for it again: when the journal fails, what it says at the next start may be
// that these files go. Until it is done the entry stays, so nobody begins with the name, and Settle() tries again
// whatever role the entry has.
Result<void> TenantMaker::Remove(const TenantName& name) {
  removed_.insert(name);
  if (const auto* entry = EntryOf(name); entry && entry->role != move::Role::kDeleting)
    TW_TRY(journal_.Put(Entry(name, move::Role::kDeleting, entry->epoch)));
  tenants_.At(name, [&](CoreTenants& home) {
    home.streams.EndAllOf(name);
    home.tenants.CloseAndForget(name, tenant::LocalTenants::Files::kGo);
  });
  TW_TRY(tenants_.files().RemoveFiles(name));
  TW_TRY(journal_.Erase(name));
  tenants_.table().Release(name);
  removed_.erase(name);
  return {};
}

// -- Delete

Result<void> TenantMaker::Delete(const TenantName& name, const std::optional<Epoch>& made_at) {
  core_.AssertHere();
  TW_TRY_ASSIGN(const auto claim, claims_.ClaimName(name, core_.Now() + limits::kNameWait));
  TW_TRY(SettleIfUnfinished(name));
  if (const auto* entry = EntryOf(name); made_at && (!entry || entry->epoch != *made_at))
    return Fail(ErrorKind::kNotFound, "TENANT_REPLACED",
                "tenant " + name + " was deleted, or moved, since it was made");
  if (!tenants_.Has(name)) return DeleteLost(name);
  if (IsCutOff(name)) return DeleteCutOff(name);
  const bool moving = tenants_.IsMoving(name);
  const auto* entry = EntryOf(name);
  if (moving || !entry || entry->role != move::Role::kOwned)
    return Fail(ErrorKind::kRefused, "MOVE_IN_PROGRESS", "tenant " + name + " is moving",
                "wait until the move is over");
  return Drop(name, entry->epoch);
}

Result<void> TenantMaker::Drop(const TenantName& name, Epoch epoch) {
  TW_TRY(journal_.Put(Entry(name, move::Role::kDropping, epoch)));
  if (Result<void> dropped = DropRecord(name, epoch); !dropped) {
    if (!OutcomeIsUnknown(dropped.error())) {
      // It stays; so it is served while the journal is being told.
      if (!journal_.Put(Entry(name, move::Role::kOwned, epoch))) SettleLater(name);
      return dropped;
    }
    RefuseUses(name);
    SettleLater(name);
    return AnswerLost(name, "deleted", dropped.error());
  }
  RefuseUses(name);
  ForgetUnserved(name);
  RemoveDeleted(name);
  return {};
}

// It is gone, whatever becomes of the files.
void TenantMaker::RemoveDeleted(const TenantName& name) {
  const Result<void> removed = Remove(name);
  if (removed) return;
  log::warn("the files of the deleted tenant {} are not removed yet: {}", name, Describe(removed.error()));
  SettleLater(name);
}

// In a move: `move`.
Result<void> TenantMaker::DropRecord(const TenantName& name, Epoch epoch, const MoveId& move) {
  const runtime::TimePoint deadline = core_.Now() + limits::kNameWait;
  bool may_be_done = false;
  while (true) {
    Result<void> dropped = move.empty() ? member_.catalog.DeleteTenant(name, {member_.self, epoch})
                                        : member_.catalog.DeleteInMove(name, {member_.self, epoch}, move);
    if (dropped || dropped.error().kind == ErrorKind::kNotFound) return {};
    // By an attempt of before: somebody has made the name anew.
    if (dropped.error().code == "OWNER_CHANGED" && may_be_done) return {};
    if (!OutcomeIsUnknown(dropped.error())) {
      if (!may_be_done || dropped.error().kind != ErrorKind::kUnavailable) return dropped;
      dropped = Fail(ErrorKind::kTimeout, std::string(catalog::kAnswerLostCode), dropped.error().message);
    }
    may_be_done = true;
    if (core_.Now() >= deadline || member_.stopping()) return dropped;
    runtime::SleepFor(limits::kReconnectPause);
  }
}

// The catalog says that it is here, but it is not, or not so that it could be served.
Result<void> TenantMaker::DeleteLost(const TenantName& name) {
  if (!tenants_.Knows(name) || tenants_.IsMoving(name))
    return Fail(ErrorKind::kRefused, std::string(tenant::kNotHereCode),
                "tenant " + name + " is not on this node");
  TW_TRY_ASSIGN(const TenantRecord record, member_.catalog.GetTenant(name));
  if (record.ownership.owner == member_.self) TW_TRY(DropRecord(name, record.ownership.epoch, record.move));
  ForgetUnserved(name);
  if (EntryOf(name)) RemoveDeleted(name);
  return {};
}

// What is here lacks pages, and nobody knows whether they will ever come. The journal goes on saying that this node owns
// it until the catalog has forgotten it, so a crash in between leaves the tenant as it was, or to WatchStranded().
Result<void> TenantMaker::DeleteCutOff(const TenantName& name) {
  TW_TRY_ASSIGN(const TenantRecord record, member_.catalog.GetTenant(name));
  if (record.ownership.owner != member_.self || record.move.empty() || !IsCutOff(name))
    return Fail(ErrorKind::kRefused, "MOVE_IN_PROGRESS", "tenant " + name + " is moving",
                "wait until the move is over");
  TW_TRY(DropRecord(name, record.ownership.epoch, record.move));
  RefuseUses(name);
  Abandon(name);
  RemoveDeleted(name);
  return {};
}

// -- Stranded

Result<bool> TenantMaker::IsStranded(const move::JournalEntry& entry) {
  const auto move = member_.catalog.GetMove(entry.move);
  if (!move && move.error().kind != ErrorKind::kNotFound) return Fail(move.error());
  if (move && !catalog::IsOver(move->state)) return false;
  const auto record = member_.catalog.GetTenant(entry.tenant);
  if (!record && record.error().kind != ErrorKind::kNotFound) return Fail(record.error());
  return !record || record->ownership.owner != member_.self;
}

void TenantMaker::WatchStranded(const move::JournalEntry& entry) {
  fibers_.Spawn("watch " + entry.tenant, [this, entry] {
    const auto takes_part = [&] {
      const auto* now = EntryOf(entry.tenant);
      return now && now->move == entry.move;
    };
    while (!member_.stopping() && takes_part()) {
      if (const Result<bool> stranded = IsStranded(entry); stranded && *stranded && takes_part()) {
        if (const auto claim = claims_.ClaimName(entry.tenant, core_.Now()); claim && takes_part()) {
          log::warn("move {} of tenant {} is over, and its copy here is removed", entry.move, entry.tenant);
          ForgetUnserved(entry.tenant);
          Abandon(entry.tenant);
          RemoveDeleted(entry.tenant);
          return;
        }
      }
      stopping_.WaitUntil(core_.Now() + limits::kCatalogWatch);
    }
  });
}

// -- Unfinished

Result<void> TenantMaker::SettleIfUnfinished(const TenantName& name) {
  return unfinished_.contains(name) ? Settle(name) : Result<void>();
}

// Requires the claim.
Result<void> TenantMaker::Settle(const TenantName& name) {
  const auto* entry = EntryOf(name);
  if (entry && removed_.contains(name)) {
    TW_TRY(Remove(name));
  } else if (entry) {
    switch (entry->role) {
      case move::Role::kCreating: TW_TRY(SettleCreating(name)); break;
      case move::Role::kDropping: TW_TRY(SettleDropping(name, entry->epoch)); break;
      case move::Role::kDeleting: TW_TRY(Remove(name)); break;
      default: break;
    }
  }
  unfinished_.erase(name);
  return {};
}

Result<void> TenantMaker::SettleCreating(const TenantName& name) {
  auto record = member_.catalog.GetTenant(name);
  if (!record && record.error().kind != ErrorKind::kNotFound) return Fail(record.error());
  TW_TRY_ASSIGN(tenant::TenantFiles* const whole, tenants_.files().FindFiles(name));
  const bool is_ours = record && record->ownership.owner == member_.self;
  // The catalog was asked only once the file was whole.
  if (!is_ours && (record || !whole)) return Remove(name);
  // An earlier process may have ended between the file's writes and their sync.
  if (whole) TW_TRY(whole->MakeDurable(core_, tenants_.PathOf(name)));
  if (is_ours) return Own(*record);
  record = Record(name, whole->engine(), /*may_be_sent=*/true);
  if (record) return Own(*record);
  if (OutcomeIsUnknown(record.error())) return Fail(record.error());
  return Remove(name);
}

// Nobody was told that it was deleted, so it is kept if it is still there; at a new epoch, so that a delete
// that is still on its way finds another tenant than it expects.
Result<void> TenantMaker::SettleDropping(const TenantName& name, Epoch epoch) {
  const auto fenced = member_.catalog.Fence(name, {member_.self, epoch}, "");
  if (!fenced && fenced.error().kind != ErrorKind::kNotFound) return Fail(fenced.error());
  if (fenced && fenced->record.ownership.owner == member_.self) return Own(fenced->record);
  return Remove(name);
}

void TenantMaker::SettleLater(const TenantName& name) {
  if (!unfinished_.insert(name).second) return;
  fibers_.Spawn("settle " + name, [this, name] {
    bool said = false;
    while (!member_.stopping() && unfinished_.contains(name)) {
      if (const auto claim = claims_.ClaimName(name, core_.Now() + limits::kReconnectPause)) {
        const Result<void> settled = SettleIfUnfinished(name);
        if (settled) return;
        if (!std::exchange(said, true))
          log::warn("what was begun with tenant {} is not finished yet: {}", name, Describe(settled.error()));
      }
      runtime::SleepFor(limits::kReconnectPause);
    }
  });
}

// -- Lost

void TenantMaker::NoteIfLost(const TenantName& name) {
  core_.AssertHere();
  const auto known = [&] { return EntryOf(name) || tenants_.Knows(name) || tenants_.IsMoving(name); };
  if (known() || claims_.IsClaimed(name)) return;
  // With the claim nothing begins here while the catalog's answer is on its way.
  const auto claim = claims_.ClaimName(name, core_.Now());
  if (!claim) return;
  const auto record = member_.catalog.GetTenant(name);
  if (!record || record->ownership.owner != member_.self || known()) return;
  Error missing = tenant::TenantFileMissing(name, "the catalog says that it is on node " + member_.self +
                                                      ", whose data folder knows nothing of it");
  log::error("{}", Describe(missing));
  tenants_.At(name, [&](CoreTenants& home) { home.tenants.AddUnserved(name, std::move(missing)); });
}

}  // namespace tradewind::admin
