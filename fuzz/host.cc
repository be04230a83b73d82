// Any bytes as a Host and as an Origin: what is taken is read back from its text, and holds nothing but a name.
#include "net/host.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto host = net::ParseHost(text)) {
    TW_CHECK(net::ParseHost(net::ToText(*host)) == host, "a host must be read back from its text");
    TW_CHECK(host->name.find_first_of("/@[]% ") == std::string::npos, "a host's name must be one");
  }
  if (const auto origin = net::ParseOrigin(text); origin.host)
    TW_CHECK(origin.host->port.value_or(origin.port) == origin.port, "an origin has its host's port");
  return 0;
}
