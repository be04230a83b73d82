#include "move/move_channel.h"

#include <utility>

#include "base/limits.h"
#include "move/peer_link.h"

namespace tradewind::move {

MoveChannel::MoveChannel(std::shared_ptr<PeerLink> link, uint32_t number)
    : link_(std::move(link)), number_(number) {}

MoveChannel::~MoveChannel() {
  Close();
  link_->channels_.erase(number_);
}

Result<Message> MoveChannel::Receive() {
  return ReceiveUntil(runtime::TimePoint::max());
}

Result<Message> MoveChannel::ReceiveUntil(runtime::TimePoint deadline) {
  while (urgent_.empty() && bulk_.empty()) {
    if (ended_) return Fail(*ended_);
    if (!arrived_.WaitUntil(deadline) && urgent_.empty() && bulk_.empty() && !ended_)
      return Fail(ErrorKind::kTimeout, "PEER_SILENT", "the other node of the move does not answer in time");
  }
  std::deque<Waiting>& from = urgent_.empty() ? bulk_ : urgent_;
  Message message = std::move(from.front().message);
  waiting_.Set(waiting_.bytes() - from.front().bytes);
  from.pop_front();
  if (const auto* failed = std::get_if<Failed>(&message))
    return Fail(ErrorKind::kUnavailable, failed->code, failed->message);
  return message;
}

Result<void> MoveChannel::Send(const Message& message, Urgency urgency) {
  if (ended_) return Fail(*ended_);
  return link_->Send(Encode(message, number_), urgency, bytes_sent_);
}

Result<void> MoveChannel::Send(EngineFrame frame, Urgency urgency) {
  if (ended_) return Fail(*ended_);
  return link_->Send(Encode(std::move(frame), number_), urgency, bytes_sent_);
}

void MoveChannel::Close() {
  if (std::exchange(closed_, true)) return;
  if (!ended_) link_->SendEnd(number_);
  urgent_.clear();
  bulk_.clear();
  waiting_.Set(0);
  EndWith(Error{ErrorKind::kIo, "CHANNEL_CLOSED", "the channel of the move was closed here", ""});
}

Result<void> MoveChannel::Deliver(Message message, Urgency lane, size_t bytes) {
  if (closed_) return {};
  const auto flooded = [] {
    return Fail(ErrorKind::kCorrupt, "CHANNEL_FLOODED",
                "the other node sends more on a channel of a move than is taken");
  };
  if (std::holds_alternative<End>(message)) {
    EndWith(Error{ErrorKind::kIo, "CHANNEL_CLOSED", "the other node closed the channel of the move", ""});
    return {};
  }
  if (const auto* came = std::get_if<StreamBytes>(&message))
    return stream_.Deliver(*came) ? Result<void>() : flooded();
  if (const auto* ack = std::get_if<StreamAck>(&message))
    return stream_.Deliver(*ack) ? Result<void>() : flooded();
  if (std::holds_alternative<StreamEnd>(message)) {
    stream_.DeliverEnd();
    return {};
  }
  // What a node sends is bounded by the windows of its moves; one that keeps to none would fill the memory.
  if (waiting_.bytes() + bytes > limits::kChannelWaitingBytes) return flooded();
  (lane == Urgency::kUrgent ? urgent_ : bulk_).push_back({std::move(message), bytes});
  waiting_.Set(waiting_.bytes() + bytes);
  arrived_.NotifyAll();
  return {};
}

void MoveChannel::EndWith(const Error& why) {
  if (!ended_) ended_ = why;
  arrived_.NotifyAll();
  stream_.WakeAll();
}

}  // namespace tradewind::move
