// Any bytes as what one node tells another about the sizes of its tenants.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "admin/tenant_sizes.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const auto sizes = admin::DecodeSizes({reinterpret_cast<const char*>(bytes), size});
  if (!sizes) return 0;
  const std::string encoded = admin::EncodeSizes(*sizes);
  const auto again = admin::DecodeSizes(encoded);
  TW_CHECK(again.has_value(), "sizes that were encoded here must decode");
  TW_CHECK(admin::EncodeSizes(*again) == encoded, "sizes must not change on their way");
  return 0;
}
