// What the two ends of a move of an SQLite tenant say to each other beyond what every move says (move/messages.h): its
// own messages, and the parts that it adds to those of every move. docs/move-channel.md has the bytes.
//
// The parsers take bytes from outside: they check every length, and fail with kCorrupt rather than guess.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "move/messages.h"
#include "move/move_channel.h"

namespace tradewind::zephyr {

// -- Messages

// Source: warm-up, pages of the list, answers to pulls, pushes.
struct Pages {
  bool pushed = false;  // The destination says Ack once it has dealt with them.
  std::vector<PageNumber> numbers;
  std::vector<std::byte> contents;  // numbers.size() pages, one after the other.
};
// Source, before the list: the file's length, so that the destination can lay it out; it answers Prepared.
struct Prepare {
  uint32_t page_count = 0;
};
struct Prepared {};
// Destination: a transaction waits for the page.
struct Pull {
  PageNumber page;
};
// Destination: so many bytes that came in bulk have been dealt with.
struct Ack {
  uint32_t bytes = 0;
};
// Destination, when the sums differ, before Failed: the hashes of the pages from `first` on, 0 where nothing has
// come.
struct Hashes {
  PageNumber first;
  std::vector<uint64_t> values;
};

using Message = std::variant<Pages, Prepare, Prepared, Pull, Ack, Hashes>;

move::EngineFrame Encode(const Message& message);
move::EngineFrame EncodePages(const Pages& pages);  // The same, without a copy of the pages on the way.
Result<Message> Decode(move::EngineMessage message);
// Whether it is Pages.
bool IsPages(const move::EngineMessage& message);

Result<void> Send(move::MoveChannel& channel, const Message& message,
                  move::Urgency urgency = move::Urgency::kUrgent);

// -- Parts. Sets of pages are words (sqlite/page_set.h).

// Of Offer.
struct CopyPart {
  uint32_t page_size = 0;
};
// Of Hello; empty unless the destination has a copy that is ready.
struct GreetingPart {
  std::vector<uint64_t> arrived;
  std::vector<uint64_t> present;
};
// Of List (docs/move.md, step 2).
struct ListPart {
  uint32_t page_count = 0;
  std::vector<uint64_t> handed;  // H: what the destination has in its newest version.
  std::vector<uint64_t> free;    // Part of H: leaves of the freelist, whose content never matters.
};
// Of Complete: the sum of the page hashes.
struct SumPart {
  uint64_t sum = 0;
  uint32_t pages = 0;  // Of the file.
  uint32_t sent = 0;   // Of those in the sum.
};
// Of Done.
struct FiguresPart {
  uint64_t pulls = 0;
  uint32_t pull_p50_us = 0;
  uint32_t pull_p99_us = 0;
};

move::Part EncodePart(const CopyPart& part);
move::Part EncodePart(const GreetingPart& part);
move::Part EncodePart(const ListPart& part);
move::Part EncodePart(const SumPart& part);
move::Part EncodePart(const FiguresPart& part);
template <typename T>
Result<T> DecodePart(Bytes part);  // For each of them. An empty part of Hello is an empty greeting.

// A list has two bits for each page, and must fit into a frame.
inline constexpr uint32_t kMostPages = 60'000'000;

}  // namespace tradewind::zephyr
