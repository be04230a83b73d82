// xxh3 with 64 bits: of pages, of frames on the wire, of records in files. Not against an adversary.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace tradewind {

uint64_t Hash64(Bytes bytes, uint64_t seed = 0);

}  // namespace tradewind
