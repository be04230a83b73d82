// What moves that follow latency draw on: a token bucket (token_bucket.h), or on another core than that of the bucket
// the part of it that this core has drawn (portioned_bucket.h).
//
// This core only.
#pragma once

#include <cstdint>
#include <functional>

namespace tradewind::pace {

class Throttle {
 public:
  virtual ~Throttle() = default;
  // Suspends until it is this caller's turn and there is room for it, then takes the bytes. Takes none and returns false
  // when `given_up` has become true, which it looks at when it is woken.
  virtual bool TakePaced(uint64_t bytes, const std::function<bool()>& given_up) = 0;
  // Takes the bytes at once. Does not suspend.
  virtual void TakeUrgent(uint64_t bytes) = 0;
  // Has everyone who waits look whether to give up.
  virtual void Wake() = 0;
  // Bytes a second, as far as this core knows; 0: no limit.
  virtual double rate() const = 0;
};

}  // namespace tradewind::pace
