#include "mysql/packet_channel.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/limits.h"

namespace tradewind::mysql {

Result<void> ReadPiece(runtime::Connection& connection, std::string& unread) {
  unread.resize(limits::kMysqlReadBytes);
  const auto count = connection.Read(std::as_writable_bytes(std::span(unread)));
  unread.resize(count ? *count : 0);
  if (!count) return Fail(count.error());
  if (*count == 0)
    return Fail(ErrorKind::kIo, "MYSQL_CONNECTION_ENDED",
                connection.peer().ToString() + " has ended the connection");
  return {};
}

Result<std::string> PacketChannel::Read(size_t most_bytes) {
  std::string payload;
  for (;;) {
    size_t taken = 0;
    while (taken < unread_.size()) {
      const PacketCutter::Piece piece = cutter_.Next(std::string_view(unread_).substr(taken));
      taken += piece.taken;
      if (payload.size() + piece.payload.size() > most_bytes)
        return Fail(ErrorKind::kTooLarge, "MYSQL_PACKET_TOO_LARGE",
                    "a packet of " + connection_->peer().ToString() + " is larger than " +
                        std::to_string(most_bytes) + " bytes");
      payload += piece.payload;
      if (!piece.ends) continue;
      unread_.erase(0, taken);
      sequence_ = static_cast<uint8_t>(piece.sequence + 1);
      return payload;
    }
    TW_TRY(ReadPiece(*connection_, unread_));
  }
}

Result<void> PacketChannel::Write(std::string_view payload) {
  std::string frames;
  AppendPacket(frames, payload, sequence_);
  return connection_->Write(std::as_bytes(std::span(frames)));
}

Result<void> PacketChannel::WriteBefore(std::string_view bytes) {
  return connection_->Write(std::as_bytes(std::span(bytes)));
}

std::string PacketChannel::TakeUnread() {
  return std::exchange(unread_, {});
}

}  // namespace tradewind::mysql
