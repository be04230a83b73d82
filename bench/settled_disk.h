// The disk before a measurement.
#pragma once

#include <string>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::bench {

// Makes what was written earlier to the file system of `folder` durable, and waits until the disk has got over it
// (cli/disk_calm.h: disks that are shared answer late for a while after gigabytes), twenty seconds at most. Suspends.
// Fails with DISK_UNUSABLE.
Result<void> SettleDisk(runtime::Core& core, const std::string& folder);

}  // namespace tradewind::bench
