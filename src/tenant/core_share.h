// A tenant's part of its core, if it has been given one (tenant/quotas.h).
//
// A bucket of run time. It fills with that part of the time that passes, up to what kCoreShareWindow brings, and what the
// tenant's turns take of the core is taken out as they end (runtime/turns.h). So there may be less than nothing in it: then
// whoever wants to work for the tenant waits here, first come first served, while the core is for others. A turn is short,
// so one that waits is soon next: a tenant with more work than its part comes to use just that part.
//
// Work asks where it begins and now and then as it goes on; in between it isn't held up. What a node does for a tenant
// on its own account (checkpoints, rollbacks, moves) takes no turn as the tenant, and is not counted.
//
// This core's fibers only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/ids.h"
#include "base/result.h"
#include "runtime/fair_lock.h"
#include "runtime/fiber.h"
#include "runtime/turns.h"

namespace tradewind::tenant {

// So much of what it has not used a tenant may use at once.
inline constexpr std::chrono::milliseconds kCoreShareWindow{100};
// A request that would have to wait longer before it begins is told to come again.
inline constexpr std::chrono::seconds kCoreShareWait{1};

class RunTimeBucket {
 public:
  // Full.
  RunTimeBucket(uint64_t percent, runtime::TimePoint now);
  // Looks how long it is until there is anything in it; zero: there is. `used`: run time so far, all that ever was.
  runtime::Duration Wait(runtime::Duration used, runtime::TimePoint now);
  uint64_t percent() const { return percent_; }

 private:
  double PartOf(runtime::Duration time) const;  // In nanoseconds.

  const uint64_t percent_;
  const double most_ns_;
  double left_ns_;  // May be negative.
  runtime::Duration used_{};
  runtime::TimePoint at_;
};

class CoreShare {
 public:
  CoreShare(runtime::Core& core, TenantName tenant) : core_(core), tenant_(std::move(tenant)), turn_(core) {}

  // 0: it has no bound. Does not suspend.
  void Set(uint64_t percent);
  bool is_bounded() const { return bucket_.has_value(); }
  uint64_t percent() const { return bucket_ ? bucket_->percent() : 100; }

  // Suspends until the tenant may use the core. False: it may not before `until`, which may be known at once. `has_to`
  // is asked before it waits and after each LookAgain(): false lets the caller go on; it fails as that does.
  Result<bool> Await(runtime::TimePoint until, const std::function<Result<bool>()>& has_to);
  // Whoever waits asks again. Does not suspend.
  void LookAgain();

 private:
  // Until there is anything in the bucket, which there is.
  runtime::Duration Wait();

  runtime::Core& core_;
  const TenantName tenant_;
  std::optional<RunTimeBucket> bucket_;
  std::optional<runtime::RunTimeMeter> meter_;  // From the first wait on: it needs a fiber.
  runtime::FairLock turn_;                      // Of those that wait: its holder looks at the bucket.
  runtime::WaitQueue changed_;                  // In which that waits.
};

}  // namespace tradewind::tenant
