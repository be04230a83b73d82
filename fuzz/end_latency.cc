// Any bytes as what one node tells another about latency, and asks. What is taken must come through the
// encoding, and be numbers that the controller can go by.
#include "pace/end_latency.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto latency = pace::DecodeEndLatency(text)) {
    TW_CHECK(latency->now.p95_ms >= 0 && latency->usual_p95_ms >= 0, "a latency is never negative");
    TW_CHECK(pace::DecodeEndLatency(pace::Encode(*latency)).has_value(),
             "a message that was encoded here must decode");
  }
  if (const auto call = pace::DecodeLatencyCall(text)) {
    const auto again = pace::DecodeLatencyCall(pace::Encode(*call));
    TW_CHECK(again && again->tenants == call->tenants, "a list of tenants must not change on its way");
  }
  return 0;
}
