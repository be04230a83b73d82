// A stream of bytes in both directions over a move's channel, for an engine that has a protocol of its own (a replica's
// connection to its source). It has one while the channel lasts.
//
// Back-pressure: no more than limits::kStreamWindowBytes of one direction are on their way and unread; who writes more
// waits until the other side has read. It travels on the bulk lane, so that control messages are never behind it.
//
// This core only. One fiber reads, one writes.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/memory_pool.h"
#include "base/result.h"
#include "move/messages.h"
#include "runtime/fiber.h"

namespace tradewind::move {

class MoveChannel;

class ByteStream {
 public:
  explicit ByteStream(MoveChannel& channel) : channel_(channel) {}
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // Suspends until something has come, and returns how much of it is in `into`; 0: no more comes. Fails when the channel
  // ends first.
  Result<size_t> Read(MutableBytes into);
  // Suspends until all of it is with the transport.
  Result<void> Write(Bytes bytes);
  // Nothing more is written; so far only the engine in the tests has an end to say. Suspends.
  Result<void> EndWriting();
  // Whoever reads or writes here gets an error, now and later: what uses it is to end before the channel does. Does not
  // suspend.
  void Stop();

 private:
  friend class MoveChannel;
  // Called by the channel. False: the other side keeps to no window.
  bool Deliver(const StreamBytes& came);
  bool Deliver(const StreamAck& ack);
  void DeliverEnd();
  void WakeAll();
  const std::optional<Error>& WhyOver() const;

  MoveChannel& channel_;
  std::deque<std::byte> unread_;
  MemoryCharge charge_{MemoryKind::kLinks};
  bool ended_ = false;  // By the other side.
  std::optional<Error> stopped_;
  uint64_t on_their_way_ = 0;
  runtime::WaitQueue changed_;
};

}  // namespace tradewind::move
