#include "node/journal_repair.h"

#include <fmt/format.h>

#include <map>
#include <span>
#include <utility>

#include "base/json_fields.h"
#include "base/path.h"
#include "catalog/embedded_catalog.h"
#include "mariadb/instance_files.h"
#include "move/journal.h"
#include "move/messages.h"
#include "node/data_folder.h"
#include "sqlite/presence_map.h"
#include "sqlite/vfs.h"

namespace tradewind::node {

namespace {

using catalog::MoveState;
using move::JournalEntry;
using move::Role;

Result<std::string> ReadWhole(runtime::Disk& disk, const std::string& path) {
  TW_TRY_ASSIGN(const auto file, disk.Open(path, runtime::OpenMode::kExisting));
  TW_TRY_ASSIGN(const uint64_t size, file->Size());
  std::string bytes(size, '\0');
  TW_TRY_ASSIGN(const size_t got, file->Read(0, std::as_writable_bytes(std::span(bytes))));
  bytes.resize(got);
  return bytes;
}

Result<NodeName> NameOfFolder(runtime::Disk& disk, const std::string& data_folder) {
  const auto text = ReadWhole(disk, data_folder + "/node");
  const auto name = text ? NameInNodeFile(*text) : std::nullopt;
  if (name) return *name;
  return Fail(ErrorKind::kCorrupt, "NODE_NAME_UNKNOWN",
              "the folder " + data_folder + " does not say whose it is", "name its node with --name");
}

Result<std::string> StateOfJournal(runtime::Disk& disk, const std::string& path) {
  TW_TRY_ASSIGN(const bool exists, disk.Exists(path));
  if (!exists) return "it is missing";
  TW_TRY_ASSIGN(const std::string bytes, ReadWhole(disk, path));
  if (bytes.empty()) return "it is empty";
  const auto parsed = move::ParseJournal(std::as_bytes(std::span(bytes)));
  if (parsed.damage.empty()) return "";
  return fmt::format("{} (byte {})", parsed.damage, parsed.damaged_at);
}

bool HasStoppedAtMismatch(const catalog::MoveRecord& move) {
  if (move.receipt.empty()) return false;
  const auto receipt = ParseJsonObject(move.receipt);
  return receipt && FindText(*receipt, "stopped") == move::kMismatchCode;
}

class Decider {
 public:
  Decider(const NodeName& self, const RepairFacts& facts) : self_(self), facts_(facts) {
    decision_.tenant = facts.tenant;
  }

  RepairDecision Decide() {
    if (!facts_.record)
      LeaveAlone("the catalog does not know it; its file stays, and is not served");
    else if (facts_.move)
      DecideInMove();
    else if (facts_.record->ownership.owner != self_)
      LeaveAlone("node " + facts_.record->ownership.owner +
                 " owns it; the file here stays, and is not served");
    else
      DecideOwned();
    return decision_;
  }

 private:
  bool maps_readable() const { return facts_.map && facts_.map->readable; }

  void LeaveAlone(std::string why) { decision_.decision = std::move(why); }
  void Block(std::string why) {
    decision_.decision = "not decided";
    decision_.uncertain = std::move(why);
    decision_.blocks = true;
  }
  JournalEntry& Enter(Role role, std::string why) {
    JournalEntry entry{facts_.tenant, role, facts_.record->ownership.epoch, "", "", 0, false};
    if (facts_.move && role != Role::kOwned) {
      const bool is_source = facts_.move->source == self_;
      entry.move = facts_.move->id;
      entry.peer = is_source ? facts_.move->destination : facts_.move->source;
      entry.reverse = facts_.move->state == MoveState::kReverse &&
                      (is_source ? role != Role::kDual : role == Role::kDual);
      if (role == Role::kReady) entry.list = facts_.map->list;
    }
    decision_.decision = fmt::format("{} at epoch {}: {}", NameOf(role), entry.epoch.value, why);
    decision_.entry = std::move(entry);
    return *decision_.entry;
  }

  // Such a move goes on only when it is told to, after a repair too.
  Role RoleOfOwner() const {
    return maps_readable() && facts_.map->missing == 0 && HasStoppedAtMismatch(*facts_.move) ? Role::kMismatch
                                                                                             : Role::kOwner;
  }

  void DecideOwned() {
    if (maps_readable() && facts_.map->missing > 0)
      return Block(fmt::format(
          "the catalog says that it is here, and no move of it is on, but its presence map lacks {} pages",
          facts_.map->missing));
    Enter(Role::kOwned, "the catalog says so");
    if (!facts_.has_file)
      decision_.uncertain = "its file is missing: it is not served until the file is put back";
    else if (facts_.map && !facts_.map->readable)
      decision_.uncertain = "beside it lies a presence map that cannot be read; its last move is over";
  }

  void DecideInMove() {
    const bool is_source = facts_.move->source == self_;
    if (!is_source && facts_.move->destination != self_)
      return LeaveAlone("it is in a move between other nodes; the file here stays, and is not served");
    const bool owns = facts_.record->ownership.owner == self_;
    if (is_source)
      owns ? DecideOwningSource() : DecideLeftSource();
    else
      owns ? DecideOwningDestination() : DecideWaitingDestination();
    if (decision_.entry && !facts_.has_file)
      decision_.uncertain = "its file is missing: it is not served until the file is put back";
  }

  void DecideOwningSource() {
    if (facts_.move->state == MoveState::kReverse) {  // It has come back.
      Enter(RoleOfOwner(), "it has come back from node " + facts_.move->destination);
      NeedMap();
      return;
    }
    Enter(Role::kOwned,
          "its move to " + facts_.move->destination + " is cancelled, since it was not handed over");
    decision_.cancels_move = true;
  }

  void DecideLeftSource() {
    const bool turned = facts_.move->state == MoveState::kReverse;
    if (!turned || facts_.has_wal || !facts_.map) {
      Enter(Role::kDual, "node " + facts_.move->destination + " owns it, and has its pages sent");
      return;
    }
    Enter(maps_readable() ? Role::kReady : Role::kFrozen,
          "it is on its way back from node " + facts_.move->destination);
    if (!maps_readable())
      decision_.uncertain = "its presence map cannot be read; node " + facts_.move->destination +
                            " sends what has changed again";
  }

  void DecideOwningDestination() {
    Enter(RoleOfOwner(),
          "it came from node " + facts_.move->source + ", which may have pages that are not here yet");
    NeedMap();
  }

  void DecideWaitingDestination() {
    if (facts_.move->state == MoveState::kReverse) {
      Enter(Role::kDual, "it has gone back to node " + facts_.move->source);
      NeedMap();
      return;
    }
    if (maps_readable()) {
      Enter(Role::kReady, "node " + facts_.move->source + " may hand it over; the catalog will say");
      return;
    }
    if (!facts_.has_file) return LeaveAlone("nothing of it is here yet");
    Block("node " + facts_.move->source +
          " may be about to hand it over, and the presence map of what is here " +
          "cannot be read: let that move end or be cancelled, and repair again");
  }

  void NeedMap() {
    if (!maps_readable())
      decision_.uncertain = facts_.map ? "its presence map cannot be read: it is not served"
                                       : "its presence map is missing: it is not served";
  }

  const NodeName& self_;
  const RepairFacts& facts_;
  RepairDecision decision_;
};

Result<std::map<TenantName, RepairFacts>> FactsOfFolder(runtime::Disk& disk, const std::string& folder) {
  std::map<TenantName, RepairFacts> facts;
  constexpr std::string_view kFile = ".db", kWal = ".db-wal", kMap = ".db-presence";
  TW_TRY_ASSIGN(const auto names, disk.List(folder));
  for (const std::string& name : names) {
    const size_t dot = name.rfind('.');
    if (dot == std::string::npos || !IsValidName(name.substr(0, dot))) continue;
    const std::string_view suffix = std::string_view(name).substr(dot);
    if (suffix != kFile && suffix != kWal && suffix != kMap && suffix != mariadb::kInstanceSuffix) continue;
    RepairFacts& tenant = facts[name.substr(0, dot)];
    tenant.has_file |= suffix == kFile || suffix == mariadb::kInstanceSuffix;
    tenant.has_wal |= suffix == kWal;
    if (suffix != kMap) continue;
    tenant.map = RepairFacts::Map{};
    TW_TRY_ASSIGN(const std::string bytes, ReadWhole(disk, folder + "/" + name));
    const auto map = sqlite::PresenceMap::Parse(std::as_bytes(std::span(bytes)), folder + "/" + name);
    if (map) tenant.map = RepairFacts::Map{true, (*map)->list(), (*map)->missing()};
  }
  return facts;
}

}  // namespace

Result<std::unique_ptr<catalog::EmbeddedCatalog>> OpenHostedCatalog(runtime::Core& core,
                                                                    const std::string& data_folder) {
  sqlite::InitializeSqlite();
  const std::string path = data_folder + "/catalog.db";
  TW_TRY_ASSIGN(const bool exists, core.disk().Exists(path));
  if (!exists) return std::unique_ptr<catalog::EmbeddedCatalog>();
  return catalog::EmbeddedCatalog::Open(core, path);
}

RepairDecision Decide(const NodeName& self, const RepairFacts& facts) {
  return Decider(self, facts).Decide();
}

Result<RepairPlan> PlanRepair(runtime::Core& core, const std::string& data_folder, const NodeName& name,
                              catalog::Catalog& catalog) {
  RepairPlan plan;
  plan.node = name;
  if (name.empty()) {
    TW_TRY_ASSIGN(plan.node, NameOfFolder(core.disk(), data_folder));
  }
  TW_TRY_ASSIGN(plan.journal, StateOfJournal(core.disk(), data_folder + "/journal"));
  TW_TRY_ASSIGN(auto facts, FactsOfFolder(core.disk(), data_folder + "/tenants"));
  TW_TRY_ASSIGN(const auto moves, catalog.ListLiveMoves());
  TW_TRY_ASSIGN(const auto records, catalog.ListTenants());
  std::map<TenantName, catalog::MoveRecord> live;
  for (const catalog::MoveRecord& move : moves) live[move.tenant] = move;
  for (const catalog::TenantRecord& record : records) {
    const auto move = live.find(record.name);
    const bool in_its_move =
        move != live.end() && (move->second.source == plan.node || move->second.destination == plan.node);
    if (record.ownership.owner == plan.node || in_its_move) facts[record.name];
    const auto found = facts.find(record.name);
    if (found == facts.end()) continue;
    found->second.record = record;
    if (move != live.end()) found->second.move = move->second;
  }
  for (auto& [tenant, fact] : facts) {
    fact.tenant = tenant;
    plan.decisions.push_back(Decide(plan.node, fact));
  }
  return plan;
}

Result<std::string> CarryOutRepair(runtime::Core& core, const std::string& data_folder,
                                   const RepairPlan& plan, catalog::Catalog& catalog) {
  move::JournalEntries entries;
  for (const RepairDecision& decision : plan.decisions) {
    if (decision.blocks)
      return Fail(ErrorKind::kRefused, "REPAIR_BLOCKED",
                  "tenant " + decision.tenant + " is not decided: " + decision.uncertain,
                  "nothing was written");
    if (decision.entry) entries[decision.tenant] = *decision.entry;
  }
  TW_TRY_ASSIGN(const auto moves, catalog.ListLiveMoves());
  for (const RepairDecision& decision : plan.decisions) {
    if (!decision.cancels_move) continue;
    for (const catalog::MoveRecord& move : moves) {
      if (move.tenant != decision.tenant) continue;
      TW_TRY_ASSIGN(const auto outcome,
                    catalog.SetMoveState(move.id, MoveState::kForward, MoveState::kCancelled, ""));
      if (!outcome.Shows(MoveState::kCancelled))
        return Fail(ErrorKind::kRefused, "REPAIR_BLOCKED", "move " + move.id + " has gone on meanwhile",
                    "repair again");
    }
  }
  const std::string path = data_folder + "/journal";
  TW_TRY_ASSIGN(const bool exists, core.disk().Exists(path));
  std::string kept;
  if (exists) {
    kept = fmt::format("{}.damaged-{}", path, core.UnixMilliseconds());
    TW_TRY(core.disk().Rename(path, kept));
    TW_TRY(core.disk().SyncDirectory(FolderOf(path)));
  }
  TW_TRY(move::Journal::WriteNew(core, path, entries));
  return kept;
}

}  // namespace tradewind::node
