#include "gateway/baton.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "hrana/error_codes.h"
#include "runtime/random_id.h"

namespace tradewind::gateway {

std::string MakeBaton(runtime::Core& core, const GatewayId& gateway, uint64_t stream) {
  return fmt::format("{}.{}.{}", gateway, stream, runtime::RandomId(core));
}

std::optional<Baton> ParseBaton(std::string_view text) {
  std::array<std::string_view, 4> parts;
  std::string_view rest = text;
  for (size_t index = 0; index < parts.size(); ++index) {
    const size_t dot = rest.find('.');
    if ((dot == std::string_view::npos) != (index + 1 == parts.size())) return std::nullopt;
    parts[index] = rest.substr(0, dot);
    rest.remove_prefix(std::min(rest.size(), parts[index].size() + 1));
  }
  const auto& [node, process, number, random] = parts;
  if (!IsValidName(node) || !runtime::IsRandomId(process) || !runtime::IsRandomId(random))
    return std::nullopt;
  Baton baton{std::string(node), fmt::format("{}.{}", node, process), 0, text};
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), baton.stream);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  return baton;
}

tl::unexpected<Error> BadBaton() {
  return Fail(ErrorKind::kInvalid, std::string(hrana::kBatonInvalid),
              "the baton is unknown or was used before");
}

}  // namespace tradewind::gateway
