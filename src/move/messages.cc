#include "move/messages.h"

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

namespace tradewind::move {

namespace {

constexpr uint8_t kVersion = 3;
constexpr size_t kSharedTypes = std::variant_size_v<Message> - 1;  // All but the engines'.
static_assert(kSharedTypes <= kFirstEngineType);
static_assert(std::is_same_v<std::variant_alternative_t<kSharedTypes, Message>, EngineMessage>);

using Writer = MessageWriter;
using Reader = MessageReader;

void Put(Writer& to, const Offer& m) {
  to.Number(static_cast<uint8_t>(m.kind));
  to.Number(m.attempt);
  to.Number(m.epoch.value);
  to.Text(m.move);
  to.Text(m.tenant);
  to.Text(m.source);
  to.Text(m.engine);
  to.Part(m.part);
}
void Put(Writer& to, const Hello& m) {
  to.Number(static_cast<uint8_t>(m.owner));
  to.Number(m.list);
  to.Part(m.part);
}
void Put(Writer& to, const List& m) {
  to.Number(m.number);
  to.Number(m.epoch.value);
  to.Part(m.part);
}
void Put(Writer& to, const Ready& m) {
  to.Number(m.list);
}
void Put(Writer& to, const Own& m) {
  to.Number(m.epoch.value);
}
void Put(Writer&, const Owned&) {}
void Put(Writer&, const FirstServed&) {}
void Put(Writer& to, const Complete& m) {
  to.Part(m.part);
}
void Put(Writer& to, const Done& m) {
  to.Part(m.part);
}
void Put(Writer& to, const Failed& m) {
  // They may tell what a third node has said.
  to.Text(m.code.substr(0, Writer::kLongestText));
  to.Text(m.message.substr(0, Writer::kLongestText));
}
void Put(Writer&, const End&) {}
void Put(Writer& to, const StreamBytes& m) {
  to.Raw(m.bytes);
}
void Put(Writer& to, const StreamAck& m) {
  to.Number(m.bytes);
}
void Put(Writer&, const StreamEnd&) {}
void Put(Writer& to, const EngineMessage& m) {
  to.Raw(m.bytes);
}

void Get(Reader& from, Offer& m) {
  m.kind = static_cast<OfferKind>(from.Number<uint8_t>());
  m.attempt = from.Number<uint32_t>();
  m.epoch.value = from.Number<uint64_t>();
  m.move = from.Text();
  m.tenant = from.Text();
  m.source = from.Text();
  m.engine = from.Text();
  m.part = from.Part();
}
void Get(Reader& from, Hello& m) {
  m.owner = from.Number<uint8_t>() != 0;
  m.list = from.Number<uint64_t>();
  m.part = from.Part();
}
void Get(Reader& from, List& m) {
  m.number = from.Number<uint64_t>();
  m.epoch.value = from.Number<uint64_t>();
  m.part = from.Part();
}
void Get(Reader& from, Ready& m) {
  m.list = from.Number<uint64_t>();
}
void Get(Reader& from, Own& m) {
  m.epoch.value = from.Number<uint64_t>();
}
void Get(Reader&, Owned&) {}
void Get(Reader&, FirstServed&) {}
void Get(Reader& from, Complete& m) {
  m.part = from.Part();
}
void Get(Reader& from, Done& m) {
  m.part = from.Part();
}
void Get(Reader& from, Failed& m) {
  m.code = from.Text();
  m.message = from.Text();
}
void Get(Reader&, End&) {}
void Get(Reader& from, StreamBytes& m) {
  const Bytes all = from.Raw(from.left());
  m.bytes.assign(all.begin(), all.end());
}
void Get(Reader& from, StreamAck& m) {
  m.bytes = from.Number<uint32_t>();
}
void Get(Reader&, StreamEnd&) {}
void Get(Reader& from, EngineMessage& m) {
  const Bytes all = from.Raw(from.left());
  m.bytes.assign(all.begin(), all.end());
}

uint32_t HashHeader(Bytes start) {
  return static_cast<uint32_t>(Hash64(start.first(12)));
}

uint64_t HashFrame(Bytes start, Bytes payload) {
  return Hash64(payload, Hash64(start.first(16)));
}

tl::unexpected<Error> Corrupt(const char* why) {
  return Fail(ErrorKind::kCorrupt, "FRAME_CORRUPT", std::string("a frame of a move is damaged: ") + why);
}

template <size_t... kIndex>
Message Make(uint8_t type, std::index_sequence<kIndex...>) {
  Message message;
  static_cast<void>(((type == kIndex ? (message.emplace<kIndex>(), true) : false) || ...));
  return message;
}

// Fills in the header, for which there is room.
std::vector<std::byte> Finish(std::vector<std::byte> frame, uint8_t type, uint32_t channel) {
  const size_t length = frame.size() - kFrameHeaderBytes;
  TW_CHECK(length <= limits::kFrameBytes, "a message too long for a frame");
  const auto length32 = static_cast<uint32_t>(length);
  std::memcpy(frame.data(), &length32, 4);
  frame[4] = std::byte{kVersion};
  frame[5] = std::byte{type};
  std::memcpy(frame.data() + 8, &channel, 4);
  const uint32_t header_hash = HashHeader(frame);
  std::memcpy(frame.data() + 12, &header_hash, 4);
  const uint64_t hash = HashFrame(frame, Bytes(frame).subspan(kFrameHeaderBytes));
  std::memcpy(frame.data() + 16, &hash, 8);
  return frame;
}

}  // namespace

tl::unexpected<Error> CorruptMessage(const char* why) {
  return Fail(ErrorKind::kCorrupt, std::string(kConfusedCode),
              std::string("a message of a move makes no sense: ") + why);
}

std::vector<std::byte> Encode(const Message& message, uint32_t channel) {
  Writer writer;
  std::visit([&](const auto& m) { Put(writer, m); }, message);
  const auto* of_engine = std::get_if<EngineMessage>(&message);
  return Finish(writer.Take(), of_engine ? of_engine->type : static_cast<uint8_t>(message.index()), channel);
}

std::vector<std::byte> Encode(EngineFrame frame, uint32_t channel) {
  TW_CHECK(frame.type >= kFirstEngineType, "an engine's message has the number of another");
  return Finish(std::move(frame.bytes), frame.type, channel);
}

Result<FrameHeader> ParseFrameHeader(Bytes header) {
  FrameHeader parsed;
  std::memcpy(&parsed.payload_bytes, header.data(), 4);
  parsed.type = std::to_integer<uint8_t>(header[5]);
  std::memcpy(&parsed.channel, header.data() + 8, 4);
  if (header[4] != std::byte{kVersion})
    return Fail(ErrorKind::kRefused, "CHANNEL_VERSION",
                "the other node speaks another version of what moves speak",
                "run the same version of tradewind on both nodes");
  uint32_t hash = 0;
  std::memcpy(&hash, header.data() + 12, 4);
  if (hash != HashHeader(header)) return Corrupt("the hash of its header does not fit");
  if (parsed.payload_bytes > limits::kFrameBytes) return Corrupt("its length is beyond the limit");
  return parsed;
}

Result<Message> Decode(Bytes header, Bytes payload) {
  uint64_t hash = 0;
  std::memcpy(&hash, header.data() + 16, 8);
  if (hash != HashFrame(header, payload)) return Corrupt("its hash does not fit");
  return DecodePayload(std::to_integer<uint8_t>(header[5]), payload);
}

Result<Message> DecodePayload(uint8_t type, Bytes payload) {
  if (type >= kSharedTypes && type < kFirstEngineType) return Corrupt("its type is unknown");
  Message message = type < kSharedTypes ? Make(type, std::make_index_sequence<kSharedTypes>{})
                                        : Message(EngineMessage{type, {}});
  Reader reader(payload);
  std::visit([&](auto& m) { Get(reader, m); }, message);
  if (!reader.at_end()) return Corrupt("its payload does not have its message's length");
  if (const auto* offer = std::get_if<Offer>(&message))
    if (offer->kind > OfferKind::kVerify) return Corrupt("its offer is of no known kind");
  return message;
}

}  // namespace tradewind::move
