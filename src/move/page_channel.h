// One move's end of the link between its two nodes (peer_link.h), in messages (messages.h).
//
// This core only. One fiber receives; any number send.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "base/memory_pool.h"
#include "base/result.h"
#include "move/messages.h"
#include "runtime/fiber.h"

namespace tradewind::move {

class PeerLink;

// Which of the link's two connections a message takes.
enum class Urgency { kUrgent, kBulk };

class PageChannel {
 public:
  PageChannel(std::shared_ptr<PeerLink> link, uint32_t number);
  ~PageChannel();  // Closes. Requires: no call in progress.
  PageChannel(const PageChannel&) = delete;
  PageChannel& operator=(const PageChannel&) = delete;

  // Suspends until a message has come; what is urgent overtakes what came in bulk. A Failed message is
  // returned as its error; the end of the channel or of its link is an error too, after all that came before.
  Result<Message> Receive();
  // Fails with kTimeout when the deadline passes first.
  Result<Message> ReceiveUntil(runtime::TimePoint deadline);
  // Suspends until the message is with the transport: that is the back-pressure on whoever pushes.
  Result<void> Send(const Message& message, Urgency urgency = Urgency::kUrgent);
  // Ends the channel for both sides. Does not suspend.
  void Close();

  uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  friend class PeerLink;
  // Called by the link.
  void Deliver(Message message, Urgency lane, size_t bytes);
  // Of what has come and was not received.
  uint64_t waiting_bytes() const { return waiting_.bytes(); }
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
  uint64_t bytes_sent_ = 0;
};

}  // namespace tradewind::move
