// Any bytes as the file of a drain, and, past the hash that guards it, any bytes as its JSON.
#include "balance/drain_file.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/hash.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const std::string guarded = fmt::format("{}\n{:016x}\n", text, Hash64(std::as_bytes(std::span(text))));
  for (const std::string_view file : {text, std::string_view(guarded)}) {
    const auto request = balance::ParseDrainFile(file);
    if (!request) continue;
    const auto again = balance::ParseDrainFile(balance::DrainFileText(*request));
    TW_CHECK(again && again->to == request->to, "a drain must not change in its file");
  }
  return 0;
}
