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
//   drain_queue.h   which tenant is next        drain_places.h  where to
//   drain_moves.h   what moves, and how fast    drain_file.h    how it was asked to, for after a restart
//   drain_meter.h   what it has moved
//
// This core only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "balance/drain_file.h"
#include "balance/drain_meter.h"
#include "balance/drain_moves.h"
#include "balance/drain_places.h"
#include "balance/drain_progress.h"
#include "balance/drain_queue.h"
#include "balance/placement.h"
#include "base/ids.h"
#include "base/result.h"
#include "move/moves.h"
#include "move/receipt.h"
#include "runtime/core.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"

namespace tradewind::balance {

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
  void Begin(const DrainRequest& request);
  void Loop();
  void RefreshTenants();
  void SizeNewTenants();
  void RefreshPlaces();
  void StartMoves();
  void MoveOne(const TenantName& name);
  void NoteUnmoved(const TenantName& name, const Result<move::Receipt>& receipt, const NodeName& to);
  void ShareRate();
  bool IsOver() const { return draining_ && tenants_.size() == 0 && moves_.size() == 0; }
  std::string WhatIsMissing() const;

  runtime::Core& core_;
  const NodeName self_;
  const Callbacks callbacks_;
  DrainFile file_;
  runtime::FairLock changes_;  // Start and Undrain take turns.

  std::string request_unknown_;  // Why it is not known, after a restart; then nothing is moved.
  bool draining_ = false;
  bool stopping_ = false;
  bool running_ = false;  // The loop.
  runtime::WaitQueue wake_;

  DrainQueue tenants_;
  DrainMoves moves_;
  DrainPlaces places_;
  DrainMeter meter_;
  runtime::TimePoint next_tenants_;  // When to look which are here.

  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::balance
