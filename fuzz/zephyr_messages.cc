// Any bytes as each message of a move of an SQLite tenant, and as each part that it adds to those of every move. What is
// taken must come through encoding unchanged.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "zephyr/messages.h"

namespace {

using namespace tradewind;

template <typename T>
void DecodeOne(Bytes bytes) {
  const auto part = zephyr::DecodePart<T>(bytes);
  if (!part || bytes.empty()) return;  // An empty greeting is written at length.
  const move::Part encoded = zephyr::EncodePart(*part);
  TW_CHECK(std::equal(encoded.begin(), encoded.end(), bytes.begin(), bytes.end()),
           "a part must not change on its way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes bytes = std::as_bytes(std::span(data, size)).subspan(1);
  DecodeOne<zephyr::CopyPart>(bytes);
  DecodeOne<zephyr::GreetingPart>(bytes);
  DecodeOne<zephyr::ListPart>(bytes);
  DecodeOne<zephyr::SumPart>(bytes);
  DecodeOne<zephyr::FiguresPart>(bytes);
  const auto message = zephyr::Decode(
      {static_cast<uint8_t>(move::kFirstEngineType + data[0] % 8), {bytes.begin(), bytes.end()}});
  if (!message) return 0;
  move::EngineFrame frame = zephyr::Encode(*message);
  const std::vector<std::byte> payload(frame.bytes.begin() + move::kFrameHeaderBytes, frame.bytes.end());
  const auto again = zephyr::Decode({frame.type, payload});
  TW_CHECK(again.has_value(), "a message that was encoded here must decode");
  TW_CHECK(zephyr::Encode(*again).bytes == frame.bytes, "a message must not change on its way");
  return 0;
}
