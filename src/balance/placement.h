// Where a tenant goes that nobody has given a place: to the node with the fewest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/member.h"
#include "gateway/forwarding.h"

namespace tradewind::balance {

struct NodePlace {
  NodeName name;
  bool up = false;
  bool draining = false;
  uint64_t tenants = 0;  // Those on their way there included, as far as is known.

  std::string url = {};
  int64_t sqlite = 0;  // The version of its SQLite, as a number; 0: not known.
  size_t cores = 0;    // 0: not known.

  bool Takes() const { return up && !draining; }
};

// Of the nodes that are up and not draining, the one with the fewest tenants; the first by name among equals.
// Null when there is none. The node called `unwanted` is taken only when it is the last resort.
NodePlace* ChoosePlace(std::vector<NodePlace>& places, const NodeName& unwanted = {});

// All nodes of the cluster, by name, as they are now: asks the catalog, and each node whether it is up, for
// at most limits::kNodeProbe. Fails as the catalog does. Suspends.
Result<std::vector<NodePlace>> FetchPlaces(const catalog::Member& member, gateway::Forwarding& forwarding);

}  // namespace tradewind::balance
