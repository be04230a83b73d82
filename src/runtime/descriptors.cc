#include "runtime/descriptors.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "runtime/call_on.h"
#include "runtime/fiber.h"

namespace tradewind::runtime {

Descriptors::Shares Descriptors::shares() const {
  const uint64_t reserve =
      std::clamp(limit_ / 8, limits::kLeastReservedDescriptors, limits::kMostReservedDescriptors);
  const uint64_t rest = limit_ > reserve ? limit_ - reserve : 0;
  const uint64_t tenants = std::min(rest / 2, most_of_tenants_);
  return {tenants, rest - tenants};
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
  if (GiveOneBack()) return true;
  AskOthers();
  SleepFor(limits::kDescriptorPause);
  return true;
}

bool Descriptors::GiveOneBack() {
  // A copy: one that suspends may find its registration gone.
  const std::vector<Relief> reliefs(reliefs_.begin(), reliefs_.end());
  return std::any_of(reliefs.begin(), reliefs.end(), [](const Relief& relief) { return relief(); });
}

// The limit is the process's, so what is idle on another core is as good. One of them may itself wait for one, and the
// call that waits here is made again soon anyway, so no answer is waited for.
void Descriptors::AskOthers() {
  const TimePoint now = core_.Now();
  if (now < ask_again_at_) return;
  ask_again_at_ = now + limits::kDescriptorPause;
  for (Core* const other : core_.siblings())
    if (other != &core_)
      SpawnOn(core_, *other, "give a descriptor back", [other] { other->descriptors().GiveOneBack(); });
}

}  // namespace tradewind::runtime
