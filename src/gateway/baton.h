// What a client is given to go on with its stream: "<node>.<random of the process>.<stream>.<random>". It says which
// gateway has the stream. It changes with every answer, so that each is used once; none is ever made a second time, also
// after a restart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "gateway/stream_call.h"
#include "runtime/core.h"

namespace tradewind::gateway {

struct Baton {
  NodeName node;
  GatewayId gateway;
  uint64_t stream = 0;
  std::string_view text;  // As it came; of the request.
};

// A new one.
std::string MakeBaton(runtime::Core& core, const GatewayId& gateway, uint64_t stream);
// None when the text is nothing that a gateway ever gives out.
std::optional<Baton> ParseBaton(std::string_view text);

// kInvalid: no stream has this baton.
tl::unexpected<Error> BadBaton();

}  // namespace tradewind::gateway
