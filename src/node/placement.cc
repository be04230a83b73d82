#include "node/placement.h"

#include <tuple>

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

}  // namespace tradewind::node
