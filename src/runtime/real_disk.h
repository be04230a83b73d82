// Files of the operating system (POSIX). Reads are tried without waiting first; what would block goes
// off-core.
#pragma once

#include <memory>

#include "runtime/core.h"
#include "runtime/disk.h"

namespace tradewind::runtime {

std::unique_ptr<Disk> MakeRealDisk(Core& core);

}  // namespace tradewind::runtime
