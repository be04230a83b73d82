#include "move/core_answer.h"

#include <boost/json.hpp>

#include "base/json_fields.h"

namespace tradewind::move {

std::string Encode(const CoreAnswer& answer) {
  return boost::json::serialize(boost::json::object{{"core", answer.core}, {"cores", answer.cores}});
}

Result<CoreAnswer> DecodeCoreAnswer(std::string_view text) {
  const auto object = ParseJsonObject(text);
  const auto core = object ? FindUnsigned(*object, "core") : std::nullopt;
  const auto cores = object ? FindUnsigned(*object, "cores") : std::nullopt;
  if (!core || !cores || *core >= *cores)
    return Fail(ErrorKind::kCorrupt, "CORE_MESSAGE", "another node says nothing sensible of its cores",
                "run the same version of tradewind on both nodes");
  return CoreAnswer{*core, *cores};
}

}  // namespace tradewind::move
