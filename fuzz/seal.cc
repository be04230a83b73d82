// Any bytes as the seal of a message: what is taken is read back from its text.
#include "net/seal.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto seal = net::ParseSeal(text))
    TW_CHECK(net::ParseSeal(net::ToText(*seal)) == seal, "a seal must be read back from its text");
  return 0;
}
