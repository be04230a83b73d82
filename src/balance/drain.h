// Moves every tenant off this node, many at a time, and keeps it empty until it is told to stop: a drain.
//
// That a node drains is recorded in the catalog, so that all nodes know and the drain goes on after a
// restart; where to and how fast is kept in a file of the node (a damaged or missing one: nothing moves until
// it is said again, rather than anywhere). While it drains, tenants that arrive all the
// same are moved too. It is over ("drained") while the node owns none.
//
// Small tenants go first. At most limits::kDrainMoves moves run at a time, and no more bytes than
// limits::kDrainBytes but for a larger tenant, which goes alone. Each goes to the node that has the fewest
// tenants, those on their way included. One that cannot be moved is tried again after a pause that doubles,
// elsewhere if possible; from limits::kDrainTries tries on it is named, with the reason, and still tried.
//
// This core only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "balance/placement.h"
#include "base/ids.h"
#include "base/result.h"
#include "move/moves.h"
#include "move/receipt.h"
#include "runtime/core.h"
#include "runtime/fiber.h"

namespace tradewind::balance {

struct DrainRequest {
  std::vector<NodeName> to;  // Only to these; empty: to any other node.
  move::Pace pace = {};      // Of all its moves together.
};

struct DrainProgress {
  enum class State { kNone, kDraining, kDrained, kStopped };
  struct Failure {
    TenantName tenant;
    std::string reason;
  };

  NodeName node;
  State state = State::kNone;
  uint64_t total = 0;  // Moved, and still here.
  uint64_t moved = 0;
  uint64_t moving = 0;  // Those in a move that somebody else started included.
  uint64_t bytes_moved = 0;
  double tenants_per_s = 0;  // Over the last seconds; once drained, from the start to the end.
  int64_t started_at = 0;    // Unix milliseconds; 0 for a node that does not drain.
  std::optional<double> eta_s;
  std::string waiting_for;
  std::vector<Failure> failures;
};

// {node, state, total, moved, failed, moving, bytes_moved, tenants_per_s, started_at, eta_s, waiting_for,
// failures: [{tenant, reason}]}; null where something does not apply.
std::string ToJson(const DrainProgress& progress);

class Drain {
 public:
  // What it does its work with. All but `tenants` may suspend.
  struct Callbacks {
    std::function<std::vector<TenantName>()> tenants;  // Those of this node.
    std::function<uint64_t(const TenantName&)> bytes_of;
    std::function<Result<std::vector<NodePlace>>()> places;  // All nodes.
    std::function<Result<void>(bool draining)> record;       // In the catalog.
    std::function<Result<move::Receipt>(const move::MoveRequest&)> move_to_end;
    std::function<void(const TenantName&, const move::Pace&)> set_pace;  // Of a move that runs.
  };

  // `file` is where the request is kept.
  Drain(runtime::Core& core, NodeName self, std::string file, Callbacks callbacks);
  ~Drain();  // Requires: Join() has returned.

  // Begins, or changes a drain that is on, whose failed tenants are tried again at once. Fails with
  // NODE_NOT_FOUND, DRAIN_TO_ITSELF (kInvalid), or as the catalog does. Suspends.
  Result<void> Start(const DrainRequest& request);
  // After a restart that found the node draining in the catalog. Suspends.
  void Resume();
  // Starts no more moves; those that run end. The node takes tenants again. Suspends.
  Result<void> Undrain();

  // Whether this node takes no tenants.
  bool draining() const { return draining_; }
  DrainProgress progress() const;

  // The node is ending: starts no more moves. Does not suspend.
  void Stop();
  // Suspends until nothing of it runs; after Stop(), and once its moves have been ended.
  void Join();

 private:
  struct Tenant {
    std::optional<uint64_t> bytes;  // Known once it is ready to go.
    bool moving = false;
    bool in_other_move = false;  // One that this drain did not start: of before a restart, or somebody's.
    NodeName to;                 // The last place tried.
    move::Pace pace;
    uint32_t tries = 0;
    std::string reason;
  };
  using Ready = std::set<std::pair<uint64_t, TenantName>>;

  void Begin(const DrainRequest& request);
  void Loop();
  void RefreshTenants();
  void SizeNewTenants();
  void RefreshPlaces();
  // The version of this node's SQLite: tenants that have been on it do not go to an older one.
  static int64_t SqliteOf(const std::vector<NodePlace>& places, const NodeName& name);
  void WakeRested();
  void StartMoves();
  void MoveOne(const TenantName& name);
  void NoteFailure(const TenantName& name, Tenant& tenant, const Result<move::Receipt>& receipt);
  void MakeReady(const TenantName& name);
  void Rest(const TenantName& name, runtime::Duration pause);
  move::Pace ShareFor(size_t moves) const;
  void ShareRate();
  bool IsDrained() const;
  std::string WhatIsMissing() const;
  double RecentRate() const;
  Result<void> KeepRequest(const DrainRequest& request);
  Result<DrainRequest> KeptRequest();

  runtime::Core& core_;
  const NodeName self_;
  const std::string file_;
  const Callbacks callbacks_;

  DrainRequest request_;
  std::string request_unknown_;  // Why it is not known, after a restart; then nothing is moved.
  bool draining_ = false;
  bool stopping_ = false;
  bool running_ = false;   // The loop.
  bool changing_ = false;  // Start or Undrain, which take turns.
  runtime::WaitQueue changed_;
  runtime::WaitQueue wake_;

  std::map<TenantName, Tenant> tenants_;  // Still here, as far as is known.
  Ready ready_;                           // By size.
  std::multimap<runtime::TimePoint, TenantName> resting_;
  size_t moving_ = 0;
  uint64_t moving_bytes_ = 0;
  std::vector<NodePlace> places_;
  std::string places_error_;
  bool places_known_ = false;
  int64_t sqlite_ = 0;  // Of this node.
  bool looking_ = false;
  runtime::TimePoint next_places_;
  runtime::TimePoint next_tenants_;

  uint64_t moved_ = 0;
  uint64_t bytes_moved_ = 0;
  int64_t started_at_ = 0;
  runtime::TimePoint started_;
  runtime::TimePoint last_moved_;
  std::deque<runtime::TimePoint> recent_;  // When tenants were moved, of the last seconds.

  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::balance
