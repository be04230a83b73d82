#include "move/page_channel.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tradewind::move {

Result<void> PageChannel::Fill(MutableBytes into) {
  while (!into.empty()) {
    if (!buffered_.empty()) {
      const size_t taken = std::min(buffered_.size(), into.size());
      std::memcpy(into.data(), buffered_.data(), taken);
      buffered_.erase(0, taken);
      into = into.subspan(taken);
      continue;
    }
    TW_TRY_ASSIGN(const size_t got, connection_->Read(into));
    if (got == 0) return Fail(ErrorKind::kIo, "CHANNEL_CLOSED", "the other node closed the page channel");
    into = into.subspan(got);
  }
  return {};
}

Result<Message> PageChannel::Receive() {
  std::array<std::byte, kFrameHeaderBytes> header;
  TW_TRY(Fill(header));
  TW_TRY_ASSIGN(const uint32_t length, PayloadLength(header));
  std::vector<std::byte> payload(length);
  TW_TRY(Fill(payload));
  TW_TRY_ASSIGN(Message message, Decode(header, payload));
  if (const auto* failed = std::get_if<Failed>(&message))
    return Fail(ErrorKind::kUnavailable, failed->code, failed->message);
  return message;
}

Result<Message> PageChannel::ReceiveUntil(runtime::TimePoint deadline) {
  connection_->SetReadDeadline(deadline);
  Result<Message> message = Receive();
  connection_->SetReadDeadline(runtime::TimePoint::max());
  return message;
}

Result<void> PageChannel::Send(const Message& message, Urgency urgency) {
  const std::vector<std::byte> frame = Encode(message);
  runtime::WaitQueue& queue = urgency == Urgency::kUrgent ? urgent_ : bulk_;
  while (sending_ && !closed_) queue.Wait();
  if (closed_) return Fail(ErrorKind::kIo, "CHANNEL_CLOSED", "the page channel is closed");
  sending_ = true;
  Result<void> written = connection_->Write(frame);
  sending_ = false;
  (urgent_.empty() ? bulk_ : urgent_).NotifyOne();
  if (written) bytes_sent_ += frame.size();
  return written;
}

void PageChannel::Close() {
  closed_ = true;
  connection_->Close();
  urgent_.NotifyAll();
  bulk_.NotifyAll();
}

}  // namespace tradewind::move
