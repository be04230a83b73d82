// Which core of a node has a tenant, or will when a move brings it there: what the node that sends asks (POST
// kCorePath, its body the name) before it opens a channel, so that its link ends there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tradewind::move {

inline constexpr std::string_view kCorePath = "/v1/internal/moves/core";
// Of a lane of a link, with ?id=&lane=&core=.
inline constexpr std::string_view kLinkPath = "/v1/internal/moves/link";

struct CoreAnswer {
  size_t core = 0;
  size_t cores = 1;  // That the node has.
};

std::string Encode(const CoreAnswer& answer);
// Any text. Fails with kCorrupt (CORE_MESSAGE).
Result<CoreAnswer> DecodeCoreAnswer(std::string_view text);

}  // namespace tradewind::move
