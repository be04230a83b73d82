// What the two ends of a move of a MariaDB instance say to each other beyond what every move says (move/messages.h): its own
// messages, and the parts that it adds to those of every move. The bytes of the copy, and those between a replica and its
// primary, travel in the channel's stream (tunnel.h).
//
//   source                     destination
//   Begin                  ->
//   (the snapshot)         =>
//   SnapshotSent           ->
//   Grant, Grant, …       <->  Used, Used, …        while the copy is prepared
//                          <-  Follows              it runs, and follows as a replica
//   Reach 1               <->  Reached 1            rounds, until one takes a moment
//   …
//   Reach n               <->  Reached n            frozen
//   List, Ready, the swap, Own                      as in every move
//                          <-  Primary              the source follows as a replica in its turn
//   Compare               <->  CompareAt
//   Complete               ->                       as in every move
//                          <-  Difference           if there is one
//
// A tenant that goes back has a copy there: no snapshot is sent, and Follows comes at once.
//
// The parsers take bytes from outside: they check every length, and fail with kCorrupt rather than guess.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/result.h"
#include "mariadb/checksums.h"
#include "mariadb/gtid_position.h"
#include "mariadb/replication.h"
#include "move/messages.h"
#include "move/move_channel.h"

namespace tradewind::slacker {

using Position = mariadb::GtidPosition;
using mariadb::PrimaryLogin;
using mariadb::TableSums;

// -- Source
struct Begin {
  PrimaryLogin login;       // Of the source's instance, for the replica that the copy becomes.
  std::string version;      // Of its server.
  bool compressed = false;  // The snapshot is.
};
// The tool says that the snapshot is whole; it has so many bytes.
struct SnapshotSent {
  uint64_t bytes = 0;
};
// So many bytes may the preparation have read and written in all by now; or the comparison have read.
struct Grant {
  uint64_t bytes = 0;
};
// The destination says when it has followed to there; `durable`: that it has this, and all that comes after it, on its disk.
struct Reach {
  uint32_t round = 0;
  Position position;
  bool durable = false;
};
// The source follows no further: the destination takes a snapshot, and sums it up. Sums of another kind are of no use here.
struct Compare {
  static constexpr uint8_t kSumsOfRows = 2;
};

// -- Destination
struct Used {
  uint64_t bytes = 0;
};
inline constexpr uint64_t kAllRead = UINT64_MAX;  // By a comparison.
struct Follows {
  Position position;
};
struct Reached {
  uint32_t round = 0;
  Position position;
};
// It owns, and takes writes.
struct Primary {
  PrimaryLogin login;
};
// Of what its snapshot is.
struct CompareAt {
  Position position;
};
struct Difference {
  std::string text;
};

using Message = std::variant<Begin, SnapshotSent, Grant, Reach, Compare, Used, Follows, Reached, Primary,
                             CompareAt, Difference>;

Result<Message> Decode(const move::EngineMessage& message);
// Whether it is Begin.
bool IsBegin(const move::EngineMessage& message);
move::EngineFrame Encode(const Message& message);
inline Result<void> Send(move::MoveChannel& channel, const Message& message) {
  return channel.Send(Encode(message));
}

// -- Parts

// Of List: to where the copy has to have followed.
struct ListPart {
  Position position;
};
// Of Complete.
struct SumsPart {
  TableSums sums;
};

move::Part EncodePart(const ListPart& part);
move::Part EncodePart(const SumsPart& part);
template <typename T>
Result<T> DecodePart(Bytes part);  // For each of them.

}  // namespace tradewind::slacker
