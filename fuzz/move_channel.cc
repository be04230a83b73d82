// Any bytes as a frame of a move's channel, and, past the hash that guards it, any bytes as the payload of
// each message. What is taken must come through encoding unchanged.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "move/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tradewind;
  const Bytes bytes = std::as_bytes(std::span(data, size));
  if (size >= move::kFrameHeaderBytes && move::ParseFrameHeader(bytes.first(move::kFrameHeaderBytes)))
    static_cast<void>(
        move::Decode(bytes.first(move::kFrameHeaderBytes), bytes.subspan(move::kFrameHeaderBytes)));
  if (size == 0) return 0;
  const auto message = move::DecodePayload(data[0], bytes.subspan(1));
  if (!message) return 0;
  const std::vector<std::byte> frame = move::Encode(*message, 1);
  const Bytes encoded(frame);
  const auto again =
      move::Decode(encoded.first(move::kFrameHeaderBytes), encoded.subspan(move::kFrameHeaderBytes));
  TW_CHECK(again.has_value(), "a message that was encoded here must decode");
  TW_CHECK(move::Encode(*again, 1) == frame, "a message must not change on its way");
  return 0;
}
