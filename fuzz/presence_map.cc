// Any bytes as a presence map, and, past the hash that guards it, any numbers in its header.
#include "sqlite/presence_map.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/hash.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tradewind;
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  static_cast<void>(sqlite::PresenceMap::Parse(bytes, "map"));
  if (size < 40) return 0;
  const uint64_t sum = Hash64(std::span(bytes).first(32));
  std::memcpy(bytes.data() + 32, &sum, sizeof sum);
  const auto map = sqlite::PresenceMap::Parse(bytes, "map");
  if (map) static_cast<void>((*map)->Present());
  return 0;
}
