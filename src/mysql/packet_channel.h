// Whole packets over a connection, for what is short: logins, and a server that is asked by this program itself.
// Whoever relays takes the connection back, with the bytes that were read too far.
//
// One fiber at a time. Sequence numbers follow the peer's and are not checked: over TCP they say nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "mysql/packet.h"
#include "runtime/network.h"

namespace tradewind::mysql {

// Puts into `unread` what comes next of the connection, in place of what it has. Suspends. MYSQL_CONNECTION_ENDED (kIo)
// when the peer has ended the stream; and the errors of the connection.
Result<void> ReadPiece(runtime::Connection& connection, std::string& unread);

class PacketChannel {
 public:
  // The connection outlives it, and its deadlines are the caller's.
  explicit PacketChannel(runtime::Connection& connection) : connection_(&connection) {}
  // In the middle of a conversation: what has come and was not read, and the number of the next frame.
  PacketChannel(runtime::Connection& connection, std::string unread, uint8_t sequence)
      : connection_(&connection), unread_(std::move(unread)), sequence_(sequence) {}

  // Suspends until a packet has come; returns its payload. kIo, MYSQL_CONNECTION_ENDED, when the peer has ended the
  // stream; kTooLarge, MYSQL_PACKET_TOO_LARGE, for more than `most_bytes`, after which nothing more can be read; and the
  // errors of the connection.
  Result<std::string> Read(size_t most_bytes);
  // Suspends until it is with the transport.
  Result<void> Write(std::string_view payload);
  // Bytes that are no packet, before the first one.
  Result<void> WriteBefore(std::string_view bytes);
  // Of the next frame.
  uint8_t sequence() const { return sequence_; }
  // The conversation goes on over another connection. Requires: nothing is unread.
  void GoOnOver(runtime::Connection& connection) { connection_ = &connection; }
  // The next Write begins a request.
  void BeginRequest() { sequence_ = 0; }

  // What has come behind the packets that were read; it is the caller's.
  std::string TakeUnread();

 private:
  runtime::Connection* connection_;
  PacketCutter cutter_;
  std::string unread_;
  uint8_t sequence_ = 0;  // Of the next frame.
};

}  // namespace tradewind::mysql
