// Any bytes as what a client says over a WebSocket, and as the body of a cursor or of version 1. What is taken of it must
// come through the encoding between nodes unchanged.
#include "hrana/socket_message.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"
#include "hrana/decode.h"
#include "hrana/encode.h"

namespace {

using namespace tradewind;

void GoesThroughUnchanged(const hrana::StreamRequest& request) {
  const std::string encoded = hrana::EncodeRequest(request);
  const auto again = hrana::DecodeRequest(encoded);
  TW_CHECK(again && hrana::EncodeRequest(*again) == encoded, "a request must not change on its way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto message = hrana::DecodeSocketMessage(text)) {
    if (const auto* request = std::get_if<hrana::SocketRequest>(&*message)) {
      const int least = hrana::LeastVersion(*request);
      TW_CHECK(least >= 1 && least <= 3, "there are three versions");
      if (const auto* on_stream = std::get_if<hrana::OnStream>(&request->what))
        GoesThroughUnchanged(on_stream->request);
    }
  }
  if (const auto cursor = hrana::DecodeCursor(text)) {
    TW_CHECK(cursor->requests.size() == 1, "a cursor has one batch");
    GoesThroughUnchanged(cursor->requests.front());
  }
  if (const auto alone = hrana::DecodeExecuteAlone(text)) GoesThroughUnchanged(*alone);
  if (const auto alone = hrana::DecodeBatchAlone(text)) GoesThroughUnchanged(*alone);
  return 0;
}
