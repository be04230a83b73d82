#include "tenant/core_share.h"

#include <algorithm>
#include <cmath>

namespace tradewind::tenant {

RunTimeBucket::RunTimeBucket(uint64_t percent, runtime::TimePoint now)
    : percent_(percent), most_ns_(PartOf(kCoreShareWindow)), left_ns_(most_ns_), at_(now) {}

double RunTimeBucket::PartOf(runtime::Duration time) const {
  return static_cast<double>(time.count()) * static_cast<double>(percent_) / 100;
}

runtime::Duration RunTimeBucket::Wait(runtime::Duration used, runtime::TimePoint now) {
  left_ns_ = std::min(left_ns_ + PartOf(now - at_), most_ns_) - static_cast<double>((used - used_).count());
  used_ = used;
  at_ = now;
  if (left_ns_ >= 0) return runtime::Duration::zero();
  return runtime::Duration(static_cast<int64_t>(std::ceil(-left_ns_ * 100 / static_cast<double>(percent_))));
}

void CoreShare::Set(uint64_t percent) {
  if (percent == (bucket_ ? bucket_->percent() : 0)) return;
  bucket_.reset();
  meter_.reset();
  if (percent != 0) bucket_.emplace(percent, core_.Now());
  LookAgain();
}

void CoreShare::LookAgain() {
  turn_.GiveUpAll();
  changed_.NotifyAll();
}

runtime::Duration CoreShare::Wait() {
  if (!meter_) meter_.emplace(tenant_);
  return bucket_->Wait(meter_->used(), core_.Now());
}

Result<bool> CoreShare::Await(runtime::TimePoint until, const std::function<Result<bool>()>& has_to) {
  if (!bucket_ || (!turn_.holder() && Wait() == runtime::Duration::zero())) return true;
  struct Place {
    ~Place() { turn.Release(this); }
    runtime::FairLock& turn;
  } place{turn_};
  while (true) {
    if (!turn_.Acquire(&place, until)) {
      if (core_.Now() >= until) return false;
      continue;  // There is something to look at.
    }
    TW_TRY_ASSIGN(const bool waits, has_to());
    if (!waits || !bucket_) return true;
    const runtime::Duration wait = Wait();
    if (wait == runtime::Duration::zero()) return true;
    const runtime::TimePoint at = core_.Now() + wait;
    if (at > until) return false;
    // The turn that has looked is not counted yet: who looked again would find that missing, each time.
    if (!changed_.WaitUntil(at)) return true;
  }
}

}  // namespace tradewind::tenant
