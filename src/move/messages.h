// What travels between the two nodes of a move: frames of bytes on a peer link (peer_link.h), and the
// messages in them. docs/page-channel.md has the bytes.
//
// Frame (little-endian):
//   0   payload length u32 (at most limits::kFrameBytes)
//   4   version u8 = 2, message type u8 (the message's place in `Message`), zero u16
//   8   channel u32: which move of those on the link
//   12  lower half of the xxh3 of bytes 0..11, u32: a wrong length would make the reader wait for ever
//   16  xxh3 of bytes 0..15 and the payload, u64
//   24  payload
//
// "Sender" is the side whose pages travel: the source, and after a move was turned round (protocol.md step
// 10) the destination. "Receiver" is the other.
//
// The parser takes bytes from outside: it checks every length, and fails with kCorrupt rather than guess.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tradewind::move {

// Of Failed: the sums of the two ends differ.
inline constexpr std::string_view kMismatchCode = "HASH_MISMATCH";

enum class OfferKind : uint8_t {
  kInit,     // The sender owns: a new copy is to be made.
  kDual,     // The receiver owns, or is to learn it: the sender has the pages that it lacks.
  kReverse,  // The sender owns and goes back: the receiver has a frozen copy, to be made current.
  kVerify,   // As kDual, after sums that differed: both make theirs anew and compare again.
};

// Sender to receiver: the first message of a channel.
struct Offer {
  OfferKind kind = OfferKind::kInit;
  uint32_t attempt =
      1;  // Of init. From the second on the sender waits for Hello before it sends anything else.
  Epoch epoch;
  uint32_t page_size = 0;
  MoveId move;
  TenantName tenant;
  NodeName source;
};
// Receiver: its answer. The pages are sets as words (sqlite/page_set.h), empty unless it owns.
struct Hello {
  bool owner = false;
  uint64_t list = 0;  // The last one that it has made durable; 0: none.
  std::vector<uint64_t> arrived;
  std::vector<uint64_t> present;
};
// Sender: warm-up, pages of the list, answers to pulls, pushes.
struct Pages {
  bool pushed = false;  // The receiver says Took once it has dealt with them.
  std::vector<PageNumber> numbers;
  std::vector<std::byte> contents;  // numbers.size() pages, one after the other.
};
// Sender, before the list: the file's length, so that the receiver can lay it out; it answers Prepared.
struct Prepare {
  uint32_t page_count = 0;
};
struct Prepared {};
// Sender: the list of protocol.md step 2.
struct List {
  uint64_t number = 0;
  Epoch epoch;
  uint32_t page_count = 0;
  std::vector<uint64_t> handed;  // H: what the receiver has in its newest version.
  std::vector<uint64_t> free;    // Part of H: leaves of the freelist, whose content never matters.
};
// Receiver: all of that list is durable.
struct Ready {
  uint64_t list = 0;
};
// Sender: the swap has happened.
struct Own {
  Epoch epoch;
};
// Receiver: it serves; it has answered its first transaction.
struct Owned {};
struct FirstServed {};
// Receiver: a transaction waits for the page.
struct Pull {
  PageNumber page;
};
// Receiver: so many bytes that came in bulk have been dealt with.
struct Took {
  uint32_t bytes = 0;
};
// Sender: everything has been sent. Sum of the page hashes.
struct Complete {
  uint64_t sum = 0;
  uint32_t pages = 0;  // Of the file.
  uint32_t sent = 0;   // Of those in the sum.
};
// Receiver: everything is durable, the sums agree and the catalog says so.
struct Done {
  uint64_t pulls = 0;
  uint32_t pull_p50_us = 0;
  uint32_t pull_p99_us = 0;
};
// Receiver, when the sums differ, before Failed: the hashes of the pages from `first` on, 0 where nothing has
// come.
struct Hashes {
  PageNumber first;
  std::vector<uint64_t> values;
};
// Both: why the sender of this gives the channel up.
struct Failed {
  std::string code;
  std::string message;
};
// Both: the channel is closed.
struct End {};

using Message = std::variant<Offer, Hello, Pages, Prepare, Prepared, List, Ready, Own, Owned, FirstServed,
                             Pull, Took, Complete, Done, Failed, End, Hashes>;

inline constexpr size_t kFrameHeaderBytes = 24;
// A list has two bits for each page, and must fit into a frame.
inline constexpr uint32_t kMostPages = 60'000'000;

struct FrameHeader {
  uint32_t payload_bytes = 0;
  uint8_t type = 0;
  uint32_t channel = 0;
};

// A whole frame. The payload must be within limits::kFrameBytes.
std::vector<std::byte> Encode(const Message& message, uint32_t channel);

// The header of a frame, its first kFrameHeaderBytes; fails with kCorrupt (FRAME_CORRUPT) or kRefused
// (CHANNEL_VERSION).
Result<FrameHeader> ParseFrameHeader(Bytes header);
// The message of a frame; fails with kCorrupt (FRAME_CORRUPT) when the hash or anything else does not fit.
Result<Message> Decode(Bytes header, Bytes payload);
// The second half of Decode: a payload whose hash was right. Takes any bytes.
Result<Message> DecodePayload(uint8_t type, Bytes payload);

}  // namespace tradewind::move
