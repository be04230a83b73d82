#include "balance/placement.h"

#include <tuple>

#include "base/limits.h"
#include "catalog/member.h"
#include "gateway/forwarding.h"
#include "gateway/health.h"
#include "runtime/fiber.h"

namespace tradewind::balance {

NodePlace* ChoosePlace(std::vector<NodePlace>& places, const NodeName& unwanted) {
  const auto rank = [&](const NodePlace& place) {
    return std::tuple(place.name == unwanted, place.tenants, place.name);
  };
  NodePlace* best = nullptr;
  for (NodePlace& place : places)
    if (place.Takes() && (!best || rank(place) < rank(*best))) best = &place;
  return best;
}

Result<std::vector<NodePlace>> FetchPlaces(const catalog::Member& member, gateway::Forwarding& forwarding) {
  TW_TRY_ASSIGN(const auto records, member.catalog.Nodes());
  TW_TRY_ASSIGN(auto counts, member.catalog.TenantCounts());
  std::vector<NodePlace> places;
  for (const catalog::NodeRecord& record : records)
    places.push_back({record.name, record.name == member.self, record.draining, counts[record.name],
                      record.url, record.sqlite});
  runtime::TaskGroup probes(member.core);
  for (NodePlace& place : places) {
    if (place.up) {
      place.cores = member.core.siblings().size();
      continue;
    }
    probes.Spawn("probe of " + place.name, [&forwarding, &place] {
      net::HttpRequest probe;
      probe.target = "/health";
      const net::Answer answer = forwarding.Send(place.name, probe, limits::kNodeProbe);
      place.up = answer && answer->status == 200;
      const auto health = place.up ? gateway::DecodeHealth(answer->body) : std::nullopt;
      if (health) place.cores = health->cores;
    });
  }
  probes.Join();
  return places;
}

}  // namespace tradewind::balance
