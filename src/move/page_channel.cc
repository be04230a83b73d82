#include "move/page_channel.h"

#include <utility>

#include "move/peer_link.h"

namespace tradewind::move {

PageChannel::PageChannel(std::shared_ptr<PeerLink> link, uint32_t number)
    : link_(std::move(link)), number_(number) {}

PageChannel::~PageChannel() {
  Close();
  link_->channels_.erase(number_);
}

Result<Message> PageChannel::Receive() {
  return ReceiveUntil(runtime::TimePoint::max());
}

Result<Message> PageChannel::ReceiveUntil(runtime::TimePoint deadline) {
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

Result<void> PageChannel::Send(const Message& message, Urgency urgency) {
  if (ended_) return Fail(*ended_);
  return link_->Send(message, number_, urgency, bytes_sent_);
}

void PageChannel::Close() {
  if (std::exchange(closed_, true)) return;
  if (!ended_) link_->SendEnd(number_);
  urgent_.clear();
  bulk_.clear();
  waiting_.Set(0);
  EndWith(Error{ErrorKind::kIo, "CHANNEL_CLOSED", "the page channel was closed here", ""});
}

void PageChannel::Deliver(Message message, Urgency lane, size_t bytes) {
  if (closed_) return;
  if (std::holds_alternative<End>(message))
    return EndWith(Error{ErrorKind::kIo, "CHANNEL_CLOSED", "the other node closed the page channel", ""});
  (lane == Urgency::kUrgent ? urgent_ : bulk_).push_back({std::move(message), bytes});
  waiting_.Set(waiting_.bytes() + bytes);
  arrived_.NotifyAll();
}

void PageChannel::EndWith(const Error& why) {
  if (!ended_) ended_ = why;
  arrived_.NotifyAll();
}

}  // namespace tradewind::move
