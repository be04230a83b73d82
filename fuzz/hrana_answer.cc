// Any bytes as a server's answer to a pipeline.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "load/hrana_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto answer = load::ParsePipelineAnswer(text);
  if (!answer) return 0;
  for (const auto& result : answer->results) {
    if (!result) continue;
    static_cast<void>(load::ParseStatementResult(*result));
    static_cast<void>(load::ParseBatchResult(*result));
  }
  return 0;
}
