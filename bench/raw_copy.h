// The least that a move can cost: the bytes of a file through one loopback TCP connection into another file,
// which is made durable. Nothing else is done with them.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace tradewind::bench {

struct RawCopy {
  uint64_t bytes = 0;
  double seconds = 0;  // From the opening of both files to the end of fdatasync.
};

// read(2) and send(2) on one thread, recv(2), write(2) and at the end fdatasync(2) on another, 256 KiB at a
// time. `to` is made anew and left to the caller. Blocks. Fails with RAW_COPY_FAILED.
Result<RawCopy> CopyThroughSocket(const std::string& from, const std::string& to);

}  // namespace tradewind::bench
