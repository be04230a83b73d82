// One connection between the source and the destination of a move, in messages (messages.h). Urgent messages
// (control, pulls and their answers) overtake bulk ones (pushes) that wait for the connection; a bulk message
// in transmission is at most limits::kPageBatchBytes long.
//
// This core only. One fiber receives; any number send.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "move/messages.h"
#include "runtime/fiber.h"
#include "runtime/network.h"

namespace tradewind::move {

enum class Urgency { kUrgent, kBulk };

class PageChannel {
 public:
  // `leftover`: bytes of the peer that came with the upgrade's answer.
  PageChannel(std::unique_ptr<runtime::Connection> connection, std::string leftover)
      : connection_(std::move(connection)), buffered_(std::move(leftover)) {}

  // Suspends until a message has come. A Failed message is returned as its error; the end of the stream is
  // kIo.
  Result<Message> Receive();
  Result<Message> ReceiveUntil(runtime::TimePoint deadline);
  // Suspends until the message is with the transport: that is the back-pressure on whoever pushes.
  Result<void> Send(const Message& message, Urgency urgency = Urgency::kUrgent);
  void Close();

  uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  Result<void> Fill(MutableBytes into);

  std::unique_ptr<runtime::Connection> connection_;
  std::string buffered_;
  bool sending_ = false;
  bool closed_ = false;
  runtime::WaitQueue urgent_;
  runtime::WaitQueue bulk_;
  uint64_t bytes_sent_ = 0;
};

}  // namespace tradewind::move
