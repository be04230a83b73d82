// What the moves of other nodes ask of this one at the door: which core has a tenant or should have it, and a lane of a
// link to that core.
//
// Core 0 only.
#pragma once

#include <vector>

#include "gateway/node_tenants.h"
#include "net/http.h"
#include "net/routes.h"
#include "node/core_parts.h"

namespace tradewind::node {

class MoveRoutes {
 public:
  // All of them outlive it; the parts by core.
  MoveRoutes(gateway::NodeTenants& tenants, std::vector<CoreParts*> parts)
      : tenants_(tenants), parts_(std::move(parts)) {}
  void AddTo(net::Routes& routes);

 private:
  net::Answer CoreFor(const net::HttpRequest& request);
  net::Answer OpenLane(const net::HttpRequest& request);

  gateway::NodeTenants& tenants_;
  const std::vector<CoreParts*> parts_;
};

}  // namespace tradewind::node
