#include "runtime/descriptors.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {

Descriptors::Shares Descriptors::shares() const {
  const uint64_t reserve =
      std::clamp(limit_ / 8, limits::kLeastReservedDescriptors, limits::kMostReservedDescriptors);
  const uint64_t rest = limit_ > reserve ? limit_ - reserve : 0;
  return {rest / 2, rest / 2};
}

Descriptors::Registration::Registration(Registration&& other) noexcept
    : descriptors_(std::exchange(other.descriptors_, nullptr)), place_(other.place_) {}

Descriptors::Registration& Descriptors::Registration::operator=(Registration&& other) noexcept {
  std::swap(descriptors_, other.descriptors_);
  std::swap(place_, other.place_);
  return *this;
}

Descriptors::Registration::~Registration() {
  if (descriptors_) descriptors_->reliefs_.erase(place_);
}

Descriptors::Registration Descriptors::AddRelief(Relief relief) {
  return {this, reliefs_.insert(reliefs_.end(), std::move(relief))};
}

bool Descriptors::AwaitRoom(TimePoint deadline) {
  if (!CurrentFiber() || core_.Now() >= deadline) return false;
  ++waits_;
  // A copy: one that suspends may find its registration gone.
  for (const Relief& relief : std::vector<Relief>(reliefs_.begin(), reliefs_.end()))
    if (relief()) return true;
  SleepFor(limits::kDescriptorPause);
  return true;
}

}  // namespace tradewind::runtime
