// Any bytes as each message of a move of a MariaDB tenant, and as each part that it adds to those of every move. What is
// taken must come through encoding unchanged.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "slacker/messages.h"

namespace {

using namespace tradewind;

template <typename T>
void DecodeOne(Bytes bytes) {
  const auto part = slacker::DecodePart<T>(bytes);
  if (!part) return;
  // A position, and the order of sums, may be written in more than one way.
  const move::Part encoded = slacker::EncodePart(*part);
  const auto again = slacker::DecodePart<T>(encoded);
  TW_CHECK(again.has_value() && slacker::EncodePart(*again) == encoded, "a part must not change on its way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes bytes = std::as_bytes(std::span(data, size)).subspan(1);
  DecodeOne<slacker::ListPart>(bytes);
  DecodeOne<slacker::SumsPart>(bytes);
  const auto message = slacker::Decode(
      {static_cast<uint8_t>(move::kFirstEngineType + data[0] % 12), {bytes.begin(), bytes.end()}});
  if (!message) return 0;
  move::EngineFrame frame = slacker::Encode(*message);
  const std::vector<std::byte> payload(frame.bytes.begin() + move::kFrameHeaderBytes, frame.bytes.end());
  const auto again = slacker::Decode({frame.type, payload});
  TW_CHECK(again.has_value(), "a message that was encoded here must decode");
  TW_CHECK(slacker::Encode(*again).bytes == frame.bytes, "a message must not change on its way");
  return 0;
}
