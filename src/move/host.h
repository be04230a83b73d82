// What a move needs of the node that it runs on. The node implements it; a test can too.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "move/journal.h"
#include "move/move_channel.h"
#include "move/step.h"
#include "pace/throttle.h"
#include "runtime/core.h"
#include "tenant/hosted_tenant.h"

namespace tradewind::move {

class Engine;

class MoveHost {
 public:
  virtual ~MoveHost() = default;
  virtual runtime::Core& core() = 0;
  virtual catalog::Catalog& catalog() = 0;
  virtual Journal& journal() = 0;  // Perhaps another core's.
  virtual const NodeName& self() const = 0;
  // Where the main file of a tenant is, or would be. Its WAL and presence map lie beside it, with a suffix.
  virtual std::string TenantPath(const TenantName& tenant) const = 0;
  // Opens a channel for a move of the tenant to another node, where it ends at the core that has the tenant, or will.
  // Suspends.
  virtual Result<std::unique_ptr<MoveChannel>> OpenChannel(const NodeName& peer, const TenantName& tenant,
                                                           runtime::TimePoint deadline) = 0;
  // By the name that the catalog has for it; null: this node has no such engine.
  virtual Engine* FindEngine(std::string_view name) = 0;
  // Of a tenant of which the journal speaks, by what is on the disk. Never suspends.
  virtual Engine& EngineOf(const TenantName& tenant) = 0;
  // What all moves of this node that follow latency draw on, and what sets its rate.
  virtual pace::Throttle& paced_throttle() = 0;
  // The node serves the tenant from now on. `first_answer` is called once, after the first transaction was
  // answered.
  virtual void Adopt(std::unique_ptr<tenant::HostedTenant> tenant, Epoch epoch,
                     std::function<void()> first_answer) = 0;
  // The move has come to this point. A test may end the node here; it does nothing else.
  virtual void Reached(Step) {}
  // Whether the tenant takes part in a move on another core of the node (Moves::IsMoving). Suspends.
  virtual bool IsMovingElsewhere(const TenantName&) { return false; }
  // The node is ending: whatever would be tried again is given up.
  virtual bool stopping() const = 0;
};

}  // namespace tradewind::move
