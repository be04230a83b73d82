// Packets on a stream of bytes.
//
//   frame   length of its payload, 3 bytes little-endian | sequence number, 1 byte | payload
//   packet  frames of 0xffffff bytes, and one that is shorter (it may be empty), which ends it
//
// Sequence numbers count the frames of a request and its answer together, modulo 256; each request begins with 0.
// Source: MariaDB KB, "0 - Packet"; "MySQL Internals", 14.1.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tradewind::mysql {

inline constexpr size_t kFrameHeaderBytes = 4;
inline constexpr size_t kLongestFrame = 0xffffff;

// Appends a packet as frames, the first of which has number `sequence`, which goes on to the number behind the last.
void AppendPacket(std::string& out, std::string_view payload, uint8_t& sequence);

// Cuts a stream into packets without keeping any: whoever relays one looks at its pieces as they pass.
class PacketCutter {
 public:
  struct Piece {
    size_t taken = 0;          // So many of the bytes given: header and payload of one frame. At least 1.
    std::string_view payload;  // What of them is payload, a view of the bytes given.
    bool begins = false;       // It has the end of a packet's first header, maybe without payload yet.
    bool ends = false;         // The packet is complete.
    uint8_t sequence = 0;      // Of the frame.
    size_t first_frame_bytes =
        0;  // Of the payload of the packet's first frame: all of it, if shorter than kLongestFrame.
  };
  // The next piece. Requires: `bytes` is not empty. Any bytes are pieces of some packet.
  Piece Next(std::string_view bytes);
  // Nothing of a packet has come, or all of it.
  bool between_packets() const { return !in_packet_ && header_bytes_ == 0; }

 private:
  std::array<char, kFrameHeaderBytes> header_{};
  size_t header_bytes_ = 0;  // So much of it has come.
  size_t frame_bytes_ = 0;
  size_t frame_left_ = 0;
  size_t first_frame_bytes_ = 0;
  bool in_packet_ = false;
};

}  // namespace tradewind::mysql
