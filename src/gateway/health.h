// What a node that serves says of itself to whoever asks for GET /health: {"status": "ok", "node": NAME, "cores": N}.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace tradewind::gateway {

struct Health {
  NodeName node;
  size_t cores = 0;  // 0: of a version that does not say.
};

std::string Encode(const Health& health);
// Any text. None if no node says that.
std::optional<Health> DecodeHealth(std::string_view text);

}  // namespace tradewind::gateway
