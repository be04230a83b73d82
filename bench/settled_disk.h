// The disk before a measurement.
#pragma once

#include <string>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::bench {

// What was written earlier to the file system of `folder` is on the disk, and the disk has got over it: it
// makes small writes durable fast again (disks that are shared answer late for a while after gigabytes), or
// twenty seconds have passed. Suspends. Fails with DISK_UNUSABLE.
Result<void> SettleDisk(runtime::Core& core, const std::string& folder);

}  // namespace tradewind::bench
