// Parsing with Boost.JSON, except for its reading of floating-point numbers: in 1.81 that is off by a bit or
// more for about a third of all doubles, and a value that a client stores must come back as it was. Only .cc
// files include this.
#pragma once

#include <boost/json/storage_ptr.hpp>
#include <boost/json/value.hpp>
#include <string_view>

#include "base/result.h"

namespace tradewind::hrana {

// Depth of arrays and objects within each other; conditions of a batch are the only deep thing.
inline constexpr size_t kJsonDepth = 64;

// The value of a whole JSON text. Numbers have their exact value: int64, uint64, or the nearest double. Fails
// with code PROTOCOL_ERROR.
Result<boost::json::value> ParseJson(std::string_view text, boost::json::storage_ptr storage);

}  // namespace tradewind::hrana
