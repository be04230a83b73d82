#include "pace/portioned_bucket.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/call_on.h"

namespace tradewind::pace {

PortionedBucket::PortionedBucket(runtime::Core& core, runtime::Core& first, TokenBucket& bucket)
    : core_(core), first_(first), bucket_(bucket), pushes_(core), fibers_(core) {
  TW_CHECK(&core != &first, "a core draws portions of its own bucket");
}

PortionedBucket::~PortionedBucket() = default;

bool PortionedBucket::TakePaced(uint64_t bytes, const std::function<bool()>& given_up) {
  core_.AssertHere();
  const auto look_again = [this]() -> std::optional<runtime::TimePoint> {
    if (have_ > 0) return std::nullopt;
    Draw();
    return runtime::TimePoint::max();  // It wakes them.
  };
  if (!pushes_.AwaitRoom(given_up, look_again)) return false;
  TakeUrgent(bytes);
  return true;
}

void PortionedBucket::TakeUrgent(uint64_t bytes) {
  core_.AssertHere();
  have_ -= static_cast<int64_t>(bytes);
  if (IsWanted()) Draw();
}

void PortionedBucket::Wake() {
  core_.AssertHere();
  pushes_.Wake();
}

void PortionedBucket::Draw() {
  if (std::exchange(drawing_, true)) return;
  fibers_.Spawn("portion", [this] { DrawPortions(); });
}

// A debt has been sent already, so it is not waited for. What is wanted beyond it is taken before it is sent.
void PortionedBucket::DrawPortions() {
  while (IsWanted() && !given_up_) {
    const auto debt = static_cast<uint64_t>(std::max<int64_t>(-have_, 0));
    const bool waits = !pushes_.empty();
    struct Drawn {
      uint64_t bytes;
      double rate;
    };
    const Drawn drawn = runtime::CallOn(first_, [&] {
      bucket_.TakeUrgent(debt);
      uint64_t portion = 0;
      if (waits) {
        portion = bucket_.rate() > 0 ? kPortionBytes : kPortionWithoutLimit;
        if (!bucket_.TakePaced(portion, [this] { return given_up_.load(); })) portion = 0;
      }
      return Drawn{portion, bucket_.rate()};
    });
    have_ += static_cast<int64_t>(debt + drawn.bytes);
    rate_ = drawn.rate;
    pushes_.Wake();
    // Whoever waited takes what has come before it is known whether more is wanted.
    runtime::Yield();
  }
  drawing_ = false;
}

void PortionedBucket::Settle() {
  core_.AssertHere();
  if (have_ == 0 || drawing_ || !pushes_.empty()) return;
  const int64_t left = std::exchange(have_, 0);
  runtime::CallOn(first_, [&] {
    if (left > 0)
      bucket_.GiveBack(static_cast<uint64_t>(left));
    else
      bucket_.TakeUrgent(static_cast<uint64_t>(-left));
  });
}

void PortionedBucket::Stop() {
  core_.AssertHere();
  given_up_ = true;
  runtime::CallOn(first_, [&] { bucket_.Wake(); });
  fibers_.Join();
  Settle();
}

}  // namespace tradewind::pace
