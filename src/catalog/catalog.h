// The catalog: who owns which tenant, at which epoch; which nodes there are; which moves were begun and how
// they ended. It is the one place where ownership changes, so each change here is one durable transaction or
// none (docs/move.md, steps 5, 9 and 10).
//
//   embedded_catalog.h   an SQLite file on one node
//   remote_catalog.h     the same, asked from the other nodes (catalog_service.h answers)
//
// Epochs of a name only grow, even when its tenant is deleted and made again: so a request, a cached location
// or a delayed swap from before can always be told from what counts now.
//
// This core's fibers only. Every operation suspends, and answers only what is durable.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tradewind::catalog {

// The right to start transactions of a tenant. Two nodes never have it at the same epoch.
struct Ownership {
  NodeName owner;
  Epoch epoch;
  auto operator<=>(const Ownership&) const = default;
};

struct TenantRecord {
  TenantName name;
  std::string engine;
  Ownership ownership;
  int64_t created_at_ms = 0;  // Since 1970-01-01 UTC, as everywhere here.
  MoveId move;                // The move that is on; empty when none is.
  std::string objective;      // Its latency objective (pace/objective.h); empty when it has none.
  // The highest version of SQLite of the nodes that it has been on, as a number (3053002); 0 when none said it.
  int64_t sqlite = 0;
  std::string quotas = {};  // Its own (tenant/quotas.h); empty when it has none.
  auto operator<=>(const TenantRecord&) const = default;
};

struct NodeRecord {
  NodeName name;
  std::string url;
  bool draining = false;  // Its tenants move away, and it takes no new ones.
  int64_t sqlite = 0;  // The version of its SQLite, as a number; 0 when a program has it that does not say.
  auto operator<=>(const NodeRecord&) const = default;
};

// What a node says of itself when it starts. A name belongs to the data folder that registered it first.
struct Registration {
  NodeRecord node;           // Whether it is draining is ignored, and stays as it is.
  std::string folder = {};   // The identity of its data folder.
  std::string cluster = {};  // The cluster that the folder belongs to; empty when it has never registered.
  bool replace = false;      // Takes the name over from another folder.
  bool dry_run = false;      // Only says what would come of it.
};
struct Membership {
  std::string cluster;  // The cluster's identity, drawn when its catalog was made.
  std::string url;      // The address that the node had before; empty when its name is new.
  int64_t sqlite = 0;   // The version of SQLite that it had before.
};
inline constexpr std::string_view kNameTakenCode = "NODE_NAME_TAKEN";      // kRefused.
inline constexpr std::string_view kOtherClusterCode = "CLUSTER_MISMATCH";  // kRefused.
inline constexpr std::string_view kForgottenCode = "NODE_FORGOTTEN";       // kRefused.

// kRefused: an older SQLite may not read what a newer one has written (a table that is STRICT, an index on a
// function that it has not).
inline constexpr std::string_view kSqliteOlderCode = "SQLITE_OLDER";
// "3.53.2" of 3053002; "unknown" of 0.
std::string SqliteVersionText(int64_t version);

//   forward ──► done            the destination owns a complete, durable copy
//      │  └───► cancelled       the source owns; the swap was never carried out, or was fenced off
//      └► reverse ──► cancelled the source owns again, and its copy is complete and durable
enum class MoveState { kForward, kReverse, kDone, kCancelled };

constexpr bool IsOver(MoveState state) {
  return state == MoveState::kDone || state == MoveState::kCancelled;
}
std::string_view MoveStateName(MoveState state);
std::optional<MoveState> ParseMoveState(std::string_view name);

// Whether a move may go from one state to the other while the tenant has this owner. The owner matters: a
// move is cancelled only where the source owns (a destination that is ready drops its copy when it reads
// "cancelled"), and done or reversed only where the destination owns.
bool IsLegal(MoveState from, MoveState to, bool destination_owns);

struct MoveRecord {
  MoveId id;
  TenantName tenant;
  NodeName source;
  NodeName destination;
  std::string method;
  Epoch epoch_before;  // The tenant's when the move began.
  MoveState state = MoveState::kForward;
  std::string receipt;  // JSON; empty until one was saved.
  int64_t started_at_ms = 0;
  int64_t ended_at_ms = 0;  // 0 while it is on.
  std::string options;      // JSON; how the move is to be made (move/options.h). The catalog only keeps it.
  auto operator<=>(const MoveRecord&) const = default;
};

// What a compare-and-swap found. When it was not applied, the record says why: either somebody else was
// first, or this is a repeat of a swap that was applied before and whose answer was lost. In that case the
// record shows what was asked for.
struct SwapOutcome {
  bool applied = false;
  TenantRecord record;  // After the attempt.
  // Whether the tenant is now as the swap would have it, by this attempt or an earlier one.
  bool Shows(const Ownership& wanted) const { return record.ownership == wanted; }
};

struct MoveOutcome {
  bool applied = false;
  MoveRecord record;  // After the attempt.
  bool Shows(MoveState wanted) const { return record.state == wanted; }
};

// A change whose caller cannot know whether it was made: the answer was lost, or the catalog failed in the
// middle. Repeating it is safe: every change compares before it swaps.
inline constexpr std::string_view kAnswerLostCode = "ANSWER_LOST";  // kTimeout.
inline constexpr std::string_view kCatalogDownCode =
    "CATALOG_DOWN";  // kIo: its disk failed; it must be restarted.
bool OutcomeIsUnknown(const Error& error);

// TENANT_NOT_FOUND (kNotFound), in the same words wherever it is said.
Error NoSuchTenant(const TenantName& name);

// Besides the codes named below, every operation can fail with kUnavailable (nothing was done; a retry may
// succeed) and with the two codes above.
class Catalog {
 public:
  virtual ~Catalog() = default;

  // Adds a node, or gives a known one its new address and SQLite; its tenants have been on that from now on. NODE_NAME_TAKEN (another folder has the name, and it is
  // not to be replaced), CLUSTER_MISMATCH, NAME_INVALID; NODE_FORGOTTEN (its folder belongs to the cluster, which has
  // no node of the name any more).
  virtual Result<Membership> RegisterNode(const Registration& registration) = 0;
  virtual Result<void> SetDraining(const NodeName& name, bool draining) = 0;  // NODE_NOT_FOUND.
  virtual Result<std::vector<NodeRecord>> Nodes() = 0;                        // By name.
  // Takes a node that is gone for good out of the cluster. Its tenants are deleted with it (also those in moves, as
  // DeleteInMove() does), if that is asked for; how many those are. NODE_NOT_FOUND; kRefused: NODE_HAS_TENANTS,
  // NODE_IN_MOVES (an end of a move of another node's tenant).
  virtual Result<uint64_t> ForgetNode(const NodeName& name, bool delete_tenants) = 0;

  // The tenant starts at an epoch that its name never had. TENANT_EXISTS, NODE_NOT_FOUND, NAME_INVALID.
  virtual Result<TenantRecord> CreateTenant(const TenantName& name, const std::string& engine,
                                            const NodeName& owner) = 0;
  virtual Result<TenantRecord> GetTenant(const TenantName& name) = 0;  // TENANT_NOT_FOUND.
  virtual Result<std::vector<TenantRecord>> ListTenants() = 0;         // By name.
  // Those that have an objective, by name.
  virtual Result<std::vector<TenantRecord>> ListObjectives() = 0;
  // Empty takes it away. TENANT_NOT_FOUND.
  virtual Result<TenantRecord> SetObjective(const TenantName& name, const std::string& objective) = 0;
  // Those that have quotas of their own, by name.
  virtual Result<std::vector<TenantRecord>> ListQuotas() = 0;
  // Empty takes them away. TENANT_NOT_FOUND.
  virtual Result<TenantRecord> SetQuotas(const TenantName& name, const std::string& quotas) = 0;
  // How many tenants each node owns; nodes without any are left out.
  virtual Result<std::map<NodeName, uint64_t>> TenantCounts() = 0;
  // Only the owner that is expected loses its tenant. TENANT_NOT_FOUND; kRefused: OWNER_CHANGED,
  // MOVE_IN_PROGRESS.
  virtual Result<void> DeleteTenant(const TenantName& name, const Ownership& expected) = 0;
  // The same of a tenant that is in this move, which ends with it, as cancelled: one whose move cannot go on. Other
  // ends of it see that the tenant is gone, or its name at a later epoch, and drop what they have. OWNER_CHANGED also
  // when it is not in that move.
  virtual Result<void> DeleteInMove(const TenantName& name, const Ownership& expected,
                                    const MoveId& move) = 0;

  // The hand-over: (owner, epoch) becomes (to, epoch + 1), if it is still `from` and `move` is on.
  // TENANT_NOT_FOUND.
  virtual Result<SwapOutcome> Swap(const TenantName& name, const Ownership& from, const NodeName& to,
                                   const MoveId& move) = 0;
  // Makes a swap from `from` that may still be under way fail for ever: (owner, epoch) becomes (owner, epoch
  // + 1), and with it a forward move becomes cancelled. A reverse one stays reverse: its source (the owner)
  // makes a new list at the new epoch. Without a move it is a delete that may still be under way which is made
  // to fail. Not applied when ownership is no longer `from`. TENANT_NOT_FOUND.
  virtual Result<SwapOutcome> Fence(const TenantName& name, const Ownership& from, const MoveId& move) = 0;

  // Records a move in state forward, and makes it the tenant's; the state, the receipt and the times given
  // are ignored. A repeat with the same id returns the record. TENANT_NOT_FOUND, NODE_NOT_FOUND; kRefused:
  // MOVE_IN_PROGRESS (it names the move), OWNER_CHANGED (source or epoch_before are not the tenant's),
  // ALREADY_THERE, NODE_DRAINING (the destination), SQLITE_OLDER (its SQLite is older than one that the tenant has
  // been on).
  virtual Result<MoveRecord> BeginMove(const MoveRecord& move) = 0;
  // A compare-and-swap of the state, by IsLegal and never twice from one state; an end state frees the tenant
  // for another move. An empty receipt leaves the one that there is. MOVE_NOT_FOUND; MOVE_STEP_ILLEGAL
  // (kRefused).
  virtual Result<MoveOutcome> SetMoveState(const MoveId& id, MoveState from, MoveState to,
                                           const std::string& receipt) = 0;
  virtual Result<void> SaveReceipt(const MoveId& id, const std::string& receipt) = 0;     // MOVE_NOT_FOUND.
  virtual Result<void> SetMoveOptions(const MoveId& id, const std::string& options) = 0;  // MOVE_NOT_FOUND.
  // A move that is over is forgotten once limits::kKeptMoves others have begun after it: MOVE_NOT_FOUND.
  virtual Result<MoveRecord> GetMove(const MoveId& id) = 0;
  virtual Result<std::vector<MoveRecord>> ListMoves() = 0;      // Newest first, at most limits::kListedMoves.
  virtual Result<std::vector<MoveRecord>> ListLiveMoves() = 0;  // All that are not over, newest first.
};

}  // namespace tradewind::catalog
