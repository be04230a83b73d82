#include "move/byte_stream.h"

#include <algorithm>

#include "base/limits.h"
#include "move/move_channel.h"

namespace tradewind::move {

Result<size_t> ByteStream::Read(MutableBytes into) {
  WaitFor(changed_, [this] { return !unread_.empty() || ended_ || WhyOver(); });
  if (unread_.empty() && ended_) return size_t{0};
  if (unread_.empty()) return Fail(*WhyOver());
  const size_t count = std::min(into.size(), unread_.size());
  std::copy_n(unread_.begin(), count, into.begin());
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<ptrdiff_t>(count));
  charge_.Set(unread_.size());
  // A channel that has ended meanwhile needs no room any more.
  if (!channel_.ended()) static_cast<void>(channel_.Send(StreamAck{static_cast<uint32_t>(count)}));
  return count;
}

Result<void> ByteStream::Write(Bytes bytes) {
  while (!bytes.empty()) {
    WaitFor(changed_, [this] { return on_their_way_ < limits::kStreamWindowBytes || WhyOver(); });
    if (WhyOver()) return Fail(*WhyOver());
    const size_t count = std::min<size_t>(bytes.size(), limits::kStreamWindowBytes - on_their_way_);
    on_their_way_ += count;
    TW_TRY(channel_.Send(StreamBytes{{bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count)}},
                         Urgency::kBulk));
    bytes = bytes.subspan(count);
  }
  return {};
}

Result<void> ByteStream::EndWriting() {
  return channel_.Send(StreamEnd{}, Urgency::kBulk);
}

void ByteStream::Stop() {
  if (!stopped_)
    stopped_ = Error{ErrorKind::kIo, "STREAM_STOPPED", "the stream of the move was stopped here", ""};
  changed_.NotifyAll();
}

const std::optional<Error>& ByteStream::WhyOver() const {
  return channel_.ended() ? channel_.ended() : stopped_;
}

bool ByteStream::Deliver(const StreamBytes& came) {
  if (ended_ || unread_.size() + came.bytes.size() > limits::kStreamWindowBytes) return false;
  unread_.insert(unread_.end(), came.bytes.begin(), came.bytes.end());
  charge_.Set(unread_.size());
  changed_.NotifyAll();
  return true;
}

bool ByteStream::Deliver(const StreamAck& ack) {
  if (ack.bytes > on_their_way_) return false;
  on_their_way_ -= ack.bytes;
  changed_.NotifyAll();
  return true;
}

void ByteStream::DeliverEnd() {
  ended_ = true;
  changed_.NotifyAll();
}

void ByteStream::WakeAll() {
  changed_.NotifyAll();
}

}  // namespace tradewind::move
