// A new journal for a node whose journal is damaged or gone: made from the files of its tenants, their presence
// maps, and the catalog. For `tradewind node repair`; the node must not run.
//
// What each tenant was in the middle of follows from the catalog (who owns at which epoch, which move is on) and
// from what lies on the disk:
//   this node owns, no move is on                 owned
//   this node owns, and a move from it is on      owned, once the move is cancelled: a swap that was sent and has
//                                                 not been applied never will be
//   this node owns, after a move's swap           owner, with the presence map; mismatch, if that is whole and the
//                                                 move's receipt says that it has stopped at sums that differ
//   another node owns, after a move's swap        dual: the pages are sent when it asks for them
//   another node owns, a move is on to here       ready, with the presence map: neither served nor dropped until
//                                                 the catalog says which. A map that is durable without the
//                                                 journal's `ready` is of a list that no ready was sent for, so no
//                                                 swap follows from it
//   another node owns, the move was reversed      frozen, or ready, or dual while the WAL is not copied
//   the catalog does not know it, or another node
//   owns and no move is on                        none: the file stays, and is not served
// Where neither says enough, the repair is refused, and says what has to happen first. No file of a tenant is
// changed or removed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"
#include "move/journal_entry.h"
#include "runtime/core.h"

namespace tradewind::catalog {
class EmbeddedCatalog;
}

namespace tradewind::node {

// The catalog in the folder; null when there is none, and another node hosts it. To be closed. Suspends.
Result<std::unique_ptr<catalog::EmbeddedCatalog>> OpenHostedCatalog(runtime::Core& core,
                                                                    const std::string& data_folder);

// What is known of one tenant.
struct RepairFacts {
  struct Map {
    bool readable = false;
    uint64_t list = 0;
    uint32_t missing = 0;  // Pages.
  };
  TenantName tenant;
  bool has_file = false;
  bool has_wal = false;
  std::optional<Map> map;
  std::optional<catalog::TenantRecord> record;
  std::optional<catalog::MoveRecord> move;  // The one that is on.
};

struct RepairDecision {
  TenantName tenant;
  std::optional<move::JournalEntry> entry;
  std::string decision;   // For a person.
  std::string uncertain;  // Empty when nothing is.
  bool cancels_move = false;
  bool blocks = false;  // Nothing is written while one does.
};
RepairDecision Decide(const NodeName& self, const RepairFacts& facts);

struct RepairPlan {
  NodeName node;
  std::string journal;  // What is wrong with the present one; empty when nothing is.
  std::vector<RepairDecision> decisions;
};
// Reads only. Fails with NODE_NAME_UNKNOWN (kCorrupt) when the folder does not say whose it is and `name` is
// empty, or as the disk and the catalog do. Suspends.
Result<RepairPlan> PlanRepair(runtime::Core& core, const std::string& data_folder, const NodeName& name,
                              catalog::Catalog& catalog);
// Cancels what the plan says, keeps the present journal under another name, which is returned (empty: there was
// none), and writes the new one. Fails with REPAIR_BLOCKED (kRefused). Suspends.
Result<std::string> CarryOutRepair(runtime::Core& core, const std::string& data_folder,
                                   const RepairPlan& plan, catalog::Catalog& catalog);

}  // namespace tradewind::node
