// What travels on a page channel between the source and the destination of a move: frames of bytes, and the
// messages in them.
//
// Frame (little-endian):
//   0   payload length u32 (at most limits::kFrameBytes)
//   4   version u8 = 1, message type u8, zero u16
//   8   xxh3 of bytes 0..7 and the payload, u64
//   16  payload
//
// Message           direction  payload
//   Offer           S -> D     phase u8 (0 init, 1 dual), epoch u64, page size u32, move, tenant, source
//   (text: u16 length, bytes) Hello           D -> S     state u8 (0 empty, 1 owner), arrived (words),
//   present (words); words: u32 count, u64 each Pages           S -> D     count u32, that many page numbers
//   u32, that many pages List            S -> D     list number u64, epoch u64, page count u32, H (words)
//   Ready           D -> S     list number u64
//   Own             S -> D     epoch u64
//   Owned           D -> S     empty: the destination serves
//   FirstServed     D -> S     empty: it has answered its first transaction
//   Pull            D -> S     page number u32
//   Took            D -> S     bytes u32: of pages that were pushed and have been dealt with
//   Complete        S -> D     sum of page hashes u64, pages u32: everything has been sent
//   Done            D -> S     pulls u64, pull p50 u32, pull p99 u32 (microseconds)
//   Failed          both       code, sentence (text): the sender gives this connection up
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

struct Offer {
  bool dual = false;
  Epoch epoch;
  uint32_t page_size = 0;
  MoveId move;
  TenantName tenant;
  NodeName source;
};
struct Hello {
  bool owner = false;
  std::vector<uint64_t> arrived;
  std::vector<uint64_t> present;
};
struct Pages {
  std::vector<PageNumber> numbers;
  std::vector<std::byte> contents;  // numbers.size() pages, one after the other.
};
struct Prepare {
  uint32_t page_count = 0;
};
struct Prepared {};
struct List {
  uint64_t number = 0;
  Epoch epoch;
  uint32_t page_count = 0;
  std::vector<uint64_t> handed;
};
struct Ready {
  uint64_t list = 0;
};
struct Own {
  Epoch epoch;
};
struct Owned {};
struct FirstServed {};
struct Pull {
  PageNumber page;
};
struct Took {
  uint32_t bytes = 0;
};
struct Complete {
  uint64_t sum = 0;
  uint32_t pages = 0;
};
struct Done {
  uint64_t pulls = 0;
  uint32_t pull_p50_us = 0;
  uint32_t pull_p99_us = 0;
};
struct Failed {
  std::string code;
  std::string message;
};

using Message = std::variant<Offer, Hello, Pages, Prepare, Prepared, List, Ready, Own, Owned, FirstServed,
                             Pull, Took, Complete, Done, Failed>;

inline constexpr size_t kFrameHeaderBytes = 16;

// A whole frame. The payload must be within limits::kFrameBytes.
std::vector<std::byte> Encode(const Message& message);

// How many payload bytes follow a frame header; fails with kCorrupt.
Result<uint32_t> PayloadLength(Bytes header);
// The message of a frame; fails with kCorrupt (code FRAME_CORRUPT) when the hash or anything else does not
// fit.
Result<Message> Decode(Bytes header, Bytes payload);
// The second half of Decode: a payload whose hash was right. Takes any bytes.
Result<Message> DecodePayload(uint8_t type, Bytes payload);

}  // namespace tradewind::move
