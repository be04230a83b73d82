// The text of the file in which a node keeps how it was asked to drain: a line of JSON, and the xxh3 of that line in
// 16 hexadecimal digits as a second one. An earlier version wrote the JSON alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "balance/drain.h"

namespace tradewind::balance {

std::string DrainFileText(const DrainRequest& request);
// None when it is not as it was written. Takes any bytes.
std::optional<DrainRequest> ParseDrainFile(std::string_view text);

}  // namespace tradewind::balance
