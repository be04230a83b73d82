// Any bytes as requests and responses, in pieces as a network gives them. What is taken must be the same once it was
// written and read again.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "given_bytes.h"
#include "net/http_wire.h"
#include "runtime/fiber.h"
#include "runtime/test_core.h"

namespace {

using namespace tradewind;
using fuzz::GivenBytes;

void ReadRequests(runtime::Core& core, std::string_view bytes, size_t piece) {
  GivenBytes connection(bytes, piece);
  net::MessageReader reader(core, connection, net::MessageReader::Side::kServer);
  net::HttpRequest request;
  while (true) {
    const auto facts = reader.ReadRequest(request);
    if (!facts || facts->ended) return;
    std::string written;
    net::AppendRequestHeader(written, request, {"host", 80});
    written += request.body;
    GivenBytes second(written, written.size());
    net::MessageReader again(core, second, net::MessageReader::Side::kServer);
    net::HttpRequest read;
    if (!again.ReadRequest(read)) continue;  // Its fields may be more than a header holds.
    TW_CHECK(read.method == request.method && read.target == request.target && read.body == request.body,
             "a request must not change on its way");
  }
}

void ReadResponses(runtime::Core& core, std::string_view bytes, size_t piece) {
  GivenBytes connection(bytes, piece);
  net::MessageReader reader(core, connection, net::MessageReader::Side::kClient);
  net::HttpResponse response;
  for (int messages = 0; messages < 100; ++messages)
    if (!reader.ReadResponse(response, false)) return;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const auto core = std::make_unique<runtime::TestCore>();
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const size_t piece = size_t{bytes[0]} + 1;
  core->Run([&] {
    ReadRequests(*core, text, piece);
    ReadResponses(*core, text, piece);
  });
  return 0;
}
