// Any bytes as what one node says to another of a client's session of MySQL's protocol. What is taken must come through the
// encoding unchanged.
#include "gateway/mysql_frames.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "given_bytes.h"

namespace {

template <typename Decode, typename Encode>
void CheckText(std::string_view text, const Decode& decode, const Encode& encode) {
  const auto decoded = decode(text);
  if (!decoded) return;
  const std::string encoded = encode(*decoded);
  const auto again = decode(encoded);
  TW_CHECK(again.has_value(), "what was encoded here must decode");
  TW_CHECK(encode(*again) == encoded, "nothing must change on its way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace tradewind::gateway;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  tradewind::fuzz::GivenBytes connection(text, size_t{bytes[0]} + 1);
  MysqlFrameReader reader(connection, "");
  while (const auto frame = reader.Next()) {
    std::string again;
    AppendFrame(again, frame->kind, frame->payload);
    TW_CHECK(again.size() == kMysqlFrameHeaderBytes + frame->payload.size(),
             "a frame is its header and its payload");
  }
  CheckText(text, DecodeLinkCall, EncodeLinkCall);
  CheckText(text, DecodeLoggedIn, EncodeLoggedIn);
  CheckText(text, DecodeAccountCall, EncodeAccountCall);
  CheckText(text, DecodeAccount, EncodeAccount);
  DecodeError(text);
  return 0;
}
