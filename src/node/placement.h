// Where a tenant goes that nobody has given a place: to the node with the fewest.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace tradewind::node {

struct NodePlace {
  NodeName name;
  bool up = false;
  bool draining = false;
  uint64_t tenants = 0;  // Those on their way there included, as far as is known.

  bool Takes() const { return up && !draining; }
};

// Of the nodes that are up and not draining, the one with the fewest tenants; the first by name among equals.
// Null when there is none. The node called `unwanted` is taken only when it is the last resort.
NodePlace* ChoosePlace(std::vector<NodePlace>& places, const NodeName& unwanted = {});

}  // namespace tradewind::node
