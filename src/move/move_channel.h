// One move's end of the link between its two nodes (peer_link.h), in messages (messages.h).
//
// This core only. One fiber receives; any number send.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "base/memory_pool.h"
#include "base/result.h"
#include "move/byte_stream.h"
#include "move/messages.h"
#include "runtime/fiber.h"

namespace tradewind::move {

class PeerLink;

// Which of the link's two connections a message takes.
enum class Urgency { kUrgent, kBulk };

class MoveChannel {
 public:
  MoveChannel(std::shared_ptr<PeerLink> link, uint32_t number);
  ~MoveChannel();  // Closes. Requires: no call in progress.
  MoveChannel(const MoveChannel&) = delete;
  MoveChannel& operator=(const MoveChannel&) = delete;

  // Suspends until a message has come; what is urgent overtakes what came in bulk. A Failed message is
  // returned as its error; the end of the channel or of its link is an error too, after all that came before.
  Result<Message> Receive();
  // Fails with kTimeout when the deadline passes first.
  Result<Message> ReceiveUntil(runtime::TimePoint deadline);
  // Suspends until the message is with the transport: that is the back-pressure on whoever pushes.
  Result<void> Send(const Message& message, Urgency urgency = Urgency::kUrgent);
  Result<void> Send(EngineFrame frame, Urgency urgency = Urgency::kUrgent);
  // Ends the channel for both sides. Does not suspend.
  void Close();

  // Its bytes are not among the messages that Receive() returns.
  ByteStream& stream() { return stream_; }
  // Why nothing can be sent any more.
  const std::optional<Error>& ended() const { return ended_; }
  uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  friend class PeerLink;
  // Called by the link. Fails when the other side keeps to no window.
  Result<void> Deliver(Message message, Urgency lane, size_t bytes);
  void EndWith(const Error& why);

  const std::shared_ptr<PeerLink> link_;
  const uint32_t number_;
  struct Waiting {
    Message message;
    size_t bytes;
  };
  std::deque<Waiting> urgent_;
  std::deque<Waiting> bulk_;
  MemoryCharge waiting_{MemoryKind::kLinks};
  std::optional<Error> ended_;
  bool closed_ = false;
  runtime::WaitQueue arrived_;
  ByteStream stream_{*this};
  uint64_t bytes_sent_ = 0;
};

}  // namespace tradewind::move
