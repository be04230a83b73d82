#include "gateway/health.h"

#include <boost/json.hpp>

#include "base/json_fields.h"

namespace tradewind::gateway {

std::string Encode(const Health& health) {
  return boost::json::serialize(
      boost::json::object{{"status", "ok"}, {"node", health.node}, {"cores", health.cores}});
}

std::optional<Health> DecodeHealth(std::string_view text) {
  const auto object = ParseJsonObject(text);
  const auto node = object ? FindText(*object, "node") : std::nullopt;
  if (!node || FindText(*object, "status") != "ok") return std::nullopt;
  return Health{NodeName(*node), FindUnsigned(*object, "cores").value_or(0)};
}

}  // namespace tradewind::gateway
