// Any bytes as a URL, and as the target of a request.
#include "net/url.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto url = net::ParseUrl(text)) {
    TW_CHECK(url->address.port != 0 && !url->address.host.empty(), "a URL must name an address");
    TW_CHECK(url->target.starts_with('/'), "a target must be a path");
  }
  net::HttpRequest request;
  request.target = text;
  if (net::SplitTarget(request)) TW_CHECK(!request.path.empty(), "a target must have a path");
  return 0;
}
