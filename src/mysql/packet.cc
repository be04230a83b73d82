#include "mysql/packet.h"

#include <algorithm>

#include "base/check.h"
#include "mysql/fields.h"

namespace tradewind::mysql {

void AppendPacket(std::string& out, std::string_view payload, uint8_t& sequence) {
  for (;;) {
    const std::string_view frame = payload.substr(0, kLongestFrame);
    AddInteger(out, frame.size(), 3);
    AddInteger(out, sequence++, 1);
    out += frame;
    payload.remove_prefix(frame.size());
    if (frame.size() < kLongestFrame) return;
  }
}

PacketCutter::Piece PacketCutter::Next(std::string_view bytes) {
  TW_CHECK(!bytes.empty(), "a piece has at least one byte");
  Piece piece;
  if (header_bytes_ < kFrameHeaderBytes) {
    piece.taken = std::min(bytes.size(), kFrameHeaderBytes - header_bytes_);
    std::copy_n(bytes.begin(), piece.taken, header_.begin() + static_cast<ptrdiff_t>(header_bytes_));
    header_bytes_ += piece.taken;
    if (header_bytes_ < kFrameHeaderBytes) return piece;
    FieldReader header({header_.data(), header_.size()});
    frame_left_ = frame_bytes_ = header.Integer(3);
    piece.begins = !in_packet_;
    if (piece.begins) first_frame_bytes_ = frame_bytes_;
    in_packet_ = true;
  }
  piece.payload = bytes.substr(piece.taken, frame_left_);
  piece.taken += piece.payload.size();
  piece.sequence = static_cast<uint8_t>(header_[3]);
  piece.first_frame_bytes = first_frame_bytes_;
  frame_left_ -= piece.payload.size();
  if (frame_left_ == 0) {
    header_bytes_ = 0;
    piece.ends = frame_bytes_ < kLongestFrame;
    in_packet_ = !piece.ends;
  }
  return piece;
}

}  // namespace tradewind::mysql
