// What travels between the two nodes of a move: frames of bytes on a peer link (peer_link.h), and the
// messages in them. docs/move-channel.md has the bytes.
//
// Frame (little-endian):
//   0   payload length u32 (at most limits::kFrameBytes)
//   4   version u8 = 3, message type u8, zero u16
//   8   channel u32: which move of those on the link
//   12  lower half of the xxh3 of bytes 0..11, u32: a wrong length would make the reader wait for ever
//   16  xxh3 of bytes 0..15 and the payload, u64
//   24  payload
//
// The messages here are those of every move; their type is their place in `Message`. What only an engine understands
// travels in them as a part of bytes, and in messages of its own: their type is kFirstEngineType or above, and its room
// (zephyr/) encodes and decodes them.
//
// "Source" is the side that passes the tenant on, and after a move was reversed (docs/move.md, "Cancel after the
// swap") the node that has it then. "Destination" is the other.
//
// The parser takes bytes from outside: it checks every length, and fails with kCorrupt rather than guess.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "move/message_codec.h"

namespace tradewind::move {

// Of Failed: the sums of the two ends differ.
inline constexpr std::string_view kMismatchCode = "HASH_MISMATCH";

// The other node of a move says what makes no sense where it is: its channel ends.
inline constexpr std::string_view kConfusedCode = "CHANNEL_CONFUSED";

enum class OfferKind : uint8_t {
  kInit,     // The source owns: a new copy is to be made.
  kDual,     // The destination owns, or is to learn it: the source has what it lacks.
  kReverse,  // The source owns and goes back: the destination has a frozen copy, to be made current.
  kVerify,   // As kDual, after sums that differed: both make theirs anew and compare again.
};

using Part = std::vector<std::byte>;  // Of a message: what the engine has encoded.

// Source to destination: the first message of a channel.
struct Offer {
  OfferKind kind = OfferKind::kInit;
  uint32_t attempt =
      1;  // Of init. From the second on the source waits for Hello before it sends anything else.
  Epoch epoch;
  MoveId move;
  TenantName tenant;
  NodeName source;
  std::string engine;
  Part part;  // What the copy has to be like.
};
// Destination: its answer.
struct Hello {
  bool owner = false;
  uint64_t list = 0;  // The last one that it has made durable; 0: none.
  Part part;          // What it has; empty unless it has a copy that is ready.
};
// Source: what the destination has to have by now, whole and in its newest version, to own. From here on a commit at the
// source touches none of it.
struct List {
  uint64_t number = 0;
  Epoch epoch;
  Part part;
};
// Destination: all of that list is durable.
struct Ready {
  uint64_t list = 0;
};
// Source: the swap has happened.
struct Own {
  Epoch epoch;
};
// Destination: it serves; it has answered its first transaction.
struct Owned {};
struct FirstServed {};
// Source: everything has been sent; what the copy is compared by.
struct Complete {
  Part part;
};
// Destination: everything is durable, the sums agree and the catalog says so.
struct Done {
  Part part;  // Its figures.
};
// Both: why the one that says this gives the channel up.
struct Failed {
  std::string code;
  std::string message;
};
// Both: the channel is closed.
struct End {};
// Both: of the channel's stream (byte_stream.h): bytes, how many of them were read, and that no more come.
struct StreamBytes {
  std::vector<std::byte> bytes;
};
struct StreamAck {
  uint32_t bytes = 0;
};
struct StreamEnd {};
// Both: a message of the engine.
struct EngineMessage {
  uint8_t type = 0;
  std::vector<std::byte> bytes;
};

using Message = std::variant<Offer, Hello, List, Ready, Own, Owned, FirstServed, Complete, Done, Failed, End,
                             StreamBytes, StreamAck, StreamEnd, EngineMessage>;

inline constexpr uint8_t kFirstEngineType = 64;

struct FrameHeader {
  uint32_t payload_bytes = 0;
  uint8_t type = 0;
  uint32_t channel = 0;
};

// A message of an engine, encoded by its room: the bytes begin with room for the header (MessageWriter), so that it
// becomes a frame without another copy.
struct EngineFrame {
  uint8_t type = 0;
  std::vector<std::byte> bytes;
};

// A whole frame. The payload must be within limits::kFrameBytes.
std::vector<std::byte> Encode(const Message& message, uint32_t channel);
std::vector<std::byte> Encode(EngineFrame frame, uint32_t channel);

// For an engine's own messages and parts: CHANNEL_CONFUSED (kCorrupt), and what was read if nothing is left behind it.
tl::unexpected<Error> CorruptMessage(const char* why);
template <typename T>
Result<T> WholeOf(const MessageReader& reader, T value) {
  if (!reader.at_end()) return CorruptMessage("it does not have its length");
  return value;
}

// The header of a frame, its first kFrameHeaderBytes; fails with kCorrupt (FRAME_CORRUPT) or kRefused
// (CHANNEL_VERSION).
Result<FrameHeader> ParseFrameHeader(Bytes header);
// The message of a frame; fails with kCorrupt (FRAME_CORRUPT) when the hash or anything else does not fit.
Result<Message> Decode(Bytes header, Bytes payload);
// The second half of Decode: a payload whose hash was right. Takes any bytes.
Result<Message> DecodePayload(uint8_t type, Bytes payload);

}  // namespace tradewind::move
