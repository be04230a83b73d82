// Any bytes as what one node tells another about the sizes of its tenants.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "node/tenant_sizes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const auto sizes = node::DecodeSizes({reinterpret_cast<const char*>(bytes), size});
  if (!sizes) return 0;
  const std::string encoded = node::EncodeSizes(*sizes);
  const auto again = node::DecodeSizes(encoded);
  TW_CHECK(again.has_value(), "sizes that were encoded here must decode");
  TW_CHECK(node::EncodeSizes(*again) == encoded, "sizes must not change on their way");
  return 0;
}
