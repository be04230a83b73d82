#include "node/placement.h"

#include <tuple>

#include "base/limits.h"
#include "node/context.h"
#include "node/forwarding.h"
#include "runtime/fiber.h"

namespace tradewind::node {

NodePlace* ChoosePlace(std::vector<NodePlace>& places, const NodeName& unwanted) {
  const auto rank = [&](const NodePlace& place) {
    return std::tuple(place.name == unwanted, place.tenants, place.name);
  };
  NodePlace* best = nullptr;
  for (NodePlace& place : places)
    if (place.Takes() && (!best || rank(place) < rank(*best))) best = &place;
  return best;
}

Result<std::vector<NodePlace>> LookAtNodes(const Context& context, Forwarding& forwarding) {
  TW_TRY_ASSIGN(const auto records, context.catalog.Nodes());
  TW_TRY_ASSIGN(auto counts, context.catalog.TenantCounts());
  std::vector<NodePlace> places;
  for (const cluster::NodeRecord& record : records)
    places.push_back({record.name, record.name == context.self, record.draining, counts[record.name],
                      record.url, record.sqlite});
  runtime::TaskGroup probes(context.core);
  for (NodePlace& place : places) {
    if (place.up) continue;
    probes.Spawn("probe of " + place.name, [&forwarding, &place] {
      net::HttpRequest probe;
      probe.target = "/health";
      const Answer answer = forwarding.Send(place.name, probe, limits::kNodeProbe);
      place.up = answer && answer->status == 200;
    });
  }
  probes.Join();
  return places;
}

}  // namespace tradewind::node
