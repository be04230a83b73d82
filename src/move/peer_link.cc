#include "move/peer_link.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace tradewind::move {

namespace {

// What one read takes at most, and at first; a longer frame makes the buffer grow.
constexpr size_t kReadBytes = 256u << 10;
constexpr size_t kFirstReadBytes = 16u << 10;
constexpr size_t kNumbersAhead = 10'000;

// When a frame that began then must have come, or have been taken.
runtime::TimePoint FrameDeadline(runtime::TimePoint began, size_t bytes) {
  return began + limits::kPageLinkWrite +
         std::chrono::milliseconds(bytes * 1000 / limits::kHttpLeastBytesPerSecond);
}

}  // namespace

PeerLink::~PeerLink() {
  TW_CHECK(channels_.empty(), "a link goes away under its channels");
}

void PeerLink::Join() {
  WaitFor(served_, [&] { return !lanes_[0].serving && !lanes_[1].serving; });
  fibers_.Join();
}

// -- Receiving

void PeerLink::Serve(Urgency kind, std::unique_ptr<runtime::Connection> connection, std::string leftover) {
  Lane& lane = lanes_[static_cast<size_t>(kind)];
  if (lost_ || lane.connection) return;  // Lost meanwhile; a second connection for one lane is refused.
  lane.connection = std::move(connection);
  lane.serving = true;
  lane.connected.NotifyAll();
  // What the other node sends may ask for more memory than there is: that costs the link.
  Result<void> read;
  try {
    read = Read(lane, kind, std::move(leftover));
  } catch (const std::bad_alloc&) {
    read = Fail(ErrorKind::kIo, "OUT_OF_MEMORY", "there is no memory for a frame of the peer link");
  }
  if (!read) Lose(std::move(read).error());
  {
    const runtime::FairLock::Hold nobody_sends(lane.sending);
    lane.connection.reset();
  }
  lane.serving = false;
  served_.NotifyAll();
}

Result<void> PeerLink::Read(Lane& lane, Urgency kind, std::string leftover) {
  std::vector<std::byte> buffer(std::max(kFirstReadBytes, leftover.size()));
  MemoryCharge charge(MemoryKind::kLinks);
  charge.Set(buffer.size());
  std::memcpy(buffer.data(), leftover.data(), leftover.size());
  size_t filled = leftover.size();
  runtime::TimePoint began = core_.Now();  // When the first byte came of the frame that is not whole.
  while (true) {
    const bool was_full = filled == buffer.size();
    TW_TRY_ASSIGN(const size_t taken, TakeFrames(Bytes(buffer).first(filled), kind));
    std::memmove(buffer.data(), buffer.data() + taken, filled - taken);
    filled -= taken;
    size_t wanted = kFrameHeaderBytes;
    if (filled >= kFrameHeaderBytes) {
      TW_TRY_ASSIGN(const FrameHeader header, ParseFrameHeader(Bytes(buffer).first(kFrameHeaderBytes)));
      wanted = kFrameHeaderBytes + header.payload_bytes;
    }
    // A frame says how long it is before it comes, and anybody can say so: the room grows with what has come.
    if (was_full && buffer.size() < std::max(wanted, kReadBytes)) {
      const size_t grown = std::min(2 * buffer.size(), std::max(wanted, kReadBytes));
      if (!charge.TrySet(grown))
        return Fail(ErrorKind::kUnavailable, "SERVER_MEMORY",
                    "a frame of a peer link needs more memory than is left of what the server may have");
      buffer.resize(grown);
    }
    if (buffer.size() > kReadBytes && wanted <= kReadBytes && filled <= kReadBytes) {
      buffer.resize(std::max(kReadBytes, filled + 1));
      buffer.shrink_to_fit();
      charge.Set(buffer.size());
    }
    if (lost_) return Fail(*lost_);
    if (taken > 0) began = core_.Now();
    lane.connection->SetReadDeadline(filled == 0 ? runtime::TimePoint::max() : FrameDeadline(began, wanted));
    lane.connection->ExpectAtLeast(wanted - filled);
    const bool begins = filled == 0;
    TW_TRY_ASSIGN(const size_t got, lane.connection->Read(MutableBytes(buffer).subspan(filled)));
    if (got == 0) return Fail(ErrorKind::kIo, "LINK_CLOSED", "the other node closed the peer link");
    filled += got;
    if (begins) began = core_.Now();
  }
}

Result<size_t> PeerLink::TakeFrames(Bytes bytes, Urgency kind) {
  size_t taken = 0;
  while (bytes.size() - taken >= kFrameHeaderBytes) {
    const Bytes start = bytes.subspan(taken, kFrameHeaderBytes);
    TW_TRY_ASSIGN(const FrameHeader header, ParseFrameHeader(start));
    if (bytes.size() - taken - kFrameHeaderBytes < header.payload_bytes) break;
    const Bytes payload = bytes.subspan(taken + kFrameHeaderBytes, header.payload_bytes);
    auto message = Decode(start, payload);
    if (!message) return Fail(std::move(message).error());
    TW_TRY(Deliver(header.channel, std::move(*message), kind, kFrameHeaderBytes + header.payload_bytes));
    taken += kFrameHeaderBytes + header.payload_bytes;
  }
  return taken;
}

Result<void> PeerLink::Deliver(uint32_t number, Message message, Urgency kind, size_t bytes) {
  auto found = channels_.find(number);
  if (found == channels_.end()) {
    if (!on_opened_) return {};
    // What still comes for a channel that was closed here is dropped; its number opens none again.
    TW_TRY_ASSIGN(const bool is_new, TakeNumber(number));
    if (!is_new || !std::holds_alternative<Offer>(message)) return {};
    auto channel = std::make_unique<MoveChannel>(shared_from_this(), number);
    found = channels_.emplace(number, channel.get()).first;
    auto carried = std::make_shared<std::unique_ptr<MoveChannel>>(std::move(channel));
    fibers_.Spawn("move channel", [this, carried] { on_opened_(std::move(*carried)); });
  }
  return found->second->Deliver(std::move(message), kind, bytes);
}

Result<bool> PeerLink::TakeNumber(uint32_t channel) {
  if (channel <= taken_up_to_ || !taken_.insert(channel).second) return false;
  while (!taken_.empty() && *taken_.begin() == taken_up_to_ + 1) {
    taken_.erase(taken_.begin());
    ++taken_up_to_;
  }
  // Offers of moves that begin at once may overtake each other, but not by thousands.
  if (taken_.size() > kNumbersAhead)
    return Fail(ErrorKind::kCorrupt, "CHANNEL_CONFUSED", "the other node leaves numbers of channels out");
  return true;
}

// -- Sending

Result<void> PeerLink::Send(const std::vector<std::byte>& frame, Urgency kind, uint64_t& bytes_sent) {
  Lane& lane = lanes_[static_cast<size_t>(kind)];
  const runtime::FairLock::Hold turn(lane.sending);
  WaitFor(lane.connected, [&] { return lane.connection || lost_; });
  if (lost_) return Fail(*lost_);
  lane.connection->SetWriteDeadline(FrameDeadline(core_.Now(), frame.size()));
  Result<void> written = lane.connection->Write(frame);
  if (!written) {
    Lose(written.error());
    return written;
  }
  bytes_sent += frame.size();
  return {};
}

void PeerLink::SendEnd(uint32_t channel) {
  if (lost_) return;
  fibers_.Spawn("end of a move channel", [self = shared_from_this(), channel] {
    uint64_t uncounted = 0;
    static_cast<void>(
        self->Send(Encode(End{}, channel), Urgency::kUrgent, uncounted));  // Lost: then it has ended.
  });
}

// -- Channels

std::unique_ptr<MoveChannel> PeerLink::Open() {
  auto channel = std::make_unique<MoveChannel>(shared_from_this(), ++last_channel_);
  channels_.emplace(last_channel_, channel.get());
  if (lost_) channel->EndWith(*lost_);
  return channel;
}

void PeerLink::Close() {
  Lose(Error{ErrorKind::kIo, "LINK_CLOSED", "the peer link was closed here", ""});
}

void PeerLink::Lose(Error why) {
  if (lost_) return;
  if (why.code == "FRAME_CORRUPT") log::error("a peer link is given up: {}", Describe(why));
  lost_ = std::move(why);
  for (Lane& lane : lanes_) {
    if (lane.connection) lane.connection->Close();
    lane.connected.NotifyAll();
  }
  for (const auto& [number, channel] : channels_) channel->EndWith(*lost_);
}

}  // namespace tradewind::move
