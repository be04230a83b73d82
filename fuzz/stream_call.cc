// Any bytes as what one node asks another to run, and as the answer. What is taken must come through the
// encoding unchanged.
#include "gateway/stream_call.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto call = gateway::DecodeStreamCall(text)) {
    const std::string encoded = gateway::Encode(*call);
    const auto again = gateway::DecodeStreamCall(encoded);
    TW_CHECK(again.has_value(), "a call that was encoded here must decode");
    TW_CHECK(gateway::Encode(*again) == encoded, "a call must not change on its way");
  }
  if (const auto answer = gateway::DecodeStreamAnswer(text)) {
    const std::string encoded = gateway::Encode(*answer);
    const auto again = gateway::DecodeStreamAnswer(encoded);
    TW_CHECK(again.has_value(), "an answer that was encoded here must decode");
    TW_CHECK(gateway::Encode(*again) == encoded, "an answer must not change on its way");
  }
  return 0;
}
