// What nodes say of themselves and of their cores: what is understood is written the same again.
#include "gateway/health.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "move/core_answer.h"

using tradewind::gateway::DecodeHealth;
using tradewind::move::DecodeCoreAnswer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto health = DecodeHealth(text)) {
    const auto again = DecodeHealth(tradewind::gateway::Encode(*health));
    TW_CHECK(again && again->node == health->node && again->cores == health->cores,
             "health changes on its way");
  }
  if (const auto answer = DecodeCoreAnswer(text)) {
    const auto again = DecodeCoreAnswer(tradewind::move::Encode(*answer));
    TW_CHECK(
        again && again->core == answer->core && again->cores == answer->cores && answer->core < answer->cores,
        "an answer about cores changes on its way");
  }
  return 0;
}
