// How much may be on its way to the other node and not yet dealt with there. The less, the sooner the other
// node's core gets to other work between two pushes; but never less than the link holds, or a link with a
// long round trip would stand idle. So the window grows while what is on its way waits nowhere, and shrinks
// when it queues, as TCP Vegas does it (Brakmo and Peterson, 1995): of what is on its way, all beyond the
// share `shortest round trip / last round trip` is waiting somewhere. What a request finds before it in a slow
// link counts in time, so the least window is a millisecond of what the other node takes; a fast one needs more
// than a slow one also because each batch costs its nodes the same.
#pragma once

#include <cstdint>
#include <deque>

#include "base/limits.h"
#include "runtime/core.h"

namespace tradewind::zephyr {

// How much goes at once in the background at this pace, in bytes; a rate of 0 is none. A small batch is soon out of
// the way of requests on a link that the move nearly fills, but each has its cost: it wakes both nodes. So a slow
// move sends few, not small ones, or it would be felt as much as a fast one.
// Half of a window is the most, or there is nothing on its way while the other node deals with a batch.
uint64_t PushBytes(double rate_bytes_per_s, uint64_t window_bytes);

class FlowWindow {
 public:
  bool HasRoom() const { return in_flight_ < size_; }
  uint64_t in_flight() const { return in_flight_; }
  uint64_t size() const { return size_; }

  void NoteSent(uint64_t bytes, runtime::TimePoint now);
  // The other node has dealt with so many bytes, in the order of sending.
  void NoteAck(uint64_t bytes, runtime::TimePoint now);

 private:
  // The least size, by how fast the last round was taken.
  uint64_t Least(runtime::TimePoint now) const;

  struct Sent {
    uint64_t bytes;
    runtime::TimePoint at;
  };

  std::deque<Sent> sent_;
  uint64_t in_flight_ = 0;
  uint64_t size_ = limits::kPushWindowLeastBytes;
  uint64_t until_change_ = 0;  // Bytes that the other node deals with before the size is looked at again.
  uint64_t taken_ = 0;         // Since it was looked at last.
  runtime::TimePoint changed_at_{};
  bool was_full_ = false;
  runtime::Duration shortest_ = runtime::Duration::max();
};

}  // namespace tradewind::zephyr
