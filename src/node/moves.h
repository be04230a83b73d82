// The moves that this node takes part in: it starts those of its own tenants, answers those of others, and
// goes on with either after a restart.
//
// This core only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "move/destination.h"
#include "move/host.h"
#include "move/source.h"
#include "node/local_tenants.h"
#include "runtime/fiber.h"

namespace tradewind::node {

struct MoveRequest {
  TenantName tenant;
  NodeName to;
  move::MoveOptions options;
};

class Moves {
 public:
  // `end_idle_streams` is called before a tenant that has moved away is closed here.
  Moves(move::MoveHost& host, LocalTenants& tenants, std::function<void(const TenantName&)> end_idle_streams);
  ~Moves();  // Requires: Stop() has returned.

  // Goes on after a restart with a journal entry that speaks of a move. To be called before the node serves.
  // Suspends.
  Result<void> Resume(const move::JournalEntry& entry);

  // Starts a move of a tenant that is here. Fails with the codes of Catalog::BeginMove, NODE_NOT_FOUND,
  // TENANT_NOT_HERE. Suspends.
  Result<move::Receipt> Start(const MoveRequest& request);
  // The receipt, as JSON, of a move whose source is this node and that has not ended; null otherwise.
  std::optional<std::string> LiveReceipt(const MoveId& id) const;
  std::optional<std::string> LiveReceiptOf(const TenantName& tenant) const;

  // Serves the source's end of a page channel that was opened to this node. Suspends until it ends.
  void ServeChannel(std::unique_ptr<move::PageChannel> channel);

  // If a copy of the tenant is on its way to this node: suspends until it serves, or the deadline passes.
  Result<void> AwaitArrival(const TenantName& tenant, runtime::TimePoint deadline);
  // Whether the tenant takes part in a move here, as either side.
  bool IsMoving(const TenantName& tenant) const;

  // Ends what is under way, to be resumed after a restart. Suspends. The host is stopping.
  void Stop();

 private:
  void Run(const std::shared_ptr<move::Source>& source, const TenantName& tenant, LocalTenants::Use use,
           std::optional<move::Role> resumed);
  Result<void> AwaitRoom(const TenantName& tenant);
  void EndSource(const TenantName& tenant, move::Source::Outcome outcome);

  move::MoveHost& host_;
  LocalTenants& tenants_;
  const std::function<void(const TenantName&)> end_idle_streams_;
  std::map<TenantName, std::shared_ptr<move::Source>> sources_;
  std::map<TenantName, std::shared_ptr<move::Destination>> destinations_;
  std::map<TenantName, move::PageChannel*> channels_;
  runtime::TaskGroup fibers_;
  size_t channels_served_ = 0;
  runtime::WaitQueue channel_ended_;
};

}  // namespace tradewind::node
