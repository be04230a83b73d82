// Makes and deletes the tenants of this node: the name's claim, its file, its journal entry and the catalog's
// record, in an order that a crash, a full disk or a lost answer at any line leaves consistent. What runs on the core of
// the tenant (it is served, closed, forgotten) is called there.
//
// Create. Order: the claim; nothing of the name is known here or in the catalog; the journal says creating; the
// file is whole and durable; the catalog has the tenant (from here on it exists); the journal says owned. Of
// several at once on one node the others wait, and find the tenant; of several on several nodes the catalog
// takes one, and the others remove what they made: their own file, for nobody else has the claim. A file that
// lies there already is never written over or removed.
//
// Delete. Order: the claim; the journal says dropping; the catalog forgets the tenant (from here on it is gone);
// the journal says deleting; the tenant is closed; the files go; the journal forgets it.
//
// Unfinished. An entry that says creating or dropping, after a restart or because an answer was lost, is
// neither served nor taken for free until the catalog has said what it is. A create that may have been sent is
// sent again, and not just asked about: the first may still be on its way. One that was surely not made is only
// removed: its client was told so, and the journal may already say it where it failed. A delete that may have been
// sent is fenced off, and the tenant kept if it is still there. The journal and the disk may fail meanwhile, so this
// is tried until it succeeds, and whoever wants the name tries as well.
//
// Core 0 only.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"
#include "move/journal.h"
#include "runtime/fiber.h"
#include "tenant/name_claims.h"
#include "tenant/tenant.h"
#include "tenant/tenant_files.h"

namespace tradewind::admin {

class TenantMaker {
 public:
  // All of it outlives it.
  TenantMaker(const catalog::Member& member, move::Journal& journal, tenant::NameClaims& claims,
              gateway::NodeTenants& tenants);
  ~TenantMaker();  // Requires: Join() has returned.

  // Makes a tenant here: an empty one of the engine, or, when `file` names it, of what is on this node's disk, checked,
  // complete and durable: an SQLite file, or the folder of an instance; it is renamed. Fails with ENGINE_UNKNOWN, TENANT_EXISTS, NAME_INVALID, NAME_BUSY (kUnavailable),
  // FILE_IN_THE_WAY (kRefused), ANSWER_LOST (kTimeout: it will turn out whether the tenant was made), or as
  // the disk, the journal and the catalog do. Suspends.
  Result<catalog::TenantRecord> Create(const TenantName& name, const std::string& file,
                                       std::string_view engine = tenant::kSqliteEngine);
  // ENGINE_UNKNOWN (kRefused). Does not suspend.
  Result<void> CheckEngine(std::string_view engine) const;
  // Deletes a tenant that is here, or that was lost. One in a move is refused, MOVE_IN_PROGRESS, unless the move cannot
  // go on (the copy here is lost, or the other node of it, which has pages, is not connected); then that ends as
  // cancelled. Fails with TENANT_NOT_HERE, NAME_BUSY, ANSWER_LOST as above, or as the journal and the catalog do.
  // `made_at`: another one of that name, made since, is left alone, and TENANT_REPLACED (kNotFound). Suspends.
  Result<void> Delete(const TenantName& name, const std::optional<Epoch>& made_at = std::nullopt);

  // An entry of the journal that an earlier process of this node left unfinished. Goes on with it.
  void Resume(const move::JournalEntry& entry) { SettleLater(entry.tenant); }
  // If the catalog says that this node owns the tenant, and nothing of it is here, nor on its way: from now on
  // its requests are told that its file is missing. Suspends.
  void NoteIfLost(const TenantName& name);
  // A copy that takes part in a move and with which this node cannot go on by itself: it is removed once the catalog
  // says that the move is over and that another node has the tenant, or none. Then the name is free here.
  void WatchStranded(const move::JournalEntry& entry);

  // Ends what goes on in the background. The node is stopping. Suspends.
  void Join() {
    stopping_.NotifyAll();
    fibers_.Join();
  }

 private:
  Result<catalog::TenantRecord> Make(const TenantName& name, tenant::TenantFiles& files,
                                     const std::string& file);
  Result<void> LayFile(const TenantName& name, tenant::TenantFiles& files, const std::string& file);
  Result<catalog::TenantRecord> Record(const TenantName& name, std::string_view engine, bool may_be_sent);
  Result<void> Own(const catalog::TenantRecord& record);
  void Undo(const TenantName& name);
  Result<void> Drop(const TenantName& name, Epoch epoch);
  Result<void> DropRecord(const TenantName& name, Epoch epoch, const MoveId& move = "");
  Result<void> DeleteLost(const TenantName& name);
  Result<void> DeleteCutOff(const TenantName& name);
  Result<bool> IsStranded(const move::JournalEntry& entry);
  Result<void> Remove(const TenantName& name);
  void RemoveDeleted(const TenantName& name);
  Result<void> CheckNothingInTheWay(const TenantName& name) const;
  Result<void> AwaitRoom(const TenantName& name, runtime::TimePoint deadline);
  Result<void> Settle(const TenantName& name);
  Result<void> SettleCreating(const TenantName& name);
  Result<void> SettleDropping(const TenantName& name, Epoch epoch);
  Result<void> SettleIfUnfinished(const TenantName& name);
  void SettleLater(const TenantName& name);
  const move::JournalEntry* EntryOf(const TenantName& name) const;
  move::JournalEntry Entry(const TenantName& name, move::Role role, Epoch epoch) const;
  bool IsCutOff(const TenantName& name);
  void RefuseUses(const TenantName& name);
  void ForgetUnserved(const TenantName& name);
  void Abandon(const TenantName& name);

  const catalog::Member& member_;
  runtime::Core& core_;
  move::Journal& journal_;
  tenant::NameClaims& claims_;
  gateway::NodeTenants& tenants_;
  std::set<TenantName> unfinished_;
  // The catalog does not have them, nor will it: what is here of them goes, and is not all removed yet.
  std::set<TenantName> removed_;
  runtime::WaitQueue stopping_;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::admin
