// Whether a disk is still busy with what came before, such as a build or the filling of a tenant: latencies
// that are measured then show that work, and not the database.
//
// One core only.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::cli {

// Goes by small syncs, one after the other. Calm is: of the last 50 none took more than 5 ms, or, on a disk
// that needs more by itself, more than three times what the fastest took.
class SyncTimes {
 public:
  void Add(runtime::Duration sync);
  bool calm() const;
  // The median of the last 50. Requires: one was added.
  runtime::Duration typical() const;

 private:
  std::deque<runtime::Duration> recent_;
  runtime::Duration fastest_ = runtime::Duration::max();
};

// Makes small writes in `folder` durable until the disk is calm, `patience` is over or `ended` says so; leaves
// no file. Fails as the file does. Suspends.
Result<SyncTimes> WaitUntilCalm(runtime::Core& core, const std::string& folder, runtime::Duration patience,
                                const std::function<bool()>& ended);

}  // namespace tradewind::cli
