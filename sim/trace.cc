#include "sim/trace.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace tradewind::sim {

void Trace::Add(runtime::TimePoint at, std::string_view what, std::string_view whom, uint64_t number,
                Bytes bytes) {
  const uint64_t content = bytes.empty() ? 0 : XXH3_64bits(bytes.data(), bytes.size());
  const uint64_t fixed[] = {static_cast<uint64_t>(at.time_since_epoch().count()), number, bytes.size(),
                            content};
  hash_ = XXH3_64bits_withSeed(fixed, sizeof fixed, hash_);
  hash_ = XXH3_64bits_withSeed(what.data(), what.size(), hash_);
  hash_ = XXH3_64bits_withSeed(whom.data(), whom.size(), hash_);
  ++events_;
  if (sink_)
    sink_(fmt::format("{} {} {} {} {}:{:016x}", at.time_since_epoch().count(), what, whom, number,
                      bytes.size(), content));
}

}  // namespace tradewind::sim
