// Any bytes as the body of a pipeline. What is taken must come through the encoding between nodes unchanged.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "hrana/decode.h"
#include "hrana/encode.h"
#include "hrana/run.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (auto pipeline = hrana::DecodePipeline(text)) {
    for (const auto& request : pipeline->requests) {
      std::string encoded = hrana::EncodeRequest(request);
      auto again = hrana::DecodeRequest(encoded);
      TW_CHECK(again.has_value(), "a request that was encoded here must decode");
      TW_CHECK(hrana::EncodeRequest(*again) == encoded, "a request must not change on its way");
    }
  }
  if (auto progress = hrana::DecodeProgress(text)) {
    auto again = hrana::DecodeProgress(hrana::EncodeProgress(*progress));
    TW_CHECK(again && again->steps.size() == progress->steps.size(), "progress must not change on its way");
  }
  return 0;
}
